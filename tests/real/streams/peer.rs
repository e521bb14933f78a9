//! A client script: it gets an address and writes one JSON document with its results.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::secrets::Secrets;
use crate::tools;

/// The timeout of a client. It gives up earlier by itself and reports what it waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a script; its files are in `folder`, named after the session and this `run`.
pub(super) fn run(
    script: &str,
    url: &str,
    session: &str,
    secrets: &Secrets,
    folder: &Path,
    run: &str,
) -> Value {
    let path = |end: &str| folder.join(format!("{session}-{run}.{end}"));
    let (told, said) = (path("json"), path("txt"));
    let create = |path: &Path| File::create(path).expect("the folder of the test is writable");
    let mut command = tools::script(script);
    command.args([url, session, &secrets.to_json()]);
    command.stdout(create(&told)).stderr(create(&said));
    let child = command.spawn().expect("the program was found before");
    let status = wait(child);
    let said = fs::read_to_string(said).unwrap_or_default();
    let Some(status) = status else {
        panic!("{script}, {run}: no exit\n{said}");
    };
    assert!(status.success(), "{script}, {run}: {status}\n{said}");
    let told = fs::read(told).unwrap_or_default();
    serde_json::from_slice(&told).unwrap_or_else(|error| panic!("{script}, {run}: {error}\n{said}"))
}

fn wait(mut child: Child) -> Option<ExitStatus> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().expect("the process is a child") {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // The process may have exited already.
    let _ = child.kill();
    let _ = child.wait();
    None
}
