//! Attacks on recordings: decompression bombs, session names, a kill, a full disk, truncated
//! bodies.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::harness::{Harness, folder};
use super::{Outcome, honest, none_wrong, origin};

/// The duration of an attack.
const LONG: Duration = Duration::from_secs(4);

fn get(target: &str, fields: &str) -> Vec<u8> {
    let head = format!("GET {target} HTTP/1.1\r\nhost: x\r\n{fields}connection: close\r\n\r\n");
    head.into_bytes()
}

/// The targets in the cassettes of a folder.
fn recorded(folder: &Path) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder.join("cassettes")).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_some_and(|end| end == "jsons") {
            let text = fs::read_to_string(path).unwrap();
            let values = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
            let exchanges = values.map_while(Result::ok).filter_map(|value| {
                let target = value["request"]["target"].as_str()?.to_owned();
                Some((target, value["response"]["status"].as_u64().unwrap_or(0)))
            });
            all.extend(exchanges);
        }
    }
    all
}

pub(super) fn bombs() -> Outcome {
    let harness = Harness::recording(origin::start(), "");
    // The origin builds its bombs before the measurement.
    drop(honest::ask(harness.address, &get("/gzip", "")));
    let targets = ["/gzip?1", "/br?1", "/zstd?1", "/nested?1"];
    let (measured, faults) = harness.under(|| {
        let passed = |target: &&&str| {
            let answer = honest::ask(
                harness.address,
                &get(target, "accept-encoding: gzip, br, zstd\r\n"),
            );
            !answer.is_ok_and(|(status, _, body)| status == 200 && !body.is_empty())
        };
        let faults: Vec<_> = targets
            .iter()
            .filter(passed)
            .map(|target| format!("{target} is not forwarded"))
            .collect();
        std::thread::sleep(LONG);
        faults
    });
    let (_, folder) = harness.stop();
    let kept = recorded(folder.path());
    let kept = kept
        .iter()
        .filter(|(target, _)| targets.contains(&target.as_str()));
    let kept = kept.map(|(target, _)| format!("{target} is recorded"));
    let faults: Vec<_> = faults.into_iter().chain(kept).collect();
    (
        measured,
        none_wrong("4 of 256 MiB each pass, none is kept".to_owned(), &faults),
    )
}

/// Invalid session names, including ones that lead out of the folder.
#[rustfmt::skip]
const NAMES: [&str; 19] = [
    "../outside", "..", ".", "a/../../outside", "/etc/passwd", "%2e%2e%2foutside", "..%2foutside",
    "%252e%252e%252foutside", "..\\outside", "a\tb", "linked", "pipe", "con", "A", "a", "-x",
    "\u{e9}", "a%00b", "default.bodies",
];

pub(super) fn names() -> Outcome {
    let workspace = folder("");
    let outside = workspace.path().join("outside");
    fs::write(&outside, "untouched").unwrap();
    let cassettes = workspace.path().join("cassettes");
    fs::create_dir(&cassettes).unwrap();
    symlink(&outside, cassettes.join("linked.jsons")).unwrap();
    let made = Command::new("mkfifo")
        .arg(cassettes.join("pipe.jsons"))
        .status();
    assert!(made.unwrap().success());
    let harness = Harness::start("record", Some(origin::start()), workspace);
    let long = "a".repeat(4096);
    let names: Vec<_> = NAMES.iter().copied().chain([long.as_str()]).collect();
    let (measured, ()) = harness.under(|| {
        let begin = Instant::now();
        while begin.elapsed() < LONG {
            for name in &names {
                let fields = format!("ouli-session: {name}\r\n");
                let _ = honest::ask(harness.address, &get("/x", &fields));
            }
        }
    });
    let (_, folder) = harness.stop();
    let mut faults = Vec::new();
    if fs::read(folder.path().join("outside")).unwrap() != b"untouched" {
        faults.push("a file outside of the folder was written".to_owned());
    }
    let known = BTreeSet::from(["cassettes", "outside", "ouli.toml"].map(String::from));
    let there = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let there: BTreeSet<_> = there
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    faults.extend(
        there
            .difference(&known)
            .map(|name| format!("unexpected file {name} in the cassettes folder")),
    );
    for entry in fs::read_dir(folder.path().join("cassettes")).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        if metadata.is_file() && metadata.mode() & 0o077 != 0 {
            faults.push(format!("{:?} is readable for others", entry.file_name()));
        }
    }
    let word = format!("{} names, nothing outside of the folder", names.len());
    (measured, none_wrong(word, &faults))
}

