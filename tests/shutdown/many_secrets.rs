//! A stop while the recorder still makes many new secrets ready to be searched for.

use std::sync::Arc;

use crate::support::binary::program;
use crate::support::folder::Folder;
use crate::support::{client, gateway, origin};

/// A JSON document with so many tokens.
fn tokens(kind: &str, count: usize) -> String {
    let one = |number| format!("{{\"token\": \"{kind}-{number:06}-f0e1d2c3b4\"}}");
    let all: Vec<_> = (0..count).map(one).collect();
    format!("[{}]", all.join(", "))
}

#[test]
fn the_verdict_and_the_report_are_written_in_time() {
    let (folder, origin) = (Arc::new(Folder::new()), origin::simple());
    let limits = "[limits]\nshutdown_timeout = \"200ms\"";
    let builder = gateway::over(&folder, "record").upstream(&origin.url());
    folder.write_config(&builder.section(limits).config());
    let mut process = program(&folder, &["--report", "verdict.json"]).start();
    let client = client::at(process.address(), http::Version::HTTP_11);
    for kind in ["one", "two"] {
        let body = tokens(kind, 60_000);
        assert_eq!(client.post("/hello", "application/json", &body).status, 200);
    }
    let ended = process.stop();
    let log = &ended.stderr;
    assert!(log.contains("verdict: FAILED"), "{log}");
    let told = "NOT RECORDED: 2 (not written when the gateway stopped)";
    assert!(log.contains(told), "{log}");
    let report = std::fs::read_to_string(folder.path().join("verdict.json")).unwrap();
    assert!(
        report.contains("not written when the gateway stopped"),
        "{report}"
    );
}
