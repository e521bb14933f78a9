//! The writer's thread: order, refusals, syncing, and who is told what.

use std::fs;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tempfile::{TempDir, tempdir};

use super::{cassette, sample, text};
use crate::format::decode::LoadedCassette;
use crate::format::digest::body_digest;
use crate::store::folder::{CassetteDir, ChangePolicy};
use crate::writer::completion::Completion;
use crate::writer::queue::{
    Ack, CheckRejection, SubmitError, SyncPolicy, WriteCheck, WriteError, WriteRequest, Writer,
    WriterOptions,
};
use ouli_message::{Content, Exchange};

/// Refuses what holds a word; waits at another word until it is let go.
#[derive(Debug, Default)]
struct WordCheck {
    released: Mutex<bool>,
    change: Condvar,
}

impl WordCheck {
    fn release(&self) {
        *self.released.lock().unwrap() = true;
        self.change.notify_all();
    }
}

impl WriteCheck for WordCheck {
    fn check(&self, bytes: &[u8]) -> Result<(), CheckRejection> {
        if memchr::memmem::find(bytes, b"wait here").is_some() {
            let free = self.released.lock().unwrap();
            drop(self.change.wait_while(free, |free| !*free).unwrap());
        }
        assert!(memchr::memmem::find(bytes, b"panic here").is_none());
        match memchr::memmem::find(bytes, b"secret") {
            Some(_) => Err(CheckRejection {
                rule: "word".to_owned(),
                reason: "a word that is not to be written".to_owned(),
            }),
            None => Ok(()),
        }
    }
}

pub(super) struct WriterFixture {
    _home: TempDir,
    pub(super) folder: CassetteDir,
    guard: Arc<WordCheck>,
    pub(super) writer: Writer,
}

pub(super) const OPTIONS: WriterOptions = WriterOptions {
    queue: NonZero::new(4).unwrap(),
    max_batch: NonZero::new(3).unwrap(),
    max_batch_bytes: 1 << 20,
    max_open: NonZero::new(2).unwrap(),
    inline_limit: 100,
    sync: SyncPolicy::Close,
};

pub(super) fn writer_fixture(options: WriterOptions) -> WriterFixture {
    let home = tempdir().unwrap();
    let folder = CassetteDir::open(home.path(), 1 << 20).unwrap();
    let guard = Arc::new(WordCheck::default());
    let writer = Writer::start(folder.clone(), options, Box::new(|_, _, _| {})).unwrap();
    WriterFixture {
        _home: home,
        folder,
        guard,
        writer,
    }
}

pub(super) type OutcomeReceiver = Receiver<Result<Ack, WriteError>>;

fn item(
    session: &str,
    exchange: Exchange,
    check: Arc<WordCheck>,
) -> (WriteRequest, OutcomeReceiver) {
    let (tell, told) = sync_channel(1);
    let done = Completion::new(move |outcome| {
        let _ = tell.send(outcome);
    });
    let session = session.to_owned();
    (
        WriteRequest {
            session,
            exchange,
            check,
            completion: done,
        },
        told,
    )
}

impl WriterFixture {
    pub(super) fn submit(&self, session: &str, exchange: Exchange) -> OutcomeReceiver {
        let (item, told) = item(session, exchange, Arc::clone(&self.guard));
        self.writer.submit(item);
        told
    }

    pub(super) fn load(&self, session: &str) -> LoadedCassette {
        self.folder
            .load(session, ChangePolicy::Refuse)
            .unwrap()
            .unwrap()
    }
}

fn with_body(number: u64, body: &str) -> Exchange {
    let mut exchange = sample(number);
    exchange.response.body = text(body);
    exchange
}

#[test]
fn exchanges_are_written_in_order_under_every_policy() {
    let interval = SyncPolicy::Interval(Duration::from_millis(1));
    for sync in [SyncPolicy::EveryExchange, interval, SyncPolicy::Close] {
        let bench = writer_fixture(WriterOptions { sync, ..OPTIONS });
        let told: Vec<_> = (1..=20).map(|it| bench.submit("x", sample(it))).collect();
        for (ordinal, told) in (1..).zip(told) {
            assert_eq!(told.recv().unwrap().unwrap().ordinal, ordinal);
        }
        bench.writer.flush().unwrap();
        let all: Vec<_> = (1..=20).map(sample).collect();
        let expected = String::from_utf8(cassette(&all)).unwrap();
        let path = bench.folder.session_path("x").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), expected);
        bench.writer.close().unwrap();
    }
}

#[test]
fn more_sessions_than_may_be_open() {
    let bench = writer_fixture(OPTIONS);
    for number in 1..=30 {
        bench.submit(&format!("s{}", number % 5), sample(number));
    }
    bench.writer.close().unwrap();
    for session in 0..5 {
        let loaded = bench.load(&format!("s{session}"));
        let numbers = (1..=30).filter(|number| number % 5 == session);
        let expected: Vec<_> = numbers.map(sample).collect();
        assert!(loaded.exchanges.iter().map(|it| &it.exchange).eq(&expected));
    }
}

#[test]
fn a_rejected_exchange_leaves_no_files() {
    let bench = writer_fixture(OPTIONS);
    let large = format!("secret{}", "x".repeat(200));
    let told = [
        bench.submit("x", sample(1)),
        bench.submit("x", with_body(2, "a secret")),
        bench.submit("x", with_body(3, &large)),
        bench.submit("x", with_body(3, "panic here")),
        bench.submit("x", sample(4)),
    ];
    let told = told.map(|it| it.recv().unwrap());
    for refused in &told[1..4] {
        assert!(matches!(refused, Err(WriteError::Refused(_))));
    }
    assert_eq!(told[4].as_ref().unwrap().ordinal, 2);
    bench.writer.close().unwrap();
    let loaded = bench.load("x");
    assert_eq!(loaded.exchanges[1].exchange, sample(4));
    assert_eq!(loaded.exchanges.len(), 2);
    assert!(!bench.folder.root().join("x.bodies").exists());
}

