//! Miss reports: the differences and the settings that ignore them.

use std::sync::Arc;

use serde_json::Value;

use crate::support::binary::{Process, program};
use crate::support::client::{self, Answer, Client};
use crate::support::folder::Folder;
use crate::support::{gateway, origin, random};

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
    assert_eq!(difference["setting"], "matcher.ignore_query");
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
    assert_eq!(difference["setting"], "matcher.ignore_body");
}

/// Sends a request with this value in the positions that differ.
type SendValue = fn(&Client, &str) -> Answer;

/// Asserts that the request matches with the settings of the report in place of the current
/// section.
fn assert_remedy_works(name: &str, section: &str, send: SendValue) -> String {
    let folder = gateway::echoed(|client| drop(send(client, "recorded")));
    let gateway = gateway::replay(&folder).section(section).start();
    let problem = send(&client::http1(&gateway), "other").json();
    drop(gateway);
    let remedy = &problem["remedy"];
    let toml = remedy["toml"].as_str();
    let toml = toml.unwrap_or_else(|| panic!("{name}: no settings in {problem:#}"));
    let gateway = gateway::replay(&folder).section(toml).start();
    let answer = send(&client::http1(&gateway), "other");
    assert_eq!(answer.status, 200, "{name}: {toml}");
    toml.to_owned()
}

#[test]
fn the_suggested_settings_make_the_request_match() {
    let cases: [(&str, SendValue); 8] = [
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
        ("several places", |client, value| {
            let body = format!("{{\"a\": \"{value}\", \"b\": [1, \"{value}\"]}}");
            client.post(&format!("/x?p={value}&q={value}"), JSON, &body)
        }),
        ("many members", |client, value| {
            let member = |n| format!("\"m{n}\": \"{value}\"");
            let members: Vec<_> = (0..12).map(member).collect();
            let body = format!("{{\"of\": {{{}}}, \"n\": 1}}", members.join(", "));
            client.post("/x", JSON, &body)
        }),
        ("text", |client, value| {
            client.post("/x", "text/plain", value)
        }),
        ("no json", |client, value| {
            let body = if value == "recorded" { "[1]" } else { "{}" };
            client.post("/x", JSON, body)
        }),
    ];
    for (name, send) in cases {
        assert_remedy_works(name, "", send);
    }
}

#[test]
fn the_suggested_settings_hold_those_in_force() {
    let section = "[matcher]\nauthority = false\nignore_query = [\"a\"]\nheaders = [\"x-run\"]";
    let toml = assert_remedy_works("settings", section, |client, value| {
        let ask = client.ask("GET", &format!("/x?a={value}&b={value}"));
        ask.header("x-run", value).send()
    });
    assert_eq!(
        toml,
        "[matcher]\nauthority = false\nheaders = []\nignore_query = [\"a\", \"b\"]\n"
    );
}

#[test]
fn the_suggested_settings_ignore_headers() {
    let toml = assert_remedy_works(
        "headers",
        "[matcher]\nheaders = [\"*\"]",
        |client, value| {
            let ask = client.ask("GET", "/x").header("x-run", value);
            ask.header("user-agent", value).send()
        },
    );
    let expected = "[matcher]\nheaders = [\"*\"]\nignore_headers = [\"x-run\"]\n";
    assert_eq!(toml, expected);
}

#[test]
fn a_miss_without_a_body_names_the_part_and_the_setting() {
    let folder = gateway::echoed(|client| drop(client.ask("HEAD", "/x?page=1&a=1").send()));
    let gateway = gateway::replay(&folder).start();
    let head = |target: &str| client::http1(&gateway).ask("HEAD", target).send();
    let miss = head("/x?page=2&a=1");
    assert_eq!((miss.status, miss.header("ouli-error")), (404, "miss"));
    let flags = r#"--set 'matcher.ignore_query=[\"page\"]'"#;
    let expected = format!("exchange=1, part=\"query page\", add=\"{flags}\"");
    assert_eq!(miss.header("ouli-miss"), expected);
    let miss = head("/y?page=1&a=1");
    let expected = "exchange=1, part=\"path\", hint=\"no setting ignores the path\"";
    assert_eq!(miss.header("ouli-miss"), expected);
}

/// Runs a command of a report in a shell.
fn typed(folder: &Folder, command: &str) -> Process {
    let arguments = command.strip_prefix("ouli-gateway ").unwrap();
    let script = format!("exec \"$0\" {arguments}");
    program(folder, &[]).under(&["sh", "-c", &script]).start()
}

fn client_of(process: &mut Process) -> Client {
    client::at(process.address(), http::Version::HTTP_11)
}

#[test]
fn the_suggested_flags_make_the_request_match() {
    let folder = gateway::echoed(|client| drop(client.get("/x?a=1&it%27s=1")));
    let replay = "ouli-gateway replay --listen 127.0.0.1:0";
    let command = format!("{replay} --set 'matcher.ignore_query=[\"a\"]'");
    let mut process = typed(&folder, &command);
    let problem = client_of(&mut process).get("/x?a=2&it%27s=2").json();
    process.stop();
    let remedy = &problem["remedy"];
    assert!(remedy.get("toml").is_none(), "the file does not decide");
    let flags = remedy["flags"].as_str().unwrap();
    assert!(problem["detail"].as_str().unwrap().contains(flags));
    let mut process = typed(&folder, &format!("{replay} {flags}"));
    assert_eq!(client_of(&mut process).get("/x?a=2&it%27s=2").status, 200);
}

