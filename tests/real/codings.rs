//! Content codings with third-party clients: boto3 with the S3 of moto, and downloads whose digests
//! are checked with curl, requests and httpx.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::process::{Gateway, Upstream};
use crate::{files, tools};

/// Runs a script with a gateway; returns its output.
fn run(script: &str, gateway: &Gateway) -> Value {
    let mut python = tools::script(script);
    python.arg(&gateway.url).stdin(Stdio::null());
    let output = python.output().expect("the program was found before");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

/// Records the requests of `ask`, then replays them without the upstream; returns both results.
fn twice<T>(
    folder: &Path,
    upstream: Upstream,
    arguments: &[&str],
    ask: impl Fn(&Gateway) -> T,
) -> (T, T) {
    let url = format!("http://{}", upstream.address);
    let cassettes = folder.join("cassettes");
    let start = |mode: &str, further: &[&str]| {
        let all = [&[mode, "--strict"], arguments, further].concat();
        Gateway::start(&all, &cassettes, folder.join(format!("{mode}.log")))
    };
    let finish = |gateway: Gateway| {
        let (said, status) = gateway.stop();
        assert!(status.success(), "{said}");
    };
    let gateway = start("record", &["--upstream", &url]);
    let recorded = ask(&gateway);
    finish(gateway);
    upstream.stop();
    let gateway = start("replay", &[]);
    let replayed = ask(&gateway);
    finish(gateway);
    (recorded, replayed)
}

#[test]
#[ignore = "needs boto3 and moto: see .ci/run"]
fn boto3_uploads_and_downloads_are_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut moto = tools::python("moto_server");
    moto.args(["--host", "127.0.0.1", "--port", "0"]);
    moto.stdout(Stdio::null());
    let log = folder.join("moto.log");
    let moto = Upstream::run(moto, "Running on http://", None, log);
    let ask = |gateway: &Gateway| run("codings/buckets.py", gateway);
    let (recorded, replayed) = twice(folder, moto, &["--tls", "self-signed"], ask);
    assert_eq!(replayed, recorded);
    assert_eq!(recorded["large"]["length"], 11 << 20);
    // The SDK sent aws-chunked uploads; the cassette has their content.
    let cassette = std::fs::read_to_string(folder.join("cassettes/default.jsons")).unwrap();
    assert!(cassette.contains("[\"content-encoding\", \"aws-chunked\"]"));
    assert!(cassette.contains("\"greeting\": \"good morning\""));
    assert!(cassette.contains("[\"x-amz-checksum-crc32\", "));
    for file in files::below(&folder.join("cassettes")) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(memchr::memmem::find(&bytes, b"\r\n0\r\nx-amz-checksum").is_none());
    }
}

#[test]
#[ignore = "needs requests and httpx: see .ci/run"]
fn digests_of_downloads_are_those_of_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let origin = Upstream::script("codings/origin.py", folder);
    let ask = |gateway: &Gateway| run("codings/downloads.py", gateway);
    let (recorded, replayed) = twice(folder, origin, &[], ask);
    assert_eq!(replayed, recorded);
}

/// The body that curl writes.
fn curl(gateway: &Gateway, path: &str, arguments: &[&str]) -> Vec<u8> {
    drop(tools::system("curl"));
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--noproxy", "*"]);
    curl.args(["--max-time", "30"]);
    curl.args(arguments).arg(format!("{}{path}", gateway.url));
    let output = curl.output().expect("the program was found before");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{path} {arguments:?}: {stderr}");
    output.stdout
}

#[test]
#[ignore = "needs curl: see .ci/run"]
fn curl_without_compressed_gets_the_decoded_body() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let origin = Upstream::script("codings/origin.py", folder);
    let url = format!("http://{}", origin.address);
    let cassettes = folder.join("cassettes");
    let start =
        |arguments: &[&str], log: &str| Gateway::start(arguments, &cassettes, folder.join(log));
    let gateway = start(&["record", "--upstream", &url], "record.log");
    let document = curl(&gateway, "/document", &["--compressed"]);
    let archive = curl(&gateway, "/archive.tar.gz", &[]);
    gateway.stop();
    origin.stop();
    assert!(document.starts_with(b"{\"numbers\": ["));
    assert!(archive.starts_with(&[0x1f, 0x8b]));
    let gateway = start(&["replay", "--strict"], "replay.log");
    for protocol in ["--http1.1", "--http2-prior-knowledge"] {
        for (path, arguments, expected) in [
            ("/document", &[protocol][..], &document),
            ("/document", &[protocol, "--compressed"], &document),
            ("/archive.tar.gz", &[protocol], &archive),
            ("/archive.tar.gz", &[protocol, "--compressed"], &document),
        ] {
            let body = curl(&gateway, path, arguments);
            assert_eq!(body.len(), expected.len(), "{path} {arguments:?}");
            assert!(body == *expected, "{path} {arguments:?}");
        }
    }
    let (said, status) = gateway.stop();
    assert!(status.success(), "{said}");
}
