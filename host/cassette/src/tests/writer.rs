//! The writer's thread: order, refusals, syncing, and who is told what.

use std::fs;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tempfile::{TempDir, tempdir};

use super::{cassette, sample, text};
use crate::format::decode::Loaded;
use crate::format::digest::body_digest;
use crate::store::folder::{Changes, Folder};
use crate::writer::completion::Done;
use crate::writer::queue::{
    Ack, Check, Item, Options, Refusal, SyncWhen, Unsent, WriteError, Writer,
};
use ouli_message::{Content, Exchange};

/// Refuses what holds a word; waits at another word until it is let go.
#[derive(Debug, Default)]
struct Guard {
    free: Mutex<bool>,
    change: Condvar,
}

impl Guard {
    fn let_go(&self) {
        *self.free.lock().unwrap() = true;
        self.change.notify_all();
    }
}

impl Check for Guard {
    fn check(&self, bytes: &[u8]) -> Result<(), Refusal> {
        if memchr::memmem::find(bytes, b"wait here").is_some() {
            let free = self.free.lock().unwrap();
            drop(self.change.wait_while(free, |free| !*free).unwrap());
        }
        assert!(memchr::memmem::find(bytes, b"panic here").is_none());
        match memchr::memmem::find(bytes, b"secret") {
            Some(_) => Err(Refusal {
                rule: "word".to_owned(),
                reason: "a word that is not to be written".to_owned(),
            }),
            None => Ok(()),
        }
    }
}

pub(super) struct Bench {
    _home: TempDir,
    pub(super) folder: Folder,
    guard: Arc<Guard>,
    pub(super) writer: Writer,
}

pub(super) const OPTIONS: Options = Options {
    queue: NonZero::new(4).unwrap(),
    group: NonZero::new(3).unwrap(),
    group_bytes: 1 << 20,
    open: NonZero::new(2).unwrap(),
    inline: 100,
    sync: SyncWhen::Close,
};

pub(super) fn bench(options: Options) -> Bench {
    let home = tempdir().unwrap();
    let folder = Folder::open(home.path(), 1 << 20).unwrap();
    let guard = Arc::new(Guard::default());
    let writer = Writer::start(folder.clone(), options, Box::new(|_, _, _| {})).unwrap();
    Bench {
        _home: home,
        folder,
        guard,
        writer,
    }
}

pub(super) type Outcome = Receiver<Result<Ack, WriteError>>;

fn item(session: &str, exchange: Exchange, check: Arc<Guard>) -> (Item, Outcome) {
    let (tell, told) = sync_channel(1);
    let done = Done::new(move |outcome| {
        let _ = tell.send(outcome);
    });
    let session = session.to_owned();
    (
        Item {
            session,
            exchange,
            check,
            done,
        },
        told,
    )
}

impl Bench {
    pub(super) fn submit(&self, session: &str, exchange: Exchange) -> Outcome {
        let (item, told) = item(session, exchange, Arc::clone(&self.guard));
        self.writer.submit(item);
        told
    }

    pub(super) fn load(&self, session: &str) -> Loaded {
        self.folder.load(session, Changes::Refuse).unwrap().unwrap()
    }
}

fn with_body(number: u64, body: &str) -> Exchange {
    let mut exchange = sample(number);
    exchange.response.body = text(body);
    exchange
}

#[test]
fn exchanges_are_written_in_order_under_every_policy() {
    let interval = SyncWhen::Interval(Duration::from_millis(1));
    for sync in [SyncWhen::Each, interval, SyncWhen::Close] {
        let bench = bench(Options { sync, ..OPTIONS });
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
    let bench = bench(OPTIONS);
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
fn what_is_refused_leaves_nothing_behind() {
    let bench = bench(OPTIONS);
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
    for sync in [SyncWhen::Each, SyncWhen::Close] {
        let bench = bench(Options { sync, ..OPTIONS });
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
        assert_eq!(bench.folder.body("x", &digest).unwrap(), large);
        let files = fs::read_dir(bench.folder.root().join("x.bodies")).unwrap();
        assert_eq!(files.count(), 1);
        bench.writer.close().unwrap();
    }
}

#[test]
fn a_stored_body_must_be_there() {
    let bench = bench(OPTIONS);
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
fn a_fault_of_one_exchange_is_none_of_the_next() {
    let bench = bench(OPTIONS);
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
    let bench = bench(OPTIONS);
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
    let Unsent::Full(item) = unsent else {
        panic!("the writer is not closed")
    };
    assert_eq!(item.exchange, sample(sent.len() as u64));
    bench.guard.let_go();
    assert!(first.recv().unwrap().is_ok());
    assert!(sent.iter().all(|told| told.recv().unwrap().is_ok()));
}

#[test]
fn anew_and_release_come_in_turn() {
    let bench = bench(OPTIONS);
    bench.submit("x", sample(1));
    bench.writer.start_anew("x", Done::ignored());
    bench.submit("x", sample(2));
    bench.writer.release("x", Done::ignored());
    bench.writer.flush().unwrap();
    assert_eq!(bench.load("x").exchanges[0].exchange, sample(2));
    let previous = fs::read(bench.folder.root().join("x.jsons.previous")).unwrap();
    assert!(String::from_utf8(previous).unwrap().contains("/items/1"));
    bench.folder.start_anew("x").expect("released");
    bench.submit("x", sample(3)).recv().unwrap().unwrap();
    assert!(bench.folder.start_anew("x").is_err(), "open again");
}

#[test]
fn after_the_end_everyone_is_told() {
    let bench = bench(OPTIONS);
    let waits = bench.submit("x", with_body(1, "wait here"));
    std::thread::scope(|scope| {
        let close = scope.spawn(|| bench.writer.close());
        let late: Vec<_> = (2..5).map(|it| bench.submit("x", sample(it))).collect();
        bench.guard.let_go();
        close.join().unwrap().unwrap();
        assert!(waits.recv().unwrap().is_ok());
        assert!(late.iter().all(|told| told.recv().is_ok()));
    });
    bench.writer.submit(Item {
        done: Done::new(|_| panic!("in a completion")),
        ..item("x", sample(9), Arc::clone(&bench.guard)).0
    });
    let told = bench.submit("x", sample(9));
    assert!(matches!(told.recv().unwrap(), Err(WriteError::Closed)));
    let (item, _told) = item("x", sample(9), Arc::clone(&bench.guard));
    let unsent = bench.writer.try_submit(item);
    assert!(matches!(unsent, Err(Unsent::Closed(_))));
    drop(unsent);
    assert!(matches!(bench.writer.close(), Err(WriteError::Closed)));
    assert!(matches!(bench.writer.flush(), Err(WriteError::Closed)));
}
