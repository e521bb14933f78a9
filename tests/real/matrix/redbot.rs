//! REDbot, which checks resources for faults of HTTP with ranges, conditions and content codings:
//! a replay has no note that the server itself does not have.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::servers::Server;
use crate::process::Gateway;
use crate::tools;

/// Resources of each server.
const RESOURCES: [(Server, &[&str]); 2] = [
    (
        Server::Nginx,
        &[
            "/text.txt",
            "/gzip/text.txt",
            "/data.bin",
            "/expires/value.json",
            "/moved",
            "/missing",
        ],
    ),
    (
        Server::Node,
        &[
            "/fields",
            "/cookies",
            "/coded/gzip",
            "/forced/br",
            "/chunks/4",
            "/trailers/announced",
        ],
    ),
];

/// REDbot probes a resource with requests that differ in these fields only.
const CONFIG: &str = "[matcher]\nheaders = [\"accept-encoding\", \"if-modified-since\", \
                      \"if-none-match\", \"range\"]\n";

#[test]
#[ignore = "needs REDbot, nginx and Node: see .ci/run"]
fn redbot_has_no_new_note_on_a_replay() {
    for (server, paths) in RESOURCES {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("ouli.toml"), CONFIG).unwrap();
        let upstream = server.start(folder);
        let url = format!("http://{}", upstream.address);
        let direct = all_notes(&url, paths);
        let gateway = start(folder, &["record", "--upstream", &url]);
        let recorded = all_notes(&gateway.url, paths);
        upstream.stop();
        gateway.stop();
        let gateway = start(folder, &["replay", "--strict"]);
        let replayed = all_notes(&gateway.url, paths);
        let (log, status) = gateway.stop();
        for (at, path) in paths.iter().enumerate() {
            println!("{} {path}: {} notes", server.name(), direct[at].len());
            assert!(!direct[at].is_empty(), "{path}");
            for (name, notes) in [("recorded", &recorded[at]), ("replayed", &replayed[at])] {
                let new: Vec<_> = notes.difference(&direct[at]).collect();
                assert!(new.is_empty(), "{path} {name}: {new:?}\n{log}");
            }
        }
        assert!(status.success(), "{log}");
    }
}

fn start(folder: &Path, arguments: &[&str]) -> Gateway {
    let log = folder.join(format!("{}.log", arguments[0]));
    Gateway::start(arguments, &folder.join("cassettes"), log)
}

fn all_notes(url: &str, paths: &[&str]) -> Vec<BTreeSet<String>> {
    paths
        .iter()
        .map(|path| notes(&format!("{url}{path}")))
        .collect()
}

fn notes(url: &str) -> BTreeSet<String> {
    let mut script = tools::script("matrix/notes.py");
    let output = script.arg(url).stdin(Stdio::null()).output();
    let output = output.expect("it was looked for");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{url}: {stderr}");
    let notes: BTreeSet<String> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    // It is noted of a response that took longer than a second.
    let of_time = |note: &String| note.ends_with(" CURRENT_AGE");
    notes.into_iter().filter(|note| !of_time(note)).collect()
}