#[test]
fn large_bodies_are_stored_once_and_before_their_exchange() {
    for sync in [SyncPolicy::EveryExchange, SyncPolicy::Close] {
        let bench = writer_fixture(WriterOptions { sync, ..OPTIONS });
        let large = "large ".repeat(100);
        let first = bench.submit("x", with_body(1, &large)).recv().unwrap();
        let second = bench.submit("x", with_body(2, &large)).recv().unwrap();
        assert_eq!(first.unwrap().bytes, second.unwrap().bytes + 600);
        let digest = body_digest(large.as_bytes());
        let loaded = bench.load("x");
        let body = &loaded.exchanges[1].exchange.response.body;
        assert_eq!(
            *body,
            Content::Stored {
                digest: digest.clone(),
                size: 600
            }
        );
        assert_eq!(bench.folder.read_body("x", &digest).unwrap(), large);
        let files = fs::read_dir(bench.folder.root().join("x.bodies")).unwrap();
        assert_eq!(files.count(), 1);
        bench.writer.close().unwrap();
    }
}

#[test]
fn a_stored_body_must_be_there() {
    let bench = writer_fixture(OPTIONS);
    bench
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
        assert_eq!(bench.submit("x", exchange).recv().unwrap().is_ok(), written);
    }
}

#[test]
fn an_error_of_one_exchange_does_not_affect_the_next() {
    let bench = writer_fixture(OPTIONS);
    fs::write(bench.folder.root().join("x.bodies"), "in the way").unwrap();
    fs::write(bench.folder.root().join("bad.jsons"), "no cassette").unwrap();
    let told = [
        bench.submit("x", with_body(1, &"y".repeat(101))),
        bench.submit("../x", sample(1)),
        bench.submit("bad", sample(1)),
        bench.submit("x", sample(2)),
    ];
    let told = told.map(|it| it.recv().unwrap());
    for fault in &told[..3] {
        assert!(matches!(fault, Err(WriteError::Cassette(_))), "{fault:?}");
    }
    assert_eq!(told[3].as_ref().unwrap().ordinal, 1);
    bench.writer.close().unwrap();
    assert_eq!(bench.load("x").exchanges[0].exchange, sample(2));
}

#[test]
fn a_full_queue_gives_the_item_back() {
    let bench = writer_fixture(OPTIONS);
    let first = bench.submit("x", with_body(0, "wait here"));
    let mut sent = Vec::new();
    let unsent = loop {
        let (item, told) = item("x", sample(sent.len() as u64), Arc::clone(&bench.guard));
        match bench.writer.try_submit(item) {
            Ok(()) => sent.push(told),
            Err(unsent) => break unsent,
        }
        assert!(sent.len() <= 4 + 3, "the queue and one group");
    };
    let SubmitError::Full(item) = unsent else {
        panic!("the writer is not closed")
    };
    assert_eq!(item.exchange, sample(sent.len() as u64));
    bench.guard.release();
    assert!(first.recv().unwrap().is_ok());
    assert!(sent.iter().all(|told| told.recv().unwrap().is_ok()));
}

#[test]
fn rotate_and_release_run_in_order() {
    let bench = writer_fixture(OPTIONS);
    bench.submit("x", sample(1));
    bench.writer.rotate("x", Completion::ignored());
    bench.submit("x", sample(2));
    bench.writer.release("x", Completion::ignored());
    bench.writer.flush().unwrap();
    assert_eq!(bench.load("x").exchanges[0].exchange, sample(2));
    let previous = fs::read(bench.folder.root().join("x.jsons.previous")).unwrap();
    assert!(String::from_utf8(previous).unwrap().contains("/items/1"));
    bench.folder.rotate("x").expect("released");
    bench.submit("x", sample(3)).recv().unwrap().unwrap();
    assert!(bench.folder.rotate("x").is_err(), "open again");
}

#[test]
fn after_close_every_completion_is_called() {
    let bench = writer_fixture(OPTIONS);
    let waits = bench.submit("x", with_body(1, "wait here"));
    std::thread::scope(|scope| {
        let close = scope.spawn(|| bench.writer.close());
        let late: Vec<_> = (2..5).map(|it| bench.submit("x", sample(it))).collect();
        bench.guard.release();
        close.join().unwrap().unwrap();
        assert!(waits.recv().unwrap().is_ok());
        assert!(late.iter().all(|told| told.recv().is_ok()));
    });
    bench.writer.submit(WriteRequest {
        completion: Completion::new(|_| panic!("in a completion")),
        ..item("x", sample(9), Arc::clone(&bench.guard)).0
    });
    let told = bench.submit("x", sample(9));
    assert!(matches!(told.recv().unwrap(), Err(WriteError::Closed)));
    let (item, _told) = item("x", sample(9), Arc::clone(&bench.guard));
    let unsent = bench.writer.try_submit(item);
    assert!(matches!(unsent, Err(SubmitError::Closed(_))));
    drop(unsent);
    assert!(matches!(bench.writer.close(), Err(WriteError::Closed)));
    assert!(matches!(bench.writer.flush(), Err(WriteError::Closed)));
}
