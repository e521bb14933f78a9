//! The writer's thread: order, rejections, syncing, and completions.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use super::super::worker::PANIC;
use super::{OPTIONS, request, writer_fixture};
use crate::test_exchanges::{cassette, sample, text};
use crate::{
    Completion, SubmitError, SyncPolicy, WriteError, WriteRequest, WriterOptions, body_digest,
};
use ouli_message::{Content, Exchange};

fn with_body(number: u64, body: &str) -> Exchange {
    let mut exchange = sample(number);
    exchange.response.body = text(body);
    exchange
}

#[test]
fn exchanges_are_written_in_order_under_every_policy() {
    let interval = SyncPolicy::Interval(Duration::from_millis(1));
    for sync in [SyncPolicy::EveryExchange, interval, SyncPolicy::Close] {
        let fixture = writer_fixture(WriterOptions { sync, ..OPTIONS });
        let outcomes: Vec<_> = (1..=20).map(|it| fixture.submit("x", sample(it))).collect();
        for (ordinal, outcome) in (1..).zip(outcomes) {
            assert_eq!(outcome.recv().unwrap().unwrap().place.number, ordinal);
        }
        fixture.writer.flush().unwrap();
        let all: Vec<_> = (1..=20).map(sample).collect();
        let expected = String::from_utf8(cassette(&all)).unwrap();
        let path = fixture.folder.session_path("x").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), expected);
        fixture.writer.close().unwrap();
    }
}

#[test]
fn more_sessions_than_max_open_are_written() {
    let fixture = writer_fixture(OPTIONS);
    for number in 1..=30 {
        fixture.submit(&format!("s{}", number % 5), sample(number));
    }
    fixture.writer.close().unwrap();
    for session in 0..5 {
        let loaded = fixture.load(&format!("s{session}"));
        let numbers = (1..=30).filter(|number| number % 5 == session);
        let expected: Vec<_> = numbers.map(sample).collect();
        assert!(loaded.exchanges.iter().map(|it| &it.exchange).eq(&expected));
    }
}

#[test]
fn a_panic_fails_what_was_staged_and_the_next_exchange_is_written() {
    let fixture = writer_fixture(OPTIONS);
    assert!(fixture.submit("x", sample(1)).recv().unwrap().is_ok());
    // The thread is held, so that the next two are one batch.
    let held = fixture.submit("other", with_body(2, "wait here"));
    let staged = fixture.submit("x", sample(3));
    let fatal = fixture.submit(PANIC, sample(4));
    fixture.check.release();
    for outcome in [held, staged, fatal] {
        let outcome = outcome.recv().unwrap();
        assert!(matches!(outcome, Err(WriteError::Failed)), "{outcome:?}");
    }
    let next = fixture.submit("x", sample(5)).recv().unwrap();
    assert_eq!(next.unwrap().place.number, 2);
    // Whoever waits for the thread is answered, at the end too.
    fixture.writer.flush().unwrap();
    let last = fixture.submit(PANIC, sample(6));
    fixture.writer.close().unwrap();
    assert!(matches!(last.recv().unwrap(), Err(WriteError::Failed)));
    let exchanges = fixture.load("x").exchanges;
    assert!(
        exchanges
            .iter()
            .map(|it| &it.exchange)
            .eq(&[sample(1), sample(5)])
    );
}

#[test]
fn a_rejected_exchange_leaves_no_files() {
    let fixture = writer_fixture(OPTIONS);
    let large = format!("secret{}", "x".repeat(200));
    let receivers = [
        fixture.submit("x", sample(1)),
        fixture.submit("x", with_body(2, "a secret")),
        fixture.submit("x", with_body(3, &large)),
        fixture.submit("x", with_body(3, "panic here")),
        fixture.submit("x", sample(4)),
    ];
    let outcomes = receivers.map(|it| it.recv().unwrap());
    for outcome in &outcomes[1..4] {
        assert!(matches!(outcome, Err(WriteError::Refused(_))));
    }
    assert_eq!(outcomes[4].as_ref().unwrap().place.number, 2);
    fixture.writer.close().unwrap();
    let loaded = fixture.load("x");
    assert_eq!(loaded.exchanges[1].exchange, sample(4));
    assert_eq!(loaded.exchanges.len(), 2);
    assert!(!fixture.folder.root().join("x.bodies").exists());
}

#[test]
fn large_bodies_are_stored_once_and_before_their_exchange() {
    for sync in [SyncPolicy::EveryExchange, SyncPolicy::Close] {
        let fixture = writer_fixture(WriterOptions { sync, ..OPTIONS });
        let large = "large ".repeat(100);
        let first = fixture.submit("x", with_body(1, &large)).recv().unwrap();
        let second = fixture.submit("x", with_body(2, &large)).recv().unwrap();
        assert_eq!(first.unwrap().bytes, second.unwrap().bytes + 600);
        let digest = body_digest(large.as_bytes());
        let loaded = fixture.load("x");
        let body = &loaded.exchanges[1].exchange.response.body;
        assert_eq!(
            *body,
            Content::Stored {
                digest: digest.clone(),
                size: 600
            }
        );
        assert_eq!(fixture.folder.read_body("x", &digest).unwrap(), large);
        let files = fs::read_dir(fixture.folder.root().join("x.bodies")).unwrap();
        assert_eq!(files.count(), 1);
        fixture.writer.close().unwrap();
    }
}

