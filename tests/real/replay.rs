//! Every client gets the recorded responses at replay.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::client::{Client, Seen, Task};
use crate::process::{Gateway, Upstream};
use crate::secrets::Secrets;
use crate::{compare, files, requests};

#[test]
#[ignore = "needs httpbin, httpx and node: see .ci/run"]
fn clients_see_the_same_without_the_upstream() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (secrets, others) = (Secrets::while_recording(), Secrets::others());
    let recorded = record(folder, &secrets);
    let (again, verdict) = replay(folder, &secrets, "replay");
    let (with_others, other_verdict) = replay(folder, &others, "others");

    let mut table = String::from("client       requests  as recorded  with other secrets\n");
    let mut faults = Vec::new();
    for (at, client) in Client::ALL.into_iter().enumerate() {
        let same = differing(&recorded[at], &again[at], &secrets, "");
        let hit = differing(&again[at], &with_others[at], &others, "other secrets, ");
        let (name, count) = (client.name(), recorded[at].len());
        let (same_count, hit_count) = (count - same.len(), count - hit.len());
        writeln!(
            table,
            "{name:<12} {count:>8} {same_count:>12} {hit_count:>19}"
        )
        .unwrap();
        let named = |fault| format!("{name}: {fault}");
        faults.extend(same.into_iter().chain(hit).map(named));
        assert!(count >= 40, "{name}: only {count} requests");
    }
    println!("\n{table}");
    faults.extend(verdict.into_iter().chain(other_verdict));
    let faults = faults.join("\n");
    assert!(
        faults.is_empty(),
        "differences at replay:\n{faults}\n\n{table}"
    );
    assert_no_byte_of(&secrets, folder);
    assert_no_byte_of(&others, folder);
}

/// Runs all clients in order, each in its own session.
fn record(folder: &Path, secrets: &Secrets) -> Vec<Vec<Seen>> {
    let upstream = Upstream::start(folder);
    let url = format!("http://{}", upstream.address);
    let log = folder.join("record.log");
    let gateway = Gateway::start(
        &["record", "--upstream", &url],
        &folder.join("cassettes"),
        log,
    );
    let seen = all(&gateway, folder, secrets);
    upstream.stop();
    let (said, status) = gateway.stop();
    assert!(status.success(), "{status}\n{said}");
    seen
}

/// Replays all clients; returns their responses, and the fault of the verdict: each exchange must
/// be used and no request may miss.
fn replay(folder: &Path, secrets: &Secrets, name: &str) -> (Vec<Vec<Seen>>, Option<String>) {
    let report = folder.join(format!("{name}.json"));
    let arguments = ["replay", "--strict", "--report", report.to_str().unwrap()];
    let log = folder.join(format!("{name}.log"));
    let gateway = Gateway::start(&arguments, &folder.join("cassettes"), log);
    let seen = all(&gateway, folder, secrets);
    let (said, status) = gateway.stop();
    let verdict: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let sessions = verdict["sessions"].as_array().unwrap();
    let session = |client: &Client| sessions.iter().find(|one| one["session"] == client.name());
    // A client may send additional requests: the response to a challenge is one.
    let all_used = Client::ALL.iter().all(|client| {
        session(client).is_some_and(|one| {
            one["hits"] == one["exchanges"] && one["misses"] == 0 && one["unused"] == json!([])
        })
    });
    let wrong = !(all_used && status.success());
    (
        seen,
        wrong.then(|| format!("{name} ended with {status}:\n{said}\n{verdict:#}")),
    )
}

fn all(gateway: &Gateway, folder: &Path, secrets: &Secrets) -> Vec<Vec<Seen>> {
    let requests = requests::all(secrets);
    let send = |client: Client| {
        let requests = requests.iter().filter(|request| client.can_send(request));
        let requests: Vec<_> = requests.cloned().collect();
        client.send(&Task {
            base: &gateway.url,
            session: client.name(),
            requests: &requests,
            folder,
        })
    };
    Client::ALL.into_iter().map(send).collect()
}

/// One text for each response that differs.
fn differing(one: &[Seen], other: &[Seen], secrets: &Secrets, when: &str) -> Vec<String> {
    let pairs = one.iter().zip(other);
    let told = pairs.filter_map(|(one, other)| {
        let lines = compare::differences(one, other, secrets);
        let shown = compare::shows_any(other, secrets).then(|| "a secret is replayed".to_owned());
        let lines: Vec<_> = lines.into_iter().chain(shown).collect();
        (!lines.is_empty()).then(|| format!("{when}{}", lines.join("\n  ")))
    });
    told.collect()
}

/// No cassette or log may contain a secret; the files of curl from the recording may.
fn assert_no_byte_of(secrets: &Secrets, folder: &Path) {
    let mut files = vec![folder.join("record.log"), folder.join("replay.log")];
    files.extend([folder.join("others.log"), folder.join("replay.json")]);
    files.extend(files::below(&folder.join("cassettes")));
    assert!(files.len() > Client::ALL.len(), "{files:?}");
    for file in files {
        let bytes = fs::read(&file).unwrap();
        assert!(!secrets.are_in(&bytes), "a secret in {}", file.display());
    }
}
