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

/// The status that a client received for the upload of a file. curl stops when the response comes,
/// at a byte that depends on the buffers of sockets; the others send the whole file.
fn upload(client: &str, url: &str, file: &Path) -> u16 {
    let mut command = match client {
        "curl" => {
            let mut curl = tools::system("curl");
            curl.args(["--silent", "--max-time", "30", "--noproxy", "*"]);
            curl.args(["--header", "expect:", "--write-out", "%{http_code}"]);
            curl.args(["--header", "content-type: application/json"]);
            curl.args(["--output", "/dev/null", "--data-binary"]);
            curl.arg(format!("@{}", file.display())).arg(url);
            curl
        }
        library => {
            let mut script = tools::script("early/upload.py");
            script.args([library, url]).arg(file);
            script
        }
    };
    let output = command.output().unwrap();
    let status = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    status.trim().parse().expect(&said)
}

#[test]
#[ignore = "needs Python and curl: .ci/run"]
fn uploads_that_the_upstream_does_not_read_are_recorded() {
    const COUNT: usize = 10;
    for client in ["curl", "urllib", "requests"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (file, other) = (folder.join("upload"), folder.join("other"));
        let data = "0123456789abcdef".repeat(200_000);
        fs::write(
            &file,
            format!("{{\"name\":\"report\",\"data\":\"{data}\"}}"),
        )
        .unwrap();
        fs::write(
            &other,
            format!("{{\"name\":\"report\",\"data\":\"x{data}\"}}"),
        )
        .unwrap();
        let upstream = Upstream::script("early/with_flask.py", folder);
        let url = format!("http://{}", upstream.address);
        let gateway = start(&["record", "--upstream", &url], folder);
        let send = |gateway: &Gateway| {
            let url = format!("{}/unread", gateway.url);
            let statuses = (0..COUNT).map(|_| upload(client, &url, &file));
            statuses.collect::<Vec<_>>()
        };
        assert_eq!(send(&gateway), [401; COUNT], "{client}");
        let report = finish(gateway, folder);
        assert_eq!(report["recorded"], COUNT, "{client} {report:#}");
        upstream.stop();
        let gateway = start(&["replay"], folder);
        assert_eq!(send(&gateway), [401; COUNT], "{client}");
        let report = finish(gateway, folder);
        assert_eq!(report["hits"], COUNT, "{client} {report:#}");
        let gateway = start(&["replay"], folder);
        let url = format!("{}/unread", gateway.url);
        assert_eq!(upload(client, &url, &other), 404, "{client}");
        let (said, status) = gateway.stop();
        assert!(!status.success(), "{said}");
    }
}
