//! What client libraries return: the same from the server, while recording, and from the replay.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::process::{Gateway, Upstream};
use crate::tools;

fn returned(script: &str, url: &str) -> Value {
    let mut script_command = tools::script(script);
    let output = script_command.arg(url).stdin(Stdio::null()).output();
    let output = output.expect("it was looked for");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

/// Runs a script directly, recorded and replayed.
fn compare(script: &str, start: impl Fn(&Path) -> Upstream) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let cassettes = folder.join("cassettes");
    let gateway = |arguments: &[&str]| {
        let log = folder.join(format!("{}.log", arguments[0]));
        Gateway::start(arguments, &cassettes, log)
    };
    let finish = |gateway: Gateway| {
        let (log, status) = gateway.stop();
        assert!(status.success(), "{script}: {log}");
    };
    let upstream = start(folder);
    let direct = returned(script, &format!("http://{}", upstream.address));
    let url = format!("http://{}", upstream.address);
    let recording = gateway(&["record", "--strict", "--upstream", &url]);
    let recorded = returned(script, &recording.url);
    finish(recording);
    upstream.stop();
    let replay = gateway(&["replay", "--strict"]);
    let replayed = returned(script, &replay.url);
    finish(replay);
    for (sdk, value) in direct.as_object().expect("a script writes an object") {
        assert_eq!(&recorded[sdk], value, "{sdk}, recorded");
        assert_eq!(&replayed[sdk], value, "{sdk}, replayed");
    }
}

#[test]
#[ignore = "needs packages of Python: see .ci/run"]
fn return_the_same_in_python() {
    compare("sdks/calls.py", |folder| {
        Upstream::script("sdks/origin.py", folder)
    });
}

#[test]
#[ignore = "needs packages of Python and Node: see .ci/run"]
fn return_the_same_in_node() {
    compare("sdks/calls.mjs", |folder| {
        Upstream::script("sdks/origin.py", folder)
    });
}

#[test]
#[ignore = "needs boto3 and moto: see .ci/run"]
fn return_the_same_of_aws() {
    compare("sdks/aws.py", |folder| {
        let mut moto = tools::python("moto_server");
        moto.args(["--host", "127.0.0.1", "--port", "0"]);
        moto.stdout(Stdio::null());
        let log = folder.join("moto.log");
        Upstream::run(moto, "Running on http://", None, log)
    });
}
