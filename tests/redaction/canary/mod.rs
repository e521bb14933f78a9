//! A secret in every position of the default rules: no file and no output of the program contains
//! one.

mod cases;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::binary::{Ended, program};
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::origin::{self, Origin};
use cases::{Case, Filled};

/// The filled response of each case, by its number.
type Replies = Arc<Mutex<Vec<Filled>>>;

#[test]
fn no_secret_is_written_and_other_secrets_replay() {
    let cases = cases::all();
    let folder = Folder::new();
    let mut secrets = BTreeSet::new();
    let replies = Replies::default();
    let origin = origin_of(&replies);
    let recorded = run(&folder, &origin, "record", &cases, &replies, &mut secrets);
    assert_eq!(recorded.status, Some(0), "{}", recorded.stderr);
    assert_eq!(report(&folder)["recorded"], cases.len());
    let hidden = secrets.len();
    assert!(
        hidden > cases.len(),
        "{hidden} secrets in {} cases",
        cases.len()
    );
    search(&folder, &recorded, &secrets);
    let asked = origin.seen().len();
    // The secrets differ from the recorded ones.
    let replayed = run(&folder, &origin, "replay", &cases, &replies, &mut secrets);
    assert_eq!(
        origin.seen().len(),
        asked,
        "replay sent a request to the origin"
    );
    let report = report(&folder);
    assert_eq!(report["misses"], 0, "{}", replayed.stderr);
    assert_eq!(report["hits"], cases.len());
    search(&folder, &replayed, &secrets);
}

fn origin_of(replies: &Replies) -> Origin {
    let replies = Arc::clone(replies);
    let answer = move |seen: &origin::Seen| {
        let number = seen.target.split(['/', '?']).nth(2).unwrap();
        replies.lock().unwrap()[number.parse::<usize>().unwrap()].reply()
    };
    origin::new().route("/case*", answer).start()
}

/// Sends all cases, filled with new secrets, through the program in one mode.
fn run(
    folder: &Folder,
    origin: &Origin,
    mode: &str,
    cases: &[Case],
    replies: &Replies,
    secrets: &mut BTreeSet<String>,
) -> Ended {
    let filled: Vec<_> = cases.iter().map(|case| case.fill(secrets)).collect();
    *replies.lock().unwrap() = filled.clone();
    let url = origin.url();
    let arguments = [
        mode,
        "--upstream",
        &url,
        "--listen",
        "127.0.0.1:0",
        "--report",
        "report.json",
    ];
    let mut process = program(folder, &arguments).start();
    let client = client::at(process.address(), http::Version::HTTP_11);
    for (number, filled) in filled.iter().enumerate() {
        let answer = filled.ask(&client, number).send();
        assert_eq!(
            answer.status,
            200,
            "{mode} {}: {}",
            cases[number].name,
            shown(&answer.body)
        );
    }
    process.stop()
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn report(folder: &Folder) -> Value {
    let text = std::fs::read(folder.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&text).unwrap();
    report["sessions"][0].clone()
}

/// Searches all files of the folder and the output of the program for every encoding of every
/// secret.
fn search(folder: &Folder, ended: &Ended, secrets: &BTreeSet<String>) {
    let mut all = folder.files();
    assert!(all.iter().any(|(path, _)| path.ends_with("default.jsons")));
    all.push((
        Path::new("stdout").into(),
        ended.stdout.clone().into_bytes(),
    ));
    all.push((
        Path::new("stderr").into(),
        ended.stderr.clone().into_bytes(),
    ));
    for (path, bytes) in all {
        let text = shown(&bytes);
        for secret in secrets {
            for guise in guises(secret) {
                let found = text.find(&guise);
                assert!(
                    found.is_none(),
                    "{guise} (of {secret}) at {found:?} in {}",
                    path.display()
                );
            }
        }
    }
}

fn guises(secret: &str) -> Vec<String> {
    let percent = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC);
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut guises = vec![secret.to_owned(), percent.to_string(), hex];
    // Within a longer base64 text only complete groups belong to the secret alone.
    for before in 0..3 {
        let text = STANDARD.encode(["x".repeat(before).as_str(), secret].concat());
        let (first, last) = (
            if before == 0 { 0 } else { 4 },
            (before + secret.len()) / 3 * 4,
        );
        guises.push(text[first..last].to_owned());
    }
    guises
}
