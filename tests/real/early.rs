//! Clients that close a response unread, and servers that respond before they have read the
//! request: each exchange is recorded and replayed to the same client.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::process::{Gateway, Upstream};
use crate::tools;

const COUNT: usize = 200;

/// The statuses that the client received.
fn post(gateway: &Gateway, path: &str) -> Vec<u16> {
    let mut client = tools::script("early/with_urllib.py");
    client.arg(format!("{}{path}", gateway.url));
    let output = client.arg(COUNT.to_string()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let statuses = String::from_utf8(output.stdout).unwrap();
    statuses.lines().map(|line| line.parse().unwrap()).collect()
}

fn start(mode: &[&str], folder: &Path) -> Gateway {
    let arguments = [mode, &["--report", "report.json", "--strict"]].concat();
    Gateway::start(
        &arguments,
        &folder.join("cassettes"),
        folder.join("gateway.log"),
    )
}

/// Stops the gateway and returns the report on the default session.
fn finish(gateway: Gateway, folder: &Path) -> Value {
    let (said, status) = gateway.stop();
    assert!(status.success(), "{said}");
    let report = fs::read(folder.join("report.json")).unwrap();
    let mut report: Value = serde_json::from_slice(&report).unwrap();
    report["sessions"][0].take()
}

#[test]
#[ignore = "needs Python: .ci/run"]
fn every_answer_to_urllib_is_recorded() {
    for (origin, path, expected) in [
        ("early/with_fastapi.py", "/nothing-here", 404),
        ("early/with_fastapi.py", "/parts", 200),
        ("early/with_flask.py", "/unread", 401),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let upstream = Upstream::script(origin, folder);
        let url = format!("http://{}", upstream.address);
        let gateway = start(&["record", "--upstream", &url], folder);
        let live = post(&gateway, path);
        assert_eq!(live, vec![expected; COUNT], "{origin} {path}");
        let report = finish(gateway, folder);
        assert_eq!(report["recorded"], COUNT, "{origin} {path} {report:#}");
        assert_eq!(report["defects"], serde_json::json!({}), "{origin} {path}");
        upstream.stop();
        let gateway = start(&["replay"], folder);
        assert_eq!(post(&gateway, path), live, "{origin} {path}");
        let report = finish(gateway, folder);
        assert_eq!(report["hits"], COUNT, "{origin} {path} {report:#}");
    }
}