pub(super) fn killed() -> Outcome {
    let mount = "mkdir cassettes && mount -t tmpfs -o size=256k none cassettes && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args([
        "-rm",
        "sh",
        "-c",
        mount,
        "sh",
        env!("CARGO_BIN_EXE_ouli-gateway"),
    ]);
    let workspace = folder("");
    // With `strict` the exit status reports the verdict.
    fs::write(workspace.path().join("ouli.toml"), "strict = true\n").unwrap();
    let harness = Harness::run(command, "record", Some(origin::start()), workspace);
    let (measured, ()) = harness.under(|| std::thread::sleep(LONG));
    // The full disk is unmounted when the process exits, so it is copied first.
    let full = folder("");
    let mut copy = Command::new("cp");
    copy.arg("-r")
        .arg(harness.inside("cassettes"))
        .arg(full.path());
    assert!(
        copy.status().unwrap().success(),
        "the full disk cannot be read"
    );
    let (status, _) = harness.stop();
    let mut faults = Vec::new();
    if status.success() {
        faults.push("the exit status hides missing exchanges".to_owned());
    }
    let harness = Harness::recording(origin::start(), "");
    let (second, ()) = harness.under(|| std::thread::sleep(LONG));
    harness.signal("KILL");
    let (_, killed) = harness.ended();
    let mut counts = Vec::new();
    for (name, folder) in [("a full disk", full), ("a kill", killed)] {
        let before = recorded(folder.path()).len();
        let again = Harness::start("replay", None, folder);
        let (replayed, ()) = again.under(|| ());
        if before == 0 || replayed.failed > 0 {
            let failed = replayed.failed;
            faults.push(format!(
                "after {name}: {before} exchanges left, {failed} requests failed"
            ));
        }
        counts.push(before);
    }
    let word = format!("{counts:?} exchanges are replayed");
    let failed = measured.failed + second.failed;
    let measured = super::Measured { failed, ..measured };
    (measured, none_wrong(word, &faults))
}

pub(super) fn chaos() -> Outcome {
    let limits = "response_header_timeout = \"1s\"";
    let harness = Harness::recording(origin::start(), limits);
    let faults = [
        "silent", "reset", "half", "short", "torn", "chunk", "garbage", "endless", "storm",
    ];
    let (measured, mut wrong) = harness.under(|| {
        let mut wrong = Vec::new();
        for round in 0..5 {
            for fault in faults {
                let answer = honest::ask(
                    harness.address,
                    &get(&format!("/chaos/{fault}?{round}"), ""),
                );
                // Without content-length, a closed connection looks like the end of the body.
                let is_whole = answer.as_ref().is_ok_and(|(status, head, _)| {
                    *status == 200 && head.contains("content-length:")
                });
                let is_told = answer.as_ref().is_ok_and(|(status, ..)| *status != 200);
                if is_whole || (is_told && !matches!(answer, Ok((502 | 504, ..)))) {
                    wrong.push(format!(
                        "{fault} becomes {:?}",
                        answer.map(|(status, ..)| status)
                    ));
                }
            }
        }
        wrong.dedup();
        wrong
    });
    let (_, folder) = harness.stop();
    let kept = recorded(folder.path())
        .into_iter()
        .filter(|(target, _)| target.starts_with("/chaos/"));
    wrong.extend(kept.map(|(target, status)| format!("{target} is recorded as {status}")));
    wrong.truncate(3);
    (
        measured,
        none_wrong("45 faults, each told, none recorded".to_owned(), &wrong),
    )
}
