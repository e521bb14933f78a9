//! Secrets are not written to disk, and a replay does not need them.

mod canary;

use std::sync::Arc;

use ouli_config::Defect;

use crate::support::origin::{self, json, text};
use crate::support::{client, gateway, random};

#[test]
fn equal_secrets_have_equal_placeholders() {
    let origin = origin::new()
        .route("/login", |seen| {
            json(std::str::from_utf8(&seen.body).unwrap())
        })
        .start();
    let (one, two) = (random(), random());
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    for secret in [&one, &two, &one] {
        let body = format!("{{\"password\": \"{secret}\"}}");
        client.post("/login", "application/json", &body);
    }
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let kept = |part: &str| -> Vec<String> {
        let exchanges = folder.exchanges("default").into_iter();
        exchanges
            .map(|one| one[part]["body"]["json"]["password"].to_string())
            .collect()
    };
    let sent = kept("request");
    assert_eq!(sent[0], "\"<password-1>\"");
    assert_eq!(
        (&sent[0], &sent[1]),
        (&sent[2], &"\"<password-2>\"".to_owned())
    );
    assert_eq!(kept("response"), sent);
}

/// Secrets of one kind in one body: more than a session remembers in 140 of them.
fn passwords(number: usize) -> String {
    let one = |at: usize| format!("{{\"password\": \"pw-{:06}-x7k2q\"}}", number * 500 + at);
    format!("[{}]", (0..500).map(one).collect::<Vec<_>>().join(","))
}

#[test]
fn a_session_records_on_after_more_secrets_than_it_remembers() {
    let origin = origin::new()
        .route("/*", |seen| {
            text(&format!("{} {}", seen.method, seen.target))
        })
        .start();
    let recorded = gateway::record(&origin).start();
    client::http1(&recorded).post("/login", "application/json", &passwords(0));
    let folder = Arc::clone(&recorded.folder);
    recorded.stop();
    let builder = |mode| {
        let builder = gateway::over(&folder, mode).upstream(&origin.url());
        builder.environment(|name| (name == "API_KEY").then(|| "env-secret-4711".to_owned()))
    };
    // The same session replays and records in turn. Only the first passwords are recorded.
    let section = "[redaction]\nenv = [\"API_KEY\"]\n[verdict]\nfail_on = [\"-miss\"]";
    let gateway = builder("replay").section(section).start();
    let client = client::http1(&gateway);
    let log_in = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            let answer = client.post("/login", "application/json", &passwords(number));
            assert_eq!(answer.status, if number == 0 { 200 } else { 404 });
        }
    };
    let switch_to = |mode| {
        let config = builder(mode).section(section).config();
        gateway.folder.write_config(&config);
        assert!(gateway.reload());
    };
    log_in(0..140);
    switch_to("auto");
    let record = |token: &str, path: &str| {
        let ask = client.ask("GET", path);
        let ask = ask.header("authorization", &format!("Bearer {token}"));
        assert_eq!(ask.send().status, 200);
    };
    record("first-secret-1", "/1");
    switch_to("replay");
    log_in(140..280);
    switch_to("auto");
    record(
        "other-secret-2",
        "/2/first-secret-1/pw-139999-x7k2q/env-secret-4711",
    );
    let verdict = gateway.stop();
    assert!(verdict.passed, "{verdict:#?}");
    let targets: Vec<_> = folder
        .exchanges("default")
        .iter()
        .map(|it| it["request"]["target"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(targets[..2], ["/login", "/1"]);
    assert!(
        targets[2].starts_with("/2/%3Cauthorization-"),
        "{targets:?}"
    );
    let kept = folder.text("default");
    for secret in ["first-secret", "other-secret", "pw-", "env-secret"] {
        assert!(!kept.contains(secret), "{secret}");
    }
}

#[test]
fn values_without_a_rule_are_unchanged() {
    let origin = origin::new()
        .route("/plain", |_| text("nothing secret here"))
        .start();
    let gateway = gateway::record(&origin).start();
    let ask = client::http1(&gateway).ask("GET", "/plain?id=4711&name=ann");
    ask.header("x-request-id", "abc")
        .header("location", "/x")
        .send();
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert!(report.redactions.is_empty(), "{:?}", report.redactions);
    let text = folder.text("default");
    for part in [
        "id=4711&name=ann",
        "\"x-request-id\", \"abc\"",
        "nothing secret here",
    ] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn the_guard_refuses_token_patterns() {
    let origin = origin::simple();
    // The rule for this token is disabled, so only the guard can find it.
    let gateway = gateway::record(&origin)
        .section("[redaction]\ndisabled_rules = [\"pattern.gitlab-token\"]")
        .start();
    let token = format!("glpat-{}", random());
    let client = client::http1(&gateway);
    let answer = client.post("/echo", "text/plain", &format!("see {token} there"));
    assert!(
        answer.text().contains(&token),
        "the client gets its response"
    );
    client.get("/hello");
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    let refused: u64 = report.counted(Defect::Secret).values().sum();
    assert_eq!((report.recorded, refused, report.passed), (1, 1, false));
    let reason = report.counted(Defect::Secret).into_keys().next().unwrap();
    assert!(
        reason.contains("guard.gitlab-token") && !reason.contains(&token),
        "{reason}"
    );
    for (path, bytes) in folder.files() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&token), "{}", path.display());
    }
}

#[test]
fn values_of_named_variables_are_secrets_everywhere() {
    const VALUE: &str = "correct-horse-battery-staple";
    let origin = origin::simple();
    let gateway = gateway::record(&origin)
        .section("[redaction]\nenv = [\"MY_PASSPHRASE\"]")
        .environment(|name| (name == "MY_PASSPHRASE").then(|| VALUE.to_owned()))
        .start();
    let client = client::http1(&gateway);
    let ask = client
        .ask("POST", &format!("/echo?x={VALUE}"))
        .header("x-odd", VALUE);
    let answer = ask
        .header("content-type", "text/plain")
        .body(format!("so {VALUE}!"))
        .send();
    assert_eq!(answer.text(), format!("so {VALUE}!"));
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert_eq!((report.recorded, report.passed), (1, true), "{report:#?}");
    assert!(!folder.text("default").contains(VALUE));
}

#[test]
fn a_rule_can_be_switched_off_by_its_id() {
    let origin = origin::simple();
    let gateway = gateway::record(&origin)
        .section("[redaction]\ndisabled_rules = [\"json.password\"]")
        .start();
    let body = "{\"password\": \"not a secret here\", \"secret\": \"but this one is\"}";
    client::http1(&gateway).post("/echo", "application/json", body);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let text = folder.text("default");
    assert!(
        text.contains("not a secret here") && !text.contains("but this one is"),
        "{text}"
    );
}

#[test]
fn volatile_headers_are_dropped_unless_configured() {
    let start = |off: &str| {
        let date = "Thu, 01 Jan 2026 00:00:00 GMT";
        let origin = origin::new()
            .route("/now", move |_| text("now").header("date", date))
            .start();
        let gateway = gateway::record(&origin).section(off).start();
        client::http1(&gateway).get("/now");
        let folder = Arc::clone(&gateway.folder);
        gateway.stop();
        folder.text("default").contains("01 Jan 2026")
    };
    assert!(!start(""));
    assert!(start("[redaction]\ndisabled_rules = [\"volatile.date\"]"));
}
