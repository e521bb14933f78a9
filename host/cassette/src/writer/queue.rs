//! The one thread that appends to cassettes, and the queue that feeds it.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};

use thiserror::Error;

use super::batch_writer::BatchWriter;
use super::completion::Completion;
use crate::store::error::CassetteError;
use crate::store::folder::CassetteDir;
use ouli_message::{Content, Exchange};

/// The last look at what goes to the disk.
pub trait WriteCheck: fmt::Debug + Send + Sync {
    /// Looks at the exact bytes of one exchange, or of one stored body.
    ///
    /// # Errors
    /// Where they must not be written.
    fn check(&self, bytes: &[u8]) -> Result<(), CheckRejection>;
}

/// Why a check refused some bytes; it must not quote them.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{reason}")]
pub struct CheckRejection {
    /// The id of the rule that refuses.
    pub rule: String,
    /// Why, in words.
    pub reason: String,
}

/// When what was written is made to reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before an exchange counts as written.
    EveryExchange,
    /// This long after it was written, at most.
    Interval(Duration),
    /// On flush and close.
    Close,
}

/// The bounds of a writer.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Exchanges that may wait.
    pub queue: NonZero<usize>,
    /// Exchanges that are written as one group, at most.
    pub max_batch: NonZero<usize>,
    /// Bytes of bodies and messages after which a group takes no further exchange.
    pub max_batch_bytes: u64,
    /// Cassettes that are open at a time.
    pub max_open: NonZero<usize>,
    /// Bodies and messages of more bytes than this are stored as files.
    pub inline_limit: u64,
    /// When to wait for the disk.
    pub sync: SyncPolicy,
}

/// An exchange to be written.
#[derive(Debug)]
pub struct WriteRequest {
    /// Name of the session.
    pub session: String,
    /// What to write: with every secret taken out.
    pub exchange: Exchange,
    /// Looks at every byte that is about to be written for it.
    pub check: Arc<dyn WriteCheck>,
    /// Called once, from the writer's thread.
    pub completion: Completion<Ack>,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The exchange's number in its cassette.
    pub ordinal: u64,
    /// Bytes that it takes there and in stored bodies that are new.
    pub bytes: u64,
}

