//! Plugins of every role.

mod bad;
mod failing;
mod hostile;
mod lifecycle;
mod streams;

use std::sync::Arc;

use crate::support::client::{self, Client};
use crate::support::gateway;
use crate::support::origin;
use crate::support::plugins::fixture;

fn post(client: &Client, target: &str, kind: &str, body: &str) -> u16 {
    let ask = client.ask("POST", target).header("x-kind", kind);
    ask.header("content-type", "application/json")
        .body(body)
        .send()
        .status
}

#[test]
fn a_matcher_may_only_declare() {
    let folder = gateway::echoed(|client| assert_eq!(client.get("/a?x=1").status, 200));
    let gateway = gateway::replay(&folder).start();
    assert_eq!(client::http1(&gateway).get("/a?x=2").status, 404);
    drop(gateway);
    let gateway = gateway::replay(&folder)
        .plugin("own.wasm", &fixture("swap-a"))
        .start();
    let client = client::http1(&gateway);
    assert_eq!(client.get("/a?x=2").status, 200);
    assert_eq!(client.get("/b").status, 404);
}

#[test]
fn a_matcher_may_be_called_per_message() {
    let folder =
        gateway::echoed(|client| assert_eq!(post(client, "/a", "red", "{\"id\": 1}"), 200));
    let gateway = gateway::replay(&folder)
        .plugin("own.wasm", &fixture("asked-matcher"))
        .start();
    let client = client::http1(&gateway);
    assert_eq!(
        post(&client, "/a?other=1", "red", "{\"id\": 1, \"time\": 2}"),
        200
    );
    assert_eq!(post(&client, "/a", "red", "{\"id\": 2}"), 404);
    let ask = client.ask("POST", "/a").header("x-kind", "blue");
    let problem = ask
        .header("content-type", "application/json")
        .body("{\"id\": 1}")
        .send()
        .json();
    let difference = &problem["nearest"][0]["differences"][0];
    assert_eq!(difference["part"], "kind", "{problem:#}");
    assert!(
        difference["hint"].as_str().unwrap().contains("plugin"),
        "{problem:#}"
    );
}

#[test]
fn a_matcher_may_defer_to_the_next_one() {
    let folder = gateway::echoed(|client| {
        client.get("/special/1?x=1");
        client.get("/plain?x=1");
    });
    let gateway = gateway::replay(&folder)
        .plugin("own.wasm", &fixture("abstainer"))
        .start();
    let client = client::http1(&gateway);
    assert_eq!(
        client.get("/special/1?x=2").status,
        200,
        "the plugin ignores the query"
    );
    assert_eq!(
        client.get("/plain?x=2").status,
        404,
        "the built-in matcher compares it"
    );
    assert_eq!(client.get("/plain?x=1").status, 200);
}

#[test]
fn the_first_matcher_that_answers_decides() {
    let folder = gateway::echoed(|client| assert_eq!(post(client, "/a?x=1", "red", "{}"), 200));
    let gateway = gateway::replay(&folder)
        .plugin("a.wasm", &fixture("asked-matcher"))
        .plugin("b.wasm", &fixture("swap-a"));
    // Plugins without a section are called in the order of their names, after those with a section,
    // which are called in the order of the sections.
    let first = "[[plugin]]\nfile = \"b.wasm\"\n[[plugin]]\nfile = \"a.wasm\"";
    for (sections, status) in [("", 404), (first, 200)] {
        let gateway = gateway.clone().section(sections).start();
        assert_eq!(
            post(&client::http1(&gateway), "/a", "blue", "{}"),
            status,
            "{sections}"
        );
    }
}

#[test]
fn routes_select_the_requests_of_a_plugin() {
    let folder = gateway::echoed(|client| {
        client.get("/v1/a?x=1");
        client.get("/v2/a?x=1");
    });
    let gateway = gateway::replay(&folder)
        .plugin("own.wasm", &fixture("swap-a"))
        .section("[[plugin]]\nfile = \"own.wasm\"\nroutes = [\"/v1/*\"]")
        .start();
    let client = client::http1(&gateway);
    assert_eq!(client.get("/v1/a?x=2").status, 200);
    assert_eq!(client.get("/v2/a?x=2").status, 404);
}

#[test]
fn a_redactor_declares_rules_and_is_called() {
    let origin = origin::new()
        .route("/*", |seen| origin::bytes(seen.body.clone()))
        .start();
    let gateway = gateway::record(&origin)
        .plugin("own.wasm", &fixture("asked-redactor"))
        .start();
    let ask = client::http1(&gateway)
        .ask("POST", "/a")
        .header("x-mail", "ann@example.com");
    let body =
        "{\"mail\": \"bob@example.com\", \"pin\": \"pin-4711-x\", \"password\": \"pass-0815-y\"}";
    let answer = ask
        .header("content-type", "application/json")
        .body(body)
        .send();
    assert_eq!(answer.text(), body, "the client gets its response");
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert_eq!((report.recorded, report.passed), (1, true), "{report:#?}");
    let text = folder.text("default");
    for secret in ["ann@", "bob@", "pin-4711", "pass-0815"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    for placeholder in ["<e-mail-1>", "<e-mail-2>", "<pin-1>", "<password-1>"] {
        assert!(text.contains(placeholder), "{placeholder} not in {text}");
    }
}

#[test]
fn a_policy_skips_and_tags() {
    let origin = origin::new()
        .route("/broken", |_| origin::text("sorry").status(500))
        .route("/*", |_| origin::text("fine"))
        .start();
    let gateway = gateway::record(&origin)
        .plugin("own.wasm", &fixture("asked-policy"))
        .start();
    let client = client::http1(&gateway);
    assert_eq!(client.get("/broken").status, 500);
    client.ask("GET", "/whole").header("x-kind", "red").send();
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert_eq!((report.recorded, report.passed), (1, true));
    assert_eq!(report.skipped["the server failed"], 1);
    assert_eq!(folder.exchanges("default")[0]["tags"]["kind"], "red");
}

#[test]
fn the_built_in_policy_skips_by_its_settings() {
    let origin = origin::new().route("/*", |_| origin::text("fine")).start();
    let policy = "[policy]\nskip_health_checks = true\nskip_methods = [\"OPTIONS\"]\n\
                  skip_paths = [\"/static/*\"]\nskip_status = [404]";
    let gateway = gateway::record(&origin).section(policy).start();
    let client = client::http1(&gateway);
    for path in ["/healthz", "/static/a.css", "/kept"] {
        client.get(path);
    }
    client.ask("OPTIONS", "/kept").send();
    let report = gateway.finish();
    assert_eq!(
        (report.recorded, report.skipped.values().sum::<u64>()),
        (1, 3)
    );
}

#[test]
fn clocks_and_randomness_are_deterministic() {
    let folder = gateway::echoed(|client| {
        for path in ["/a", "/b", "/c"] {
            client.get(path);
        }
    });
    for _ in 0..2 {
        let gateway = gateway::replay(&folder)
            .plugin("own.wasm", &fixture("hashy"))
            .section("[[plugin]]\nfile = \"own.wasm\"\non_error = \"fail\"")
            .start();
        let client = client::http1(&gateway);
        for path in ["/c", "/a", "/b", "/a"] {
            assert_eq!(client.get(path).status, 200, "{path}");
        }
    }
}
