//! Miss reports: the differences and the settings that ignore them.

use std::sync::Arc;

use serde_json::Value;

use crate::support::binary::program;
use crate::support::client::{self, Answer, Client};
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::random;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn a_miss_is_a_404_problem_document() {
    let folder = gateway::echoed(|client| drop(client.get("/v1/items?page=1")));
    let gateway = gateway::replay(&folder).start();
    let answer = client::http1(&gateway).get("/v1/items?page=2");
    assert_eq!((answer.status, answer.header("ouli-error")), (404, "miss"));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.header("retry-after"), "");
    let problem = answer.json();
    assert_eq!(problem["type"], "urn:ouli:problem:miss");
    assert_eq!(problem["status"], 404);
    assert_eq!(problem["session"], "default");
    assert_eq!(problem["request"], "GET /v1/items?page=2");
}

#[test]
fn a_miss_lists_the_three_nearest_exchanges() {
    let folder = gateway::echoed(|client| {
        for path in [
            "/far/away",
            "/v1/items?page=1&size=10",
            "/v1/items?page=9&size=9",
            "/v1/other",
        ] {
            client.get(path);
        }
        client.post("/v1/items?page=1&size=10", JSON, "{}");
    });
    let gateway = gateway::replay(&folder).start();
    let problem = client::http1(&gateway)
        .get("/v1/items?page=2&size=10")
        .json();
    let nearest = problem["nearest"].as_array().unwrap();
    assert_eq!(nearest.len(), 3, "{problem:#}");
    assert_eq!(nearest[0]["request"], "GET /v1/items?page=1&size=10");
    let differences = nearest[0]["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 1);
    let difference = &differences[0];
    assert_eq!(difference["part"], "query");
    assert_eq!(difference["at"], "page");
    assert_eq!(difference["setting"], "[matcher] ignore_query = [\"page\"]");
}

#[test]
fn json_bodies_are_compared_by_pointer() {
    let body = |nonce: &str, n: u32| format!("{{\"a\": [{{\"nonce\": \"{nonce}\"}}], \"n\": {n}}}");
    let folder = gateway::echoed(|client| drop(client.post("/x", JSON, &body("one", 1))));
    let gateway = gateway::replay(&folder).start();
    let problem = client::http1(&gateway)
        .post("/x", JSON, &body("two", 1))
        .json();
    let difference = &problem["nearest"][0]["differences"][0];
    assert_eq!(difference["part"], "body");
    assert_eq!(difference["at"], "/a/0/nonce");
    assert_eq!(
        (&difference["sent"], &difference["recorded"]),
        (&"\"two\"".into(), &"\"one\"".into())
    );
    assert_eq!(
        difference["setting"],
        "[matcher] ignore_body = [\"/a/0/nonce\"]"
    );
}

/// A setting as a report writes it, `[table] key = value`, in lines.
fn applied(setting: &Value) -> String {
    let setting = setting
        .as_str()
        .unwrap_or_else(|| panic!("no setting but {setting}"));
    let (table, rest) = setting.split_once("] ").unwrap();
    format!("{table}]\n{rest}\n")
}

#[test]
fn the_suggested_setting_makes_the_request_match() {
    type Send = fn(&Client, &str) -> Answer;
    let cases: [(&str, Send); 4] = [
        ("query", |client, value| {
            client.get(&format!("/x?nonce={value}&y=1"))
        }),
        ("json", |client, value| {
            client.post("/x", JSON, &format!("{{\"a\": {{\"b/c\": \"{value}\"}}}}"))
        }),
        ("form", |client, value| {
            client.post("/x", FORM, &format!("a=1&nonce={value}"))
        }),
        ("elements", |client, value| {
            let list = format!("[{{\"id\": \"{value}1\"}}, {{\"id\": \"{value}2\"}}]");
            client.post("/x", JSON, &list)
        }),
    ];
    for (name, send) in cases {
        let folder = gateway::echoed(|client| drop(send(client, "recorded")));
        let gateway = gateway::replay(&folder).start();
        let problem = send(&client::http1(&gateway), "other").json();
        drop(gateway);
        let setting = applied(&problem["nearest"][0]["differences"][0]["setting"]);
        let gateway = gateway::replay(&folder).section(&setting).start();
        let answer = send(&client::http1(&gateway), "other");
        assert_eq!(answer.status, 200, "{name}: {setting}");
    }
}

#[test]
fn an_empty_session_says_how_to_record_one() {
    let gateway = gateway::replay(&Arc::new(Folder::new())).start();
    let problem = client::http1(&gateway).get("/x").json();
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("ouli-gateway record --upstream"),
        "{detail}"
    );
    assert_eq!(problem["nearest"], Value::Array(Vec::new()));
}

#[test]
fn no_report_shows_a_secret() {
    let recorded_secret = random();
    let body = |secret: &str, n: u32| format!("{{\"password\": \"{secret}\", \"n\": {n}}}");
    let folder = gateway::echoed(|client| {
        let ask = client.ask("POST", &format!("/x?access_token={recorded_secret}"));
        ask.header("content-type", JSON)
            .body(body(&recorded_secret, 1))
            .send();
    });
    let mut process = program(&folder, &["replay", "--listen", "127.0.0.1:0"]).start();
    let client = client::at(process.address(), http::Version::HTTP_11);
    let secret = random();
    let ask = client.ask("POST", &format!("/x?access_token={secret}&more=1"));
    let ask = ask.header("authorization", &format!("Bearer {secret}"));
    let answer = ask
        .header("content-type", JSON)
        .body(body(&secret, 2))
        .send();
    assert_eq!(answer.status, 404);
    let ended = process.stop();
    assert!(
        ended.stderr.contains("miss"),
        "people are told too:\n{}",
        ended.stderr
    );
    for secret in [&secret, &recorded_secret] {
        assert!(
            !answer.text().contains(secret.as_str()),
            "{}",
            answer.text()
        );
        assert!(!ended.stderr.contains(secret.as_str()), "{}", ended.stderr);
    }
}
