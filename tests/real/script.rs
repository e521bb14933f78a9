//! Client libraries, driven by scripts.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::client::{Protocol, Seen, Task};
use crate::tools;

/// Python's httpx.
pub(crate) fn httpx(protocol: Protocol, task: &Task<'_>) -> Vec<Seen> {
    let mut python = tools::python("python");
    python.arg(tools::file("clients/with_httpx.py"));
    run(python, protocol == Protocol::Http2, task)
}

/// Node's fetch.
pub(crate) fn fetch(task: &Task<'_>) -> Vec<Seen> {
    let mut node = tools::system("node");
    node.arg(tools::file("clients/with_fetch.mjs"));
    run(node, false, task)
}

fn run(mut script: Command, http2: bool, task: &Task<'_>) -> Vec<Seen> {
    let told = json!({
        "base": task.base,
        "session": task.session,
        "requests": task.requests,
        "http2": http2,
    });
    script
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = script.spawn().expect("the program was found before");
    let mut stdin = child.stdin.take().expect("it is piped");
    let written = stdin.write_all(told.to_string().as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the process is a child");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        written.is_ok() && output.status.success(),
        "session {}: {stderr}",
        task.session
    );
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}
