//! An exchange is replayed once it is sent, and what is worked on for one client holds up no other.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use ouli_config::Defect;

use super::early_responses::{record, recorded, upload};
use super::peers::{Do, origin, origins};
use crate::support::client::{self, Answer};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::plugins::fixture;
use crate::support::until;

const ONE: &[u8] = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 12\r\n\r\nthe first no";
const TWO: &[u8] = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 13\r\n\r\nthe second no";

/// The path of a stored body with this text.
fn stored(folder: &Folder, text: &str) -> PathBuf {
    let mut files = folder.files().into_iter();
    let found = files.find(|(_, bytes)| bytes == text.as_bytes());
    found.expect("the body is stored").0
}

/// Two exchanges for `ask`, whose bodies are stored: the first is replayed to the client that gets
/// it, not to the one for which it cannot be read.
fn first_is_not_lost(recording: Running, ask: impl Fn(&Running) -> Answer) {
    let (folder, _) = recorded(recording, 2);
    let replay = gateway::replay(&folder)
        .section("[limits]\ninline_body = 0")
        .start();
    let file = stored(&folder, "the first no");
    let away = folder.path().join("away");
    fs::rename(&file, &away).unwrap();
    let failed = ask(&replay);
    assert_eq!(failed.header("ouli-error"), "cassette", "{}", failed.text());
    fs::rename(&away, &file).unwrap();
    assert_eq!(ask(&replay).text(), "the first no");
    assert_eq!(ask(&replay).text(), "the second no");
    let report = replay.finish();
    assert_eq!(
        (report.hits, report.unused),
        (2, vec![]),
        "{:?}",
        report.defects
    );
}

fn recording(url: &str) -> Running {
    gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(url)
        .section("[limits]\ninline_body = 0")
        .start()
}

#[test]
fn an_exchange_that_cannot_be_read_is_replayed_later() {
    let origin = origins(vec![&[Do::Read, Do::Send(ONE)], &[Do::Read, Do::Send(TWO)]]);
    let gateway = recording(&origin.url());
    for _ in 0..2 {
        assert_eq!(client::http1(&gateway).get("/twice").status, 401);
    }
    first_is_not_lost(gateway, |replay| client::http1(replay).get("/twice"));
}

#[test]
fn an_early_answer_that_cannot_be_read_is_replayed_later() {
    let origin = origins(vec![
        &[Do::Read, Do::Send(ONE), Do::Stall],
        &[Do::Read, Do::Send(TWO), Do::Stall],
    ]);
    let gateway = recording(&origin.url());
    for number in 1..=2 {
        let mut client = upload(&gateway, "", 500_000, "some bytes");
        assert!(client.read_until(" no").ends_with(" no"));
        drop(client);
        until("the recording", || {
            (gateway.session("default").recorded == number).then_some(())
        });
    }
    first_is_not_lost(gateway, |replay| {
        let ask = client::http1(replay).ask("POST", "/up");
        ask.body("some bytes and more").send()
    });
}

#[test]
fn a_key_that_takes_long_while_an_upload_arrives_holds_up_no_other_client() {
    let origin = origin(&[Do::Read, Do::Send(ONE), Do::Stall]);
    let gateway = record(&origin);
    let json = "content-type: application/json\r\n";
    let part = |name: &str| format!("{{\"{name}\":1,\"d\":\"{}", "A".repeat(2000));
    let mut client = upload(&gateway, json, 500_000, &part("one"));
    assert!(client.read_until(" no").ends_with(" no"));
    drop(client);
    until("the recording", || {
        (gateway.session("default").recorded == 1).then_some(())
    });
    assert_eq!(client::http1(&gateway).get("/quick").status, 401);
    let (folder, _) = recorded(gateway, 2);
    // The matcher loops at a request with a member `loop`.
    let replay = gateway::replay(&folder)
        .plugin("own.wasm", &fixture("asked-matcher"))
        .section("[limits]\noffload_size = \"1 KiB\"\nmatcher_cpu_time = \"1s\"")
        .start_with(1);
    let held = upload(&replay, json, 500_000, &part("loop"));
    // Another client of the same thread, while the key is derived.
    let derives = || {
        replay
            .session("default")
            .counted(Defect::PluginError)
            .is_empty()
    };
    assert_eq!(client::http1(&replay).get("/quick").text(), "the first no");
    assert!(derives(), "it waited until the matcher was stopped");
    until("the end of the matcher", || (!derives()).then_some(()));
    drop(held);
}
