//! gRPC calls that end without a status, or within a message.

use std::sync::Arc;

use ouli_config::Defect;

use super::http2_origin::{CONTENT_TYPE, Frame};
use super::truncated_streams::over;
use crate::support::client::{self, Answer};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::{origin, until};

const CALL: Frame = Frame::Head(&[(CONTENT_TYPE, "application/grpc")], false);

/// The empty message.
const MESSAGE: &[u8] = &[0; 5];

/// A message of three bytes, of which the last two are missing.
const PART: &[u8] = &[0, 0, 0, 0, 3, b'a'];

/// A call with this body.
fn call_with(gateway: &Running, body: &[u8]) -> Answer {
    let ask = client::http2(gateway).ask("POST", "/test.Door/Open");
    let ask = ask
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    ask.body(body).send()
}

fn call(gateway: &Running) -> Answer {
    call_with(gateway, MESSAGE)
}

fn status(answer: &Answer) -> &str {
    let trailers = answer.trailers.as_ref();
    let status = trailers.and_then(|it| it.get("grpc-status"));
    let status = status.or(answer.headers.get("grpc-status"));
    status.map_or("", |status| status.to_str().unwrap())
}

/// Waits until the only exchange is counted as partial, and checks that nothing is recorded.
fn assert_partial(gateway: Running, name: &str) {
    until("the recorder", || {
        let report = gateway.session("default");
        assert_eq!(
            (report.recorded, report.recorded_failures),
            (0, 0),
            "{name}"
        );
        (!report.counted(Defect::Partial).is_empty()).then_some(())
    });
    let folder = Arc::clone(&gateway.folder);
    let verdict = gateway.stop();
    assert!(!verdict.passed, "{name} {verdict:?}");
    assert!(folder.exchanges("default").is_empty(), "{name}");
}

fn without_status() -> Vec<Vec<Frame>> {
    let ends = |ends: &[Frame]| [&[CALL], ends].concat();
    vec![
        ends(&[Frame::Data(MESSAGE, true)]),
        ends(&[Frame::Data(MESSAGE, false), Frame::Reset]),
        ends(&[Frame::Data(MESSAGE, false), Frame::GoAway]),
        ends(&[Frame::Data(MESSAGE, false), Frame::Trailers]),
        vec![Frame::Head(&[(CONTENT_TYPE, "application/grpc")], true)],
    ]
}

#[test]
fn a_call_without_a_status_is_unavailable_and_not_recorded() {
    for frames in without_status() {
        for mode in ["passthrough", "record", "auto"] {
            let name = format!("{mode} {frames:?}");
            let gateway = over(frames.clone(), mode).start();
            if mode == "passthrough" {
                let ask = client::http1(&gateway).ask("POST", "/test.Door/Open");
                let ask = ask.header("content-type", "application/grpc");
                let broken = ask.body([0; 5]).try_send();
                assert!(broken.is_err(), "{name} {broken:?}");
            }
            let live = call(&gateway);
            assert_eq!(status(&live), "14", "{name} {live:?}");
            assert_eq!(live.body.is_empty(), frames.len() == 1, "{name}");
            if mode != "passthrough" {
                assert_partial(gateway, &name);
            }
        }
    }
}

/// Makes a call, whose failure is recorded and replayed with the same status and body.
fn replayed_failure(frames: Vec<Frame>, expected: &str) {
    let name = format!("{frames:?}");
    let gateway = over(frames, "record").set("record_failures = true").start();
    let live = call(&gateway);
    assert_eq!(status(&live), expected, "{name} {live:?}");
    until("the recording", || {
        (gateway.session("default").recorded_failures == 1).then_some(())
    });
    let folder = Arc::clone(&gateway.folder);
    assert_eq!(gateway.finish().recorded, 0, "{name}");
    let replay = gateway::replay_repeating(&folder).start();
    let again = call(&replay);
    assert_eq!(
        (status(&again), &again.body),
        (expected, &live.body),
        "{name} {again:?}"
    );
}

#[test]
fn a_call_without_a_status_is_replayed_as_a_failure() {
    for frames in without_status() {
        replayed_failure(frames, "14");
    }
}

#[test]
fn the_code_of_a_reset_decides_the_status() {
    const REFUSED_STREAM: u8 = 7;
    for (code, expected) in [
        (1, "13"),
        (2, "13"),
        (3, "13"),
        (REFUSED_STREAM, "14"),
        (8, "1"),
        (11, "8"),
        (12, "7"),
        (200, "2"),
    ] {
        let reset = Frame::ResetWith(code);
        replayed_failure(
            vec![CALL, Frame::Data(MESSAGE, false), reset.clone()],
            expected,
        );
        // A refused request is sent again.
        if code != REFUSED_STREAM {
            replayed_failure(vec![reset], expected);
        }
    }
}

#[test]
fn a_response_that_ends_within_a_message_is_not_recorded() {
    for (body, top) in [
        ([MESSAGE, PART].concat(), ""),
        ([MESSAGE, &PART[..3]].concat(), ""),
        (PART.to_vec(), "record_failures = true"),
    ] {
        for mode in ["record", "auto"] {
            let name = format!("{mode} {top} {body:?}");
            let data = Frame::Data(body.clone().leak(), false);
            let frames = vec![CALL, Frame::AwaitBody(5), data, Frame::Status("0")];
            let gateway = over(frames, mode).set(top).start();
            let live = call(&gateway);
            // The client gets what the upstream sends.
            assert_eq!((status(&live), &live.body[..]), ("0", &body[..]), "{name}");
            assert_partial(gateway, &name);
        }
    }
}

#[test]
fn a_request_that_ends_within_a_message_is_none_without_that_message() {
    let reply = |_: &origin::Seen| {
        let reply = origin::parts().header("content-type", "application/grpc");
        reply.part(MESSAGE).trailers(&[("grpc-status", "0")])
    };
    let origin = origin::new().route("/test.Door/*", reply).start();
    for whole in [MESSAGE, b""] {
        let broken = [whole, PART].concat();
        for mode in ["record", "auto"] {
            let gateway = gateway::over(&Arc::new(Folder::new()), mode);
            let gateway = gateway.upstream(&origin.h2c()).start();
            assert_eq!(status(&call_with(&gateway, &broken)), "0");
            assert_partial(gateway, mode);
        }

        let gateway = gateway::over(&Arc::new(Folder::new()), "record");
        let gateway = gateway.upstream(&origin.h2c()).start();
        assert_eq!(status(&call_with(&gateway, whole)), "0");
        let folder = Arc::clone(&gateway.folder);
        assert_eq!(gateway.finish().recorded, 1);
        let replay = gateway::replay_repeating(&folder).start();
        assert_eq!(status(&call_with(&replay, &broken)), "3");
        assert_eq!(status(&call_with(&replay, whole)), "0");
        let report = replay.finish();
        assert_eq!(report.hits, 1, "{report:?}");
        assert!(!report.passed, "{report:?}");
    }
}
