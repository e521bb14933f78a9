//! What is remembered of secrets: of one session, and of all together.

use std::sync::Arc;

use ouli_config::Defect;
use ouli_proxy::session::SessionReport;

use crate::support::origin;
use crate::support::{client, gateway, until};

#[test]
fn secrets_above_the_limit_are_forgotten_and_the_recording_goes_on() {
    for limit in [
        "secrets_per_session = 2",
        "secret_bytes_per_session = \"1 KiB\"",
    ] {
        let origin = origin::simple();
        let limits = format!("[limits]\n{limit}");
        let gateway = gateway::record(&origin).section(&limits).start();
        let client = client::http1(&gateway);
        let send = |number: u64| {
            let token = format!("Bearer tok-{number}-{}", "9f8e7d".repeat(70));
            let ask = client.ask("GET", "/hello");
            assert_eq!(ask.header("authorization", &token).send().status, 200);
        };
        (0..20).for_each(send);
        let passwords: Vec<_> = (0..4)
            .map(|number| format!("{{\"password\": \"pw-{number}-{}\"}}", "7a6b5c".repeat(70)))
            .collect();
        // One exchange with more secrets than the session remembers.
        let body = format!("[{}]", passwords.join(", "));
        client.post("/hello", "application/json", &body);
        (20..40).for_each(send);
        let folder = Arc::clone(&gateway.folder);
        let report = gateway.finish();
        assert_eq!((report.recorded, report.passed), (40, false), "{report:#?}");
        assert_eq!(
            report.counted(Defect::Secret)["guard.overflow"],
            1,
            "{report:#?}"
        );
        // Fingerprints are left of the others.
        assert_eq!(report.counted(Defect::Secret).len(), 1, "{report:#?}");
        let text = folder.text("default");
        assert!(
            !text.contains("9f8e7d") && !text.contains("7a6b5c"),
            "{limit}"
        );
    }
}

/// A JSON document with so many passwords.
fn passwords(session: usize, count: usize) -> String {
    let one = |number| format!("{{\"password\": \"pw-{session}-{number}-7a6b5c4d3e\"}}");
    let all: Vec<_> = (0..count).map(one).collect();
    format!("[{}]", all.join(", "))
}

#[test]
fn secrets_of_all_sessions_stay_within_their_memory() {
    let origin = origin::simple();
    let builder = gateway::record(&origin);
    let small = builder
        .clone()
        .section("[limits]\nsecret_memory = \"1 MiB\"");
    let gateway = small.start();
    let client = client::http1(&gateway);
    let post = |session: usize, count: usize| {
        let ask = client
            .ask("POST", "/hello")
            .header("ouli-session", &format!("s{session}"));
        let ask = ask.header("content-type", "application/json");
        assert_eq!(ask.body(passwords(session, count)).send().status, 200);
    };
    // All together they have several times the secrets that fit.
    (0..12).for_each(|session| post(session, 300));
    // One exchange has more by itself, and the next one is recorded.
    post(12, 6000);
    post(12, 10);
    let recorded = || gateway.session("s12").recorded;
    until("the exchange", || (recorded() == 1).then_some(()));
    gateway.folder.write_config(&builder.config());
    assert!(gateway.reload());
    post(12, 6000);
    until("the exchange", || (recorded() == 2).then_some(()));
    for session in 0..12 {
        let report = gateway.session(&format!("s{session}"));
        assert_eq!((report.recorded, report.passed), (1, true), "{report:?}");
    }
    let report = gateway.session("s12");
    assert_eq!(
        report.counted(Defect::Secret)["guard.overflow"],
        1,
        "{report:?}"
    );
}

/// The token that a login returns, and a text that repeats it where no rule looks.
const LOGIN: &str = r#"{"access_token": "c4n4ry-0f-a-login-77"}"#;
const REPEATED: &str = "your token was c4n4ry-0f-a-login-77, thank you";

/// Records a login, many other tokens, and exchanges that repeat the first token.
fn record_and_repeat(limits: &str) -> (SessionReport, String) {
    let origin = origin::simple();
    let limits = format!("[limits]\nsecrets_per_session = 2\n{limits}");
    let gateway = gateway::record(&origin).section(&limits).start();
    let client = client::http1(&gateway);
    let post = |body: &str| client.post("/echo", "text/plain", body);
    client.post("/echo", "application/json", LOGIN);
    for number in 0..40 {
        let token = format!("Bearer tok-{number}-9f8e7d6c5b4a");
        let ask = client.ask("GET", "/hello").header("authorization", &token);
        assert_eq!(ask.send().status, 200);
    }
    for text in [
        REPEATED,
        "in base64: YzRuNHJ5LTBmLWEtbG9naW4tNzc=",
        "no secret",
    ] {
        assert_eq!(post(text).text(), text);
    }
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    let text = folder.text("default");
    (report, text)
}

#[test]
fn exchanges_with_a_forgotten_secret_are_refused() {
    let (report, text) = record_and_repeat("");
    let secret = report.counted(Defect::Secret);
    assert_eq!((report.recorded, report.passed), (42, false), "{report:#?}");
    assert_eq!(secret, [("guard.forgotten-secret".to_owned(), 2)].into());
    assert!(!text.contains("c4n4ry") && !text.contains("YzRuNHJ5"));
    assert!(text.contains("no secret"));
}

#[test]
fn fingerprints_of_forgotten_secrets_are_dropped_beyond_their_limit() {
    let (report, _) = record_and_repeat("secret_fingerprint_bytes_per_session = \"1 KiB\"");
    let secret = report.counted(Defect::Secret);
    assert_eq!((report.recorded, report.passed), (44, false), "{report:#?}");
    // The verdict tells of those that can be in the cassette in clear.
    assert!(secret["guard.forgotten-secrets"] > 30, "{report:#?}");
}
