//! The one thread that appends to cassettes, and the queue that feeds it.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};

use thiserror::Error;

use super::batch_writer::Scribe;
use super::completion::Done;
use crate::store::error::CassetteError;
use crate::store::folder::Folder;
use ouli_message::{Content, Exchange};

/// The last look at what goes to the disk.
pub trait Check: fmt::Debug + Send + Sync {
    /// Looks at the exact bytes of one exchange, or of one stored body.
    ///
    /// # Errors
    /// Where they must not be written.
    fn check(&self, bytes: &[u8]) -> Result<(), Refusal>;
}

/// Why a check refused some bytes; it must not quote them.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{reason}")]
pub struct Refusal {
    /// The id of the rule that refuses.
    pub rule: String,
    /// Why, in words.
    pub reason: String,
}

/// When what was written is made to reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncWhen {
    /// Before an exchange counts as written.
    Each,
    /// This long after it was written, at most.
    Interval(Duration),
    /// On flush and close.
    Close,
}

/// The bounds of a writer.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Exchanges that may wait.
    pub queue: NonZero<usize>,
    /// Exchanges that are written as one group, at most.
    pub group: NonZero<usize>,
    /// Bytes of bodies and messages after which a group takes no further exchange.
    pub group_bytes: u64,
    /// Cassettes that are open at a time.
    pub open: NonZero<usize>,
    /// Bodies and messages of more bytes than this are stored as files.
    pub inline: u64,
    /// When to wait for the disk.
    pub sync: SyncWhen,
}

/// An exchange to be written.
#[derive(Debug)]
pub struct Item {
    /// Name of the session.
    pub session: String,
    /// What to write: with every secret taken out.
    pub exchange: Exchange,
    /// Looks at every byte that is about to be written for it.
    pub check: Arc<dyn Check>,
    /// Called once, from the writer's thread.
    pub done: Done<Ack>,
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
    Refused(#[source] Refusal),
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
pub enum Unsent {
    /// The queue is full.
    Full(Box<Item>),
    /// The writer has ended.
    Closed(Box<Item>),
}

/// Told, from the writer's thread, of exchanges that were written and that the disk then did not
/// confirm: the name of the session, how many, and why. It must not block.
pub type Unsynced = Box<dyn Fn(&str, u64, &WriteError) + Send>;

/// What the thread is asked to do.
pub(crate) enum Task {
    Append(Box<Item>),
    Claim(String, Done<()>),
    Anew(String, Done<()>),
    Release(String, Done<()>),
    Flush(Done<()>),
    Close(Done<()>),
}

/// Appends exchanges for all sessions, from one thread of its own.
#[derive(Debug)]
pub struct Writer {
    tasks: SyncSender<Task>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the thread cannot be started.
    pub fn start(folder: Folder, options: Options, unsynced: Unsynced) -> io::Result<Self> {
        let (tasks, queue) = sync_channel(options.queue.get());
        let run = move || serve(&queue, &mut Scribe::new(folder, options, unsynced), options);
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
    pub fn try_submit(&self, item: Item) -> Result<(), Unsent> {
        match self.tasks.try_send(Task::Append(Box::new(item))) {
            Err(TrySendError::Full(Task::Append(item))) => Err(Unsent::Full(item)),
            Err(TrySendError::Disconnected(Task::Append(item))) => Err(Unsent::Closed(item)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Queues an exchange; waits while the queue is full. Where the writer has ended, the item's
    /// `done` says so.
    pub fn submit(&self, item: Item) {
        self.send(Task::Append(Box::new(item)));
    }

    /// Keeps a session's cassette, where it has one, from other gateways until it is released. It
    /// is not changed.
    ///
    /// # Errors
    /// Where another gateway writes it, or it cannot be opened to be written.
    pub fn claim(&self, session: &str) -> Result<(), WriteError> {
        self.ask(|done| Task::Claim(session.to_owned(), done))
    }

    /// Starts a session's cassette anew, after what was queued for it before; waits while the
    /// queue is full.
    pub fn start_anew(&self, session: &str, done: Done<()>) {
        self.send(Task::Anew(session.to_owned(), done));
    }

    /// Closes a session's cassette, so that others may write it; waits while the queue is full.
    pub fn release(&self, session: &str, done: Done<()>) {
        self.send(Task::Release(session.to_owned(), done));
    }

    /// Writes what was queued before and waits until all of it is on the disk.
    ///
    /// # Errors
    /// The first error of the disk, since the last flush, that no exchange was told of.
    pub fn flush(&self) -> Result<(), WriteError> {
        self.ask(Task::Flush)
    }

    /// Writes what is queued, waits until all of it is on the disk, and ends the thread.
    ///
    /// # Errors
    /// As [`Self::flush`]; `Closed` where it was closed before.
    pub fn close(&self) -> Result<(), WriteError> {
        let outcome = self.ask(Task::Close);
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

    fn ask(&self, task: impl FnOnce(Done<()>) -> Task) -> Result<(), WriteError> {
        let (answer, answered) = sync_channel(1);
        self.send(task(Done::new(move |outcome| {
            let _ = answer.send(outcome);
        })));
        answered.recv().unwrap_or(Err(WriteError::Closed))
    }

    /// A task that cannot be sent is dropped, and with it its `Done`, which tells.
    fn send(&self, task: Task) {
        let _ = self.tasks.send(task);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

/// Takes tasks until `Close`, and then all that came in meanwhile.
fn serve(queue: &Receiver<Task>, scribe: &mut Scribe, options: Options) {
    let mut closing: Option<Done<()>> = None;
    while let Some(first) = next(queue, scribe, closing.is_some()) {
        let mut group = options.group.get();
        let mut bytes = 0;
        let mut task = Some(first);
        while let Some(now) = task.take() {
            match now {
                Task::Append(item) => {
                    bytes += item.exchange.contents().map(Content::size).sum::<u64>();
                    scribe.add(*item);
                }
                Task::Claim(session, done) => done.tell(scribe.claim(&session)),
                Task::Anew(session, done) => done.tell(scribe.anew(&session)),
                Task::Release(session, done) => done.tell(scribe.release(&session)),
                Task::Flush(done) => done.tell(scribe.flush()),
                Task::Close(done) => closing = Some(done),
            }
            group -= 1;
            if group > 0 && bytes < options.group_bytes {
                task = queue.try_recv().ok();
            }
        }
        scribe.commit();
    }
    let outcome = scribe.flush();
    if let Some(done) = closing {
        done.tell(outcome);
    }
}

/// The next task; none at the end. Waits no longer than until a sync is due.
fn next(queue: &Receiver<Task>, scribe: &mut Scribe, closing: bool) -> Option<Task> {
    if closing {
        return queue.try_recv().ok();
    }
    while let Some(patience) = scribe.patience() {
        match queue.recv_timeout(patience) {
            Ok(task) => return Some(task),
            Err(RecvTimeoutError::Timeout) => scribe.commit(),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    queue.recv().ok()
}
