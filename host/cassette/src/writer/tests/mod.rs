//! Tests of the whole writer.

mod appender;
mod removed;
mod requests;
mod streams;

use std::num::NonZero;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use parking_lot::{Condvar, Mutex};
use tempfile::{TempDir, tempdir};

use crate::{
    Ack, CassetteDir, ChangePolicy, CheckRejection, Completion, LoadedCassette, SyncPolicy,
    WriteCheck, WriteError, WriteRequest, Writer, WriterOptions,
};
use ouli_message::Exchange;

/// Rejects bytes with the word `secret`, blocks at `wait here` until released, and panics at
/// `panic here`.
#[derive(Debug, Default)]
struct WordCheck {
    released: Mutex<bool>,
    changed: Condvar,
}

impl WordCheck {
    fn release(&self) {
        *self.released.lock() = true;
        self.changed.notify_all();
    }
}

impl WriteCheck for WordCheck {
    fn check(&self, bytes: &[u8]) -> Result<(), CheckRejection> {
        if memchr::memmem::find(bytes, b"wait here").is_some() {
            let mut released = self.released.lock();
            self.changed
                .wait_while(&mut released, |released| !*released);
        }
        assert!(memchr::memmem::find(bytes, b"panic here").is_none());
        match memchr::memmem::find(bytes, b"secret") {
            Some(_) => Err(CheckRejection {
                rule: "word".to_owned(),
                reason: "a forbidden word".to_owned(),
            }),
            None => Ok(()),
        }
    }
}

struct WriterFixture {
    _home: TempDir,
    folder: CassetteDir,
    check: Arc<WordCheck>,
    writer: Writer,
}

const OPTIONS: WriterOptions = WriterOptions {
    queue: NonZero::new(4).unwrap(),
    max_batch: NonZero::new(3).unwrap(),
    max_batch_bytes: 1 << 20,
    max_open: NonZero::new(2).unwrap(),
    inline_limit: 100,
    sync: SyncPolicy::Close,
};

fn writer_fixture(options: WriterOptions) -> WriterFixture {
    let home = tempdir().unwrap();
    let folder = CassetteDir::open(home.path(), 1 << 20).unwrap();
    let check = Arc::new(WordCheck::default());
    let writer = Writer::start(folder.clone(), options, Box::new(|_, _, _| {})).unwrap();
    WriterFixture {
        _home: home,
        folder,
        check,
        writer,
    }
}

type OutcomeReceiver = Receiver<Result<Ack, WriteError>>;

fn request(
    session: &str,
    exchange: Exchange,
    check: Arc<WordCheck>,
) -> (WriteRequest, OutcomeReceiver) {
    let (sender, receiver) = sync_channel(1);
    let completion = Completion::new(move |outcome| {
        let _ = sender.send(outcome);
    });
    let session = session.to_owned();
    (
        WriteRequest {
            is_recording: false,
            start: None,
            session,
            exchange,
            check,
            is_told: false,
            completion,
        },
        receiver,
    )
}

impl WriterFixture {
    fn submit(&self, session: &str, exchange: Exchange) -> OutcomeReceiver {
        let (request, receiver) = request(session, exchange, Arc::clone(&self.check));
        self.writer.submit(request);
        receiver
    }

    fn load(&self, session: &str) -> LoadedCassette {
        self.folder
            .load(session, ChangePolicy::Refuse)
            .unwrap()
            .unwrap()
    }
}
