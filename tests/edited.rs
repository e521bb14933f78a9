//! Cassettes that another program changes while the gateway runs.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Version;

use crate::runs::{counting, recorded, texts};
use crate::support::binary::program;
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::until;

/// Replaces the text of a response in the cassette, as an editor does.
fn edit(folder: &Folder, from: &str, to: &str) {
    let text = folder.text("default");
    assert!(text.contains(from), "{text}");
    let beside = folder.cassettes().join("edited");
    fs::write(&beside, text.replace(from, to)).unwrap();
    fs::rename(beside, folder.cassette("default")).unwrap();
}

#[test]
fn an_edited_cassette_is_read_again() {
    let folder = recorded();
    let gateway = gateway::replay(&folder).start();
    let client = client::http1(&gateway);
    assert!(!gateway.reload(), "nothing has changed");
    assert_eq!(client.get("/next").text(), "/next 0");
    edit(&folder, "/other 2", "edited");
    assert!(gateway.reload());
    // The reload keeps the position in the sequence of responses.
    assert_eq!(texts(&client, &["/next", "/other"]), ["/next 1", "edited"]);
    assert!(!gateway.reload());
    let report = gateway.finish();
    assert_eq!((report.hits, report.edited), (3, vec![3]));
    assert!(report.unused.is_empty());
}

#[test]
fn a_watched_cassette_is_read_again_while_requests_run() {
    let folder = recorded();
    let gateway = gateway::replay(&folder).watched().start();
    let client = client::http1(&gateway);
    client.get("/other");
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let client = client::http1(&gateway);
                while !is_done.load(Ordering::SeqCst) {
                    let text = client.get("/other").text().to_owned();
                    assert!(["/other 2", "edited", "twice"].contains(&&*text), "{text}");
                }
            });
        }
        for (from, to) in [("/other 2", "edited"), ("edited", "twice")] {
            edit(&folder, from, to);
            until("the edited answer", || {
                (client.get("/other").text() == to).then_some(())
            });
        }
        is_done.store(true, Ordering::SeqCst);
    });
    assert_eq!(gateway.finish().misses, 0);
}

#[test]
fn a_broken_cassette_leaves_the_last_good_one_in_force() {
    let folder = recorded();
    folder.write_config(
        "mode = \"replay\"\n[[endpoint]]\nlisten = \"127.0.0.1:0\"\nname = \"api\"\n",
    );
    let mut process = program(&folder, &[]).start();
    let client = client::at(process.address(), Version::HTTP_11);
    assert_eq!(client.get("/other").text(), "/other 2");
    let good = folder.text("default");
    let path = folder.cassette("default");
    let half = &good[..good.len() - 40];
    let conflict = good.replacen(
        "{\n  \"exchange\": 2",
        "<<<<<<< HEAD\n{\n  \"exchange\": 2",
        1,
    );
    for (broken, reason) in [
        (half, "EOF while parsing"),
        ("not a cassette", "not a cassette"),
        (&conflict, "conflict marker of git"),
    ] {
        fs::write(&path, broken).unwrap();
        until("the reason in the log", || {
            let log = process.stderr();
            let line = log
                .lines()
                .find(|line| line.contains("the cassette was changed: "));
            (line.is_some() && log.contains(reason)).then_some(())
        });
        assert_eq!(client.get("/other").text(), "/other 2");
    }
    fs::remove_file(&path).unwrap();
    until("the reason in the log", || {
        process
            .stderr()
            .contains("the cassette was removed")
            .then_some(())
    });
    assert_eq!(client.get("/next").text(), "/next 0");
    fs::write(&path, good.replace("/other 2", "mended")).unwrap();
    until("the corrected response", || {
        (client.get("/other").text() == "mended").then_some(())
    });
    let ended = process.stop();
    assert!(
        ended
            .stderr
            .contains("the last good version stays in force"),
        "{}",
        ended.stderr
    );
}

#[test]
fn the_gateway_does_not_reload_its_own_writes() {
    let origin = counting();
    let gateway = gateway::auto(&origin).start();
    let client = client::http1(&gateway);
    for number in 0..5 {
        assert_eq!(client.get("/job").text(), format!("/job {number}"));
        until("the exchange", || {
            let exchanges = gateway.folder.exchanges("default");
            (exchanges.len() == number + 1).then_some(())
        });
        assert!(!gateway.reload());
    }
    // Exchanges that another program adds are replayed; those that this run recorded are not.
    let text = gateway.folder.text("default");
    let added = text.split_once('\n').unwrap().1;
    let first = &added[..added.find("\n}\n").unwrap() + 3];
    let foreign = first
        .replace("\"exchange\": 1", "\"exchange\": 6")
        .replace("/job", "/foreign");
    edit(&gateway.folder, &text, &format!("{text}{foreign}"));
    assert!(gateway.reload());
    assert_eq!(client.get("/foreign").text(), "/foreign 0");
    assert_eq!(client.get("/job").text(), "/job 5");
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let exchanges = folder.exchanges("default");
    let ordinals: Vec<_> = exchanges
        .iter()
        .map(|one| one["exchange"].as_u64().unwrap())
        .collect();
    assert_eq!(ordinals, [1, 2, 3, 4, 5, 6, 7]);
}
