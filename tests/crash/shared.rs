//! Several gateways that share a cassette folder.

use super::storm::{MARK, at};
use crate::support::binary::{Process, program};
use crate::support::folder::Folder;
use crate::support::origin::{self, Origin};
use crate::support::until;

fn start(folder: &Folder, origin: &Origin, arguments: &[&str]) -> Process {
    let url = origin.url();
    let all = [arguments, &["--listen", "127.0.0.1:0"]].concat();
    let upstream: &[&str] = match arguments[0] {
        "replay" => &[],
        _ => &["--upstream", &url],
    };
    program(folder, &[&all, upstream].concat()).start()
}

fn origin() -> Origin {
    let answer = |seen: &origin::Seen| origin::text(&seen.target);
    origin::new().route("/*", answer).start()
}

fn targets(folder: &Folder, session: &str) -> Vec<String> {
    let exchanges = folder.exchanges(session).into_iter();
    let targets = exchanges.map(|one| one["request"]["target"].as_str().unwrap().to_owned());
    targets.collect()
}

#[test]
fn a_second_recorder_of_a_session_is_refused_until_the_lock_is_free() {
    let (origin, folder) = (origin(), Folder::new());
    let mut first = start(&folder, &origin, &["auto"]);
    let client = at(first.address());
    client.get("/first");
    client.ask("POST", MARK).send();
    client.get("/first");
    for mode in ["auto", "record"] {
        let mut second = start(&folder, &origin, &[mode]);
        let client = at(second.address());
        let told = until("the log line of the first", || {
            let text = second.stderr();
            let line = text.lines().find(|line| line.contains("not recording yet"));
            line.map(str::to_owned)
        });
        for part in [
            "session default",
            "default.jsons is being written by another gateway",
            &format!("(process {})", first.id()),
            "stop that gateway, or choose another session (--session NAME)",
        ] {
            assert!(told.contains(part), "{part} not in: {told}");
        }
        assert_eq!(
            client.get("/second").text(),
            "/second",
            "it serves all the same"
        );
        let ended = second.stop();
        assert!(
            ended.stderr.contains("session default: failed"),
            "{}",
            ended.stderr
        );
        assert!(
            ended.stderr.contains("NOT RECORDED: 1 (not written: "),
            "{}",
            ended.stderr
        );
    }
    let mut second = start(&folder, &origin, &["auto"]);
    let client = at(second.address());
    assert_eq!(first.stop().status, Some(0));
    until("the second to record", || {
        client.get("/second");
        targets(&folder, "default")
            .contains(&"/second".to_owned())
            .then_some(())
    });
    assert_eq!(targets(&folder, "default")[0], "/first");
    second.stop();
}

#[test]
fn an_idle_recorder_keeps_its_cassette_and_changes_nothing() {
    let (origin, folder) = (origin(), Folder::new());
    let mut process = start(&folder, &origin, &["auto"]);
    at(process.address()).get("/kept");
    process.stop();
    let before = folder.files();
    let mut idle = start(&folder, &origin, &["record"]);
    idle.address();
    let mut other = start(&folder, &origin, &["auto"]);
    other.address();
    assert!(
        other
            .stderr()
            .contains("session default: not recording yet"),
        "{}",
        other.stderr()
    );
    other.stop();
    idle.stop();
    assert_eq!(folder.files(), before);
}

#[test]
fn recorders_of_other_sessions_and_replays_share_a_folder() {
    let (origin, folder) = (origin(), Folder::new());
    let mut recorders = ["one", "two"].map(|session| {
        let mut process = start(&folder, &origin, &["auto", "--session", session]);
        let client = at(process.address());
        client.get(&format!("/{session}"));
        until("the exchange", || {
            (targets(&folder, session).len() == 1).then_some(())
        });
        process
    });
    let mut replay = start(&folder, &origin, &["replay", "--session", "one"]);
    let client = at(replay.address());
    assert_eq!(client.get("/one").text(), "/one");
    assert_eq!(client.get("/two").header("ouli-error"), "miss");
    let ended = replay.stop();
    assert!(
        !ended.stderr.contains("another gateway"),
        "{}",
        ended.stderr
    );
    for process in &mut recorders {
        assert!(process.is_running());
        assert!(
            !process.stderr().contains("another gateway"),
            "{}",
            process.stderr()
        );
    }
    for (process, session) in recorders.into_iter().zip(["one", "two"]) {
        assert_eq!(process.stop().status, Some(0));
        assert_eq!(targets(&folder, session), [format!("/{session}")]);
    }
}