#[test]
fn a_referenced_stored_body_must_exist() {
    let fixture = writer_fixture(OPTIONS);
    fixture
        .submit("x", with_body(1, &"y".repeat(101)))
        .recv()
        .unwrap()
        .unwrap();
    let digest = body_digest("y".repeat(101).as_bytes());
    for (digest, size, written) in [
        (digest.clone(), 101, true),
        (digest, 9, false),
        (body_digest(b""), 101, false),
    ] {
        let mut exchange = sample(2);
        exchange.request.body = Content::Stored { digest, size };
        assert_eq!(
            fixture.submit("x", exchange).recv().unwrap().is_ok(),
            written
        );
    }
}

#[test]
fn an_error_of_one_exchange_does_not_affect_the_next() {
    let fixture = writer_fixture(OPTIONS);
    fs::write(fixture.folder.root().join("x.bodies"), "not a folder").unwrap();
    fs::write(fixture.folder.root().join("bad.jsons"), "not a cassette").unwrap();
    let receivers = [
        fixture.submit("x", with_body(1, &"y".repeat(101))),
        fixture.submit("x\n", sample(1)),
        fixture.submit("bad", sample(1)),
        fixture.submit("x", sample(2)),
    ];
    let outcomes = receivers.map(|it| it.recv().unwrap());
    for outcome in &outcomes[..3] {
        assert!(
            matches!(outcome, Err(WriteError::Cassette(_))),
            "{outcome:?}"
        );
    }
    assert_eq!(outcomes[3].as_ref().unwrap().place.number, 1);
    fixture.writer.close().unwrap();
    assert_eq!(fixture.load("x").exchanges[0].exchange, sample(2));
}

#[test]
fn a_full_queue_returns_the_request() {
    let fixture = writer_fixture(OPTIONS);
    let first = fixture.submit("x", with_body(0, "wait here"));
    let mut queued = Vec::new();
    let error = loop {
        let (request, receiver) =
            request("x", sample(queued.len() as u64), Arc::clone(&fixture.check));
        match fixture.writer.try_submit(request) {
            Ok(()) => queued.push(receiver),
            Err(error) => break error,
        }
        assert!(queued.len() <= 4 + 3, "the queue and one batch");
    };
    let SubmitError::Full(returned) = error else {
        panic!("the writer is not closed")
    };
    assert_eq!(returned.exchange, sample(queued.len() as u64));
    fixture.check.release();
    assert!(first.recv().unwrap().is_ok());
    assert!(queued.iter().all(|outcome| outcome.recv().unwrap().is_ok()));
}

#[test]
fn rotate_and_release_run_in_order() {
    let fixture = writer_fixture(OPTIONS);
    fixture.submit("x", sample(1));
    fixture.writer.rotate("x", Completion::ignored());
    fixture.submit("x", sample(2));
    fixture.writer.release("x", Completion::ignored());
    fixture.writer.flush().unwrap();
    assert_eq!(fixture.load("x").exchanges[0].exchange, sample(2));
    let previous = fs::read(fixture.folder.root().join("x.jsons.previous")).unwrap();
    assert!(String::from_utf8(previous).unwrap().contains("/items/1"));
    fixture.folder.rotate("x").expect("released");
    fixture.submit("x", sample(3)).recv().unwrap().unwrap();
    assert!(fixture.folder.rotate("x").is_err(), "open again");
}

#[test]
fn after_close_every_completion_is_called() {
    let fixture = writer_fixture(OPTIONS);
    let blocked = fixture.submit("x", with_body(1, "wait here"));
    std::thread::scope(|scope| {
        let close = scope.spawn(|| fixture.writer.close());
        let late: Vec<_> = (2..5).map(|it| fixture.submit("x", sample(it))).collect();
        fixture.check.release();
        close.join().unwrap().unwrap();
        assert!(blocked.recv().unwrap().is_ok());
        assert!(late.iter().all(|outcome| outcome.recv().is_ok()));
    });
    fixture.writer.submit(WriteRequest {
        is_recording: false,
        start: None,
        completion: Completion::new(|_| panic!("in a completion")),
        ..request("x", sample(9), Arc::clone(&fixture.check)).0
    });
    let outcome = fixture.submit("x", sample(9));
    assert!(matches!(outcome.recv().unwrap(), Err(WriteError::Closed)));
    let (request, _receiver) = request("x", sample(9), Arc::clone(&fixture.check));
    let result = fixture.writer.try_submit(request);
    assert!(matches!(result, Err(SubmitError::Closed(_))));
    drop(result);
    assert!(matches!(fixture.writer.close(), Err(WriteError::Closed)));
    assert!(matches!(fixture.writer.flush(), Err(WriteError::Closed)));
}
