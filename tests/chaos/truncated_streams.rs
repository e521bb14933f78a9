//! HTTP/2 responses that are incomplete but end without an error, and complete ones that end with
//! one.

use std::sync::Arc;

use ouli_config::Defect;

use super::failures::failure;
use super::http2_origin::{self, CONTENT_LENGTH, Frame};
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder, Running};

const SIZED: Frame = Frame::Head(&[(CONTENT_LENGTH, "10")], false);
const UNSIZED: Frame = Frame::Head(&[], false);

pub(super) fn over(frames: Vec<Frame>, mode: &'static str) -> Builder {
    let address = http2_origin::start(frames);
    gateway::over(&Arc::new(Folder::new()), mode).upstream(&format!("h2c://{address}"))
}

fn truncated() -> Vec<Vec<Frame>> {
    let part = |ends| Frame::Data(b"abc", ends);
    vec![
        vec![SIZED, part(false), Frame::Reset],
        vec![SIZED, part(false), Frame::GoAway],
        vec![SIZED, part(true)],
        vec![SIZED, part(false), Frame::Trailers],
        vec![SIZED, Frame::Reset],
        vec![UNSIZED, part(false), Frame::Reset],
        vec![UNSIZED, part(false), Frame::GoAway],
        vec![UNSIZED, Frame::Reset],
    ]
}

#[test]
fn a_response_without_its_end_is_not_recorded() {
    for frames in truncated() {
        for mode in ["record", "auto", "passthrough"] {
            let name = format!("{mode} {frames:?}");
            let gateway = over(frames.clone(), mode).start();
            for client in [client::http1(&gateway), client::http2(&gateway)] {
                let answer = client.ask("GET", "/").try_send();
                assert!(!answer.is_ok_and(|it| it.status == 200), "{name}");
            }
            let folder = Arc::clone(&gateway.folder);
            let verdict = gateway.stop();
            assert_eq!(verdict.passed, mode == "passthrough", "{verdict:?}");
            // A passthrough opens no session.
            for report in verdict.sessions {
                let lost: u64 = report.counted(Defect::Partial).values().sum();
                assert_eq!((report.recorded, lost), (0, 2), "{name} {report:?}");
            }
            assert!(folder.exchanges("default").is_empty(), "{name}");
        }
    }
}

#[test]
fn a_response_without_its_end_is_replayed_as_a_failure() {
    for frames in truncated() {
        let name = format!("{frames:?}");
        let gateway = over(frames, "record").set("record_failures = true").start();
        let live = client::http2(&gateway).ask("GET", "/").try_send();
        assert!(!live.is_ok_and(|it| it.status == 200), "{name}");
        let folder = Arc::clone(&gateway.folder);
        let report = gateway.finish();
        assert_eq!(
            (report.recorded, report.recorded_failures),
            (0, 1),
            "{name}"
        );
        let exchange = folder.exchanges("default").remove(0);
        assert!(!failure(&exchange).contains("left"), "{name} {exchange}");
        let replay = gateway::replay_repeating(&folder).start();
        for client in [client::http1(&replay), client::http2(&replay)] {
            let again = client.ask("GET", "/").try_send();
            assert!(!again.is_ok_and(|it| it.status == 200), "{name}");
        }
    }
}

#[test]
fn a_reset_after_a_complete_response_is_not_an_error() {
    let upload = "0123456789".repeat(100_000);
    for (frames, expected) in [
        (
            vec![SIZED, Frame::Data(b"0123456789", true), Frame::Reset],
            "0123456789",
        ),
        (
            vec![UNSIZED, Frame::Data(b"abc", true), Frame::Reset],
            "abc",
        ),
        (
            vec![
                UNSIZED,
                Frame::AwaitBody(10),
                Frame::Data(b"abc", true),
                Frame::Reset,
            ],
            "abc",
        ),
        // A body is also complete with the last byte of its content-length.
        (
            vec![SIZED, Frame::Data(b"0123456789", false), Frame::Reset],
            "0123456789",
        ),
    ] {
        for version in [client::http1, client::http2] {
            let name = format!("{frames:?}");
            let gateway = over(frames.clone(), "record").start();
            let send = |gateway: &Running| version(gateway).post("/up", "text/plain", &upload);
            assert_eq!(send(&gateway).text(), expected, "{name}");
            let folder = Arc::clone(&gateway.folder);
            let report = gateway.finish();
            assert_eq!(report.recorded, 1, "{name} {report:?}");
            assert!(
                report.counted(Defect::Partial).is_empty(),
                "{name} {report:?}"
            );
            let replay = gateway::replay_repeating(&folder).start();
            assert_eq!(send(&replay).text(), expected, "{name}");
            assert_eq!(replay.finish().hits, 1, "{name}");
        }
    }
}

#[test]
fn responses_without_a_body_are_complete() {
    let head = Frame::Head(&[(CONTENT_LENGTH, "10")], true);
    let gateway = over(vec![head], "record").start();
    let answer = client::http2(&gateway).ask("HEAD", "/").send();
    assert_eq!(
        (answer.status, answer.header("content-length")),
        (200, "10")
    );
    let folder = Arc::clone(&gateway.folder);
    assert_eq!(gateway.finish().recorded, 1);
    let replay = gateway::replay_repeating(&folder).start();
    let again = client::http2(&replay).ask("HEAD", "/").send();
    assert_eq!((again.status, again.header("content-length")), (200, "10"));
}