#[test]
fn the_suggested_commands_record_what_is_missing() {
    let origin = origin::new()
        .route("/*", |seen| origin::bytes(seen.body.clone()))
        .start();
    let folder = Folder::new();
    std::fs::write(
        folder.path().join("other.toml"),
        "on_exhausted = \"repeat\"\n",
    )
    .unwrap();
    let upstream = origin.url();
    std::fs::create_dir(folder.path().join("my tapes")).unwrap();
    let replay = format!(
        "ouli-gateway replay --config other.toml --cassettes 'my tapes' --session login \
         --listen 127.0.0.1:0 --upstream {upstream}"
    );
    for (target, mode) in [("/one", "record"), ("/two", "auto")] {
        let mut process = typed(&folder, &replay);
        let problem = client_of(&mut process).get(target).json();
        process.stop();
        let command = problem["command"].as_str().unwrap();
        let start = format!("ouli-gateway {mode} --config other.toml ");
        assert!(command.starts_with(&start), "{command}");
        let mut process = typed(&folder, command);
        assert_eq!(client_of(&mut process).get(target).status, 200);
        process.stop();
    }
    drop(origin);
    let mut process = typed(&folder, &replay);
    for target in ["/one", "/two"] {
        assert_eq!(client_of(&mut process).get(target).status, 200, "{target}");
    }
}

#[test]
fn a_path_in_another_form_is_the_nearest_and_named() {
    let folder = gateway::echoed(|client| {
        for path in ["/v1/users/42", "/v1/users", "/V1/Users/43/"] {
            client.get(path);
        }
    });
    let gateway = gateway::replay(&folder).start();
    let problem = client::http1(&gateway).get("/V1/Users/42/").json();
    assert_eq!(problem["nearest"][0]["request"], "GET /v1/users/42");
    let expected = "GET /V1/Users/42/ is not recorded in session default: \
                    path differs only in case and a trailing slash from exchange 1";
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with(expected), "{detail}");
    assert!(problem.get("remedy").is_none(), "{problem:#}");
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

#[test]
fn a_report_shows_no_secret_that_the_body_names_and_the_target_repeats() {
    let folder = gateway::echoed(|client| drop(client.get("/else")));
    let mut process = program(&folder, &["replay", "--listen", "127.0.0.1:0"]).start();
    let (secret, key) = (random(), random());
    let ask = client_of(&mut process).ask("POST", &format!("/echo/{secret}/{key}?copy={secret}"));
    let ask = ask.header("content-type", JSON).header("x-api-key", &key);
    let body = format!("{{\"note\": \"{secret} {key}\", \"password\": \"{secret}\"}}");
    let answer = ask.body(body).send();
    assert_eq!(answer.status, 404);
    let shown = format!(
        "{:?} {} {}",
        answer.headers,
        answer.text(),
        process.stop().stderr
    );
    assert!(shown.contains("copy=<password>"), "{shown}");
    for secret in [&secret, &key] {
        assert!(!shown.contains(secret.as_str()), "{shown}");
    }
}

/// A JSON object with an array of so many numbers.
fn numbers(count: usize, last: &str) -> String {
    format!("{{\"numbers\": [{}{last}]}}", "0,".repeat(count))
}

#[test]
fn large_bodies_are_compared_by_size_and_digest() {
    let folder = gateway::echoed(|client| {
        client.post("/x", JSON, &numbers(100, "1"));
        client.post("/x", JSON, &numbers(10_000, "1"));
    });
    let limits = "[limits]\nmiss_comparison = \"64 KiB\"";
    let gateway = gateway::replay(&folder).section(limits).start();
    let client = client::http1(&gateway);
    let nearest = |body: &str| {
        let problem = client.post("/x", JSON, body).json();
        let nearest = problem["nearest"].as_array().unwrap().clone();
        let difference = |nearest: &Value| nearest["differences"][0].clone();
        let ordinals = nearest.iter().map(|it| it["exchange"].as_u64().unwrap());
        (
            ordinals.collect::<Vec<_>>(),
            nearest.iter().map(difference).collect::<Vec<_>>(),
        )
    };
    let (_, small) = nearest(&numbers(100, "2"));
    assert_eq!(small[0]["at"], "/numbers/100", "{small:#?}");
    let (_, large) = nearest(&numbers(10_000, "2"));
    let text = large[0].to_string();
    assert!(text.contains("20016 bytes, digest "), "{text}");
    assert_eq!(large[0]["setting"], "matcher.ignore_body", "{text}");
    let digest = |side: &str| {
        large[0][side]
            .as_str()
            .map(|it| it.rsplit(' ').next().unwrap().to_owned())
    };
    assert_ne!(digest("sent"), digest("recorded"));
    // The next body is compared whole again.
    let (_, small) = nearest(&numbers(100, "2"));
    assert_eq!(small[0]["at"], "/numbers/100", "{small:#?}");
    // A summary is not read as a form.
    let form = |last: &str| format!("a={}{last}", "x".repeat(20_000));
    let problem = client.post("/x", FORM, &form("2")).json();
    let setting = problem["remedy"].to_string();
    assert!(!setting.contains("digest"), "{setting}");
    // Only the query differs: equal bodies have equal digests.
    let problem = client.post("/x?q=1", JSON, &numbers(10_000, "1")).json();
    let differences = problem["nearest"][0]["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 1, "{problem:#}");
    assert_eq!(differences[0]["part"], "query");
}
