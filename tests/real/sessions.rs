//! Many concurrent sessions are isolated, while recording and at replay.

use std::path::Path;
use std::thread;

use crate::client::{Client, Seen, Task};
use crate::compare;
use crate::process::{Gateway, Upstream};
use crate::requests::{self, Request};
use crate::secrets::Secrets;

const COUNT: usize = 20;

#[test]
#[ignore = "needs httpbin, httpx and node: see .ci/run"]
fn twenty_sessions_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let cassettes = folder.join("cassettes");
    let upstream = Upstream::start(folder);
    let url = format!("http://{}", upstream.address);
    let log = folder.join("record.log");
    let gateway = Gateway::start(&["record", "--upstream", &url], &cassettes, log);
    let recorded = all_at_once(&gateway, folder);
    upstream.stop();
    let (said, status) = gateway.stop();
    assert!(status.success(), "{said}");

    let gateway = Gateway::start(
        &["replay", "--strict"],
        &cassettes,
        folder.join("replay.log"),
    );
    let replayed = all_at_once(&gateway, folder);
    let (said, status) = gateway.stop();
    assert!(status.success(), "{said}");

    let secrets = Secrets::while_recording();
    let mut faults = Vec::new();
    for (at, (one, other)) in recorded.iter().zip(&replayed).enumerate() {
        for (one, other) in one.iter().zip(other) {
            let told = compare::differences(one, other, &secrets);
            faults.extend(
                told.into_iter()
                    .map(|line| format!("{}: {line}", session(at))),
            );
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_all_differ(&recorded);
    let requests = recorded.iter().map(Vec::len).sum::<usize>();
    println!("\n{COUNT} concurrent sessions, {requests} requests: all replayed");
}

fn all_at_once(gateway: &Gateway, folder: &Path) -> Vec<Vec<Seen>> {
    thread::scope(|scope| {
        let running: Vec<_> = (0..COUNT)
            .map(|at| scope.spawn(move || one(gateway, folder, at)))
            .collect();
        let joined = running.into_iter().map(|thread| thread.join().unwrap());
        joined.collect()
    })
}

fn one(gateway: &Gateway, folder: &Path, at: usize) -> Vec<Seen> {
    let client = Client::ALL[at % Client::ALL.len()];
    client.send(&Task {
        base: &gateway.url,
        session: &session(at),
        requests: &requests(at),
        folder,
    })
}

fn session(at: usize) -> String {
    format!("parallel-{at}")
}

/// Some requests that all sessions share and that have different responses, and some of this
/// session alone.
fn requests(at: usize) -> Vec<Request> {
    let mut all = Vec::new();
    for round in 0..4 {
        let own = format!("/anything/{}/{round}", session(at));
        all.push(requests::of(&format!("uuid {round}"), "/uuid".to_owned()));
        all.push(requests::of(&format!("own {round}"), own));
        let stream = format!("/stream-bytes/3000?seed={at}&chunk_size=500");
        all.push(requests::of(&format!("stream {round}"), stream));
    }
    all
}

/// httpbin returns a new value for each `/uuid`, so the response of another session would be
/// noticed.
fn assert_all_differ(recorded: &[Vec<Seen>]) {
    let seen = recorded.iter().flatten();
    let uuids = seen.filter(|seen| seen.name.starts_with("uuid"));
    let mut uuids: Vec<_> = uuids.map(|seen| &seen.body).collect();
    let all = uuids.len();
    uuids.sort();
    uuids.dedup();
    assert_eq!((all, uuids.len()), (4 * COUNT, 4 * COUNT));
}