/// Why an exchange was not written.
#[derive(Clone, Debug, Error)]
pub enum WriteError {
    /// The check found what must not be written.
    #[error("refused")]
    Refused(#[source] CheckRejection),
    /// The cassette cannot be opened, or the disk refuses.
    #[error("not written")]
    Cassette(#[source] Arc<CassetteError>),
    /// The writer has ended.
    #[error("the writer is closed")]
    Closed,
}

impl From<CassetteError> for WriteError {
    fn from(error: CassetteError) -> Self {
        Self::Cassette(Arc::new(error))
    }
}

/// An exchange that could not be queued.
#[derive(Debug)]
pub enum SubmitError {
    /// The queue is full.
    Full(Box<WriteRequest>),
    /// The writer has ended.
    Closed(Box<WriteRequest>),
}

/// Told, from the writer's thread, of exchanges that were written and that the disk then did not
/// confirm: the name of the session, how many, and why. It must not block.
pub type OnUnsynced = Box<dyn Fn(&str, u64, &WriteError) + Send>;

/// What the thread is asked to do.
pub(crate) enum Command {
    Append(Box<WriteRequest>),
    Claim(String, Completion<()>),
    Rotate(String, Completion<()>),
    Release(String, Completion<()>),
    Flush(Completion<()>),
    Close(Completion<()>),
}

/// Appends exchanges for all sessions, from one thread of its own.
#[derive(Debug)]
pub struct Writer {
    tasks: SyncSender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the thread cannot be started.
    pub fn start(
        folder: CassetteDir,
        options: WriterOptions,
        unsynced: OnUnsynced,
    ) -> io::Result<Self> {
        let (tasks, queue) = sync_channel(options.queue.get());
        let run = move || {
            serve(
                &queue,
                &mut BatchWriter::new(folder, options, unsynced),
                options,
            )
        };
        let thread = thread::Builder::new()
            .name("cassette-writer".to_owned())
            .spawn(run)?;
        Ok(Self {
            tasks,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Queues an exchange.
    ///
    /// # Errors
    /// Gives it back where the queue is full or the writer has ended.
    pub fn try_submit(&self, item: WriteRequest) -> Result<(), SubmitError> {
        match self.tasks.try_send(Command::Append(Box::new(item))) {
            Err(TrySendError::Full(Command::Append(item))) => Err(SubmitError::Full(item)),
            Err(TrySendError::Disconnected(Command::Append(item))) => {
                Err(SubmitError::Closed(item))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Queues an exchange; waits while the queue is full. Where the writer has ended, the item's
    /// `done` says so.
    pub fn submit(&self, item: WriteRequest) {
        self.send(Command::Append(Box::new(item)));
    }

    /// Keeps a session's cassette, where it has one, from other gateways until it is released. It
    /// is not changed.
    ///
    /// # Errors
    /// Where another gateway writes it, or it cannot be opened to be written.
    pub fn claim(&self, session: &str) -> Result<(), WriteError> {
        self.send_and_wait(|done| Command::Claim(session.to_owned(), done))
    }

    /// Starts a session's cassette anew, after what was queued for it before; waits while the
    /// queue is full.
    pub fn rotate(&self, session: &str, done: Completion<()>) {
        self.send(Command::Rotate(session.to_owned(), done));
    }

    /// Closes a session's cassette, so that others may write it; waits while the queue is full.
    pub fn release(&self, session: &str, done: Completion<()>) {
        self.send(Command::Release(session.to_owned(), done));
    }

    /// Writes what was queued before and waits until all of it is on the disk.
    ///
    /// # Errors
    /// The first error of the disk, since the last flush, that no exchange was told of.
    pub fn flush(&self) -> Result<(), WriteError> {
        self.send_and_wait(Command::Flush)
    }

    /// Writes what is queued, waits until all of it is on the disk, and ends the thread.
    ///
    /// # Errors
    /// As [`Self::flush`]; `Closed` where it was closed before.
    pub fn close(&self) -> Result<(), WriteError> {
        let outcome = self.send_and_wait(Command::Close);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match thread.map(JoinHandle::join) {
            Some(Err(_)) => Err(WriteError::Closed),
            Some(Ok(())) | None => outcome,
        }
    }

    fn send_and_wait(
        &self,
        task: impl FnOnce(Completion<()>) -> Command,
    ) -> Result<(), WriteError> {
        let (answer, answered) = sync_channel(1);
        self.send(task(Completion::new(move |outcome| {
            let _ = answer.send(outcome);
        })));
        answered.recv().unwrap_or(Err(WriteError::Closed))
    }

    /// A task that cannot be sent is dropped, and with it its `Completion`, which tells.
    fn send(&self, task: Command) {
        let _ = self.tasks.send(task);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

/// Takes tasks until `Close`, and then all that came in meanwhile.
fn serve(queue: &Receiver<Command>, scribe: &mut BatchWriter, options: WriterOptions) {
    let mut closing: Option<Completion<()>> = None;
    while let Some(first) = next(queue, scribe, closing.is_some()) {
        let mut group = options.max_batch.get();
        let mut bytes = 0;
        let mut task = Some(first);
        while let Some(now) = task.take() {
            match now {
                Command::Append(item) => {
                    bytes += item.exchange.contents().map(Content::size).sum::<u64>();
                    scribe.add(*item);
                }
                Command::Claim(session, done) => done.complete(scribe.claim(&session)),
                Command::Rotate(session, done) => done.complete(scribe.rotate(&session)),
                Command::Release(session, done) => done.complete(scribe.release(&session)),
                Command::Flush(done) => done.complete(scribe.flush()),
                Command::Close(done) => closing = Some(done),
            }
            group -= 1;
            if group > 0 && bytes < options.max_batch_bytes {
                task = queue.try_recv().ok();
            }
        }
        scribe.commit();
    }
    let outcome = scribe.flush();
    if let Some(done) = closing {
        done.complete(outcome);
    }
}

/// The next task; none at the end. Waits no longer than until a sync is due.
fn next(queue: &Receiver<Command>, scribe: &mut BatchWriter, closing: bool) -> Option<Command> {
    if closing {
        return queue.try_recv().ok();
    }
    while let Some(patience) = scribe.time_until_sync() {
        match queue.recv_timeout(patience) {
            Ok(task) => return Some(task),
            Err(RecvTimeoutError::Timeout) => scribe.commit(),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    queue.recv().ok()
}
