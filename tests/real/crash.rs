//! Kills and faults at selected system calls with strace, and long runs of the crash tests.

use std::path::Path;
use std::time::Duration;

use crate::tools;
use storm::{Storm, at};

#[path = "../crash/disk.rs"]
mod disk;
#[path = "../crash/storm.rs"]
mod storm;

/// The system calls of a recording.
const CALLS: [&str; 11] = [
    "openat",
    "newfstatat",
    "fchmod",
    "flock",
    "renameat",
    "write",
    "ftruncate",
    "fsync",
    "fdatasync",
    "mkdirat",
    "unlinkat",
];

/// The arguments of strace that inject `change` into each `call` on the cassettes.
fn strace(cassettes: &Path, call: &str, change: &str) -> Vec<String> {
    tools::system("strace");
    let mut arguments = ["strace", "-D", "-f", "-qqq", "-o", "/dev/null"]
        .map(str::to_owned)
        .to_vec();
    let names = ["default.jsons", "default.bodies"];
    let more = [".torn", ".previous", ".incomplete", ".recording"]
        .map(|end| format!("default.jsons{end}"));
    for name in names.into_iter().chain(more.iter().map(String::as_str)) {
        let path = cassettes.join(name).display().to_string();
        arguments.extend(["-P".to_owned(), name.to_owned(), "-P".to_owned(), path]);
    }
    arguments.extend(["-P".to_owned(), cassettes.display().to_string()]);
    arguments.extend(["-e".to_owned(), format!("trace={call}")]);
    arguments.extend(["-e".to_owned(), format!("inject={call}:{change}")]);
    arguments
}

/// Runs a gateway with requests and kills it at the given call; false if it ended before that call.
fn is_killed(storm: &Storm, mode: &str, (call, when): (&str, usize)) -> bool {
    let change = format!("signal=SIGKILL:when={when}");
    let starter = strace(&storm.folder.cassettes(), call, &change);
    let starter: Vec<_> = starter.iter().map(String::as_str).collect();
    let mut process = storm.start(mode, "always", &starter);
    let Some(address) = process.try_address() else {
        return true;
    };
    let client = at(address);
    for _ in 0..4 {
        if mode == "auto" && storm.ask_twice(&client).is_err() {
            break;
        }
        if mode == "record" && client.ask("GET", &storm.target()).try_send().is_err() {
            break;
        }
    }
    if process.is_running() {
        process.signal("TERM");
    }
    process.ended().status.is_none()
}

#[test]
#[ignore = "needs strace"]
fn a_kill_at_any_system_call_keeps_acknowledged_exchanges() {
    let mut kills = 0;
    for call in CALLS {
        let mut dice = storm::Dice::new(1);
        let storm = Storm::new();
        assert!(!is_killed(&storm, "auto", (call, 10_000)));
        for when in 1..60 {
            // A torn end, so that setting it aside is also interrupted.
            let torn = storm.tear(&mut dice);
            let killed = is_killed(&storm, "auto", (call, when));
            let what = format!("{call} {when}");
            let text = |path: &Path| std::fs::read(path).unwrap_or_default();
            let path = storm.folder.cassette("default");
            let aside = text(&path.with_extension("jsons.torn"));
            let is_kept = aside.ends_with(&torn) || text(&path).ends_with(&torn);
            assert!(is_kept, "{what}: the torn end is lost");
            storm.check(&what);
            if !killed {
                break;
            }
            kills += 1;
            // The next round starts without a torn end.
            assert!(!is_killed(&storm, "auto", (call, 10_000)));
            storm.check(&what);
        }
    }
    // The number of calls depends on how exchanges are grouped into writes.
    println!("{kills} kills");
    assert!(kills > 20, "only {kills} kills");
}

#[test]
#[ignore = "needs strace"]
fn a_kill_at_any_system_call_of_a_rotation_keeps_the_old_cassette() {
    let mut kills = 0;
    for call in CALLS {
        let storm = Storm::new();
        assert!(!is_killed(&storm, "record", (call, 10_000)));
        let mut complete = std::fs::read(storm.folder.cassette("default")).unwrap();
        for when in 1..60 {
            let killed = is_killed(&storm, "record", (call, when));
            complete = storm.check_complete(complete, &format!("{call} {when}"));
            if !killed {
                break;
            }
            kills += 1;
        }
    }
    // The number of calls depends on how exchanges are grouped into writes.
    println!("{kills} kills");
    assert!(kills > 20, "only {kills} kills");
}

#[test]
#[ignore = "needs strace"]
fn a_disk_that_fails_for_a_while_loses_nothing_acknowledged() {
    for (call, error) in [
        ("write", "EIO"),
        ("write", "ENOSPC"),
        ("write", "EDQUOT"),
        ("openat", "EIO"),
        ("openat", "EMFILE"),
        ("fdatasync", "EIO"),
        ("fdatasync", "ENOSPC"),
        ("fsync", "EIO"),
        ("ftruncate", "EIO"),
        ("renameat", "EIO"),
    ] {
        for fsync in ["always", "20ms", "close"] {
            let storm = Storm::new();
            assert!(!is_killed(&storm, "auto", (call, 10_000)));
            let what = format!("{call} {error}, fsync {fsync}");
            let change = format!("error={error}:when=4..9");
            let starter = strace(&storm.folder.cassettes(), call, &change);
            let starter: Vec<_> = starter.iter().map(String::as_str).collect();
            let mut process = storm.start("auto", fsync, &starter);
            let client = at(process.address());
            let mut asked = 0;
            // Continues until recording works again after the errors.
            crate::support::within(Duration::from_secs(60), &what, || {
                asked += 1;
                let again = storm.ask_twice(&client).unwrap();
                (again && asked > 25).then_some(())
            });
            let ended = process.stop();
            assert_eq!(ended.status, Some(0), "{what}: {}", ended.stderr);
            let refused = ended.stderr.contains("not recorded: ");
            let unsure = ended
                .stderr
                .contains("written, but not confirmed by the disk");
            let failed = ended.stderr.contains("session default: failed");
            assert_eq!(failed, refused || unsure, "{what}: {}", ended.stderr);
            let expected = match (call, fsync) {
                ("fdatasync", "always") | ("write", _) => refused,
                ("fdatasync", "20ms") => unsure,
                _ => true,
            };
            assert!(expected, "{what}: nothing failed\n{}", ended.stderr);
            assert!(storm.check(&what).torn_tail.is_none(), "{what}");
        }
    }
}

#[test]
#[ignore = "takes some minutes"]
fn hundreds_of_kills_lose_nothing_acknowledged() {
    for seed in 1..=4 {
        println!("{:?}", storm::auto(seed, 100));
        println!("{:?}", storm::record(seed, 100));
    }
}

#[test]
#[ignore = "takes a minute"]
fn a_disk_that_is_full_for_a_minute_stops_recording_and_nothing_else() {
    assert!(
        disk::full(Duration::from_secs(60)),
        "file systems cannot be mounted here"
    );
}
