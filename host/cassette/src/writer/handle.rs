//! The handle of the writer: it queues commands for the writer's thread.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;

use super::batch_writer::{BatchWriter, Unordered};
use super::completion::Completion;
use super::error::WriteError;
use super::options::WriterOptions;
use super::request::{OnUnsynced, SubmitError, WriteRequest};
use super::sorting;
use super::start_order::StartOrder;
use super::worker::{self, Command};
use crate::store::CassetteDir;

/// Appends the exchanges of all sessions, on a thread of its own.
#[derive(Debug)]
pub struct Writer {
    commands: SyncSender<Command>,
    folder: CassetteDir,
    unordered: Unordered,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(
        folder: CassetteDir,
        options: WriterOptions,
        on_unsynced: OnUnsynced,
    ) -> io::Result<Self> {
        let (commands, queue) = sync_channel(options.queue.get());
        let unordered = Unordered::default();
        let (own_folder, own_unordered) = (folder.clone(), Arc::clone(&unordered));
        let thread = thread::Builder::new()
            .name("cassette-writer".to_owned())
            .spawn(move || {
                let mut writer = BatchWriter::new(own_folder, options, on_unsynced, own_unordered);
                worker::run(&queue, &mut writer, options);
            })?;
        Ok(Self {
            commands,
            folder,
            unordered,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Queues an exchange.
    ///
    /// # Errors
    /// Returns the exchange if the queue is full or the writer was closed.
    pub fn try_submit(&self, request: WriteRequest) -> Result<(), SubmitError> {
        match self.commands.try_send(Command::Append(Box::new(request))) {
            Err(TrySendError::Full(Command::Append(request))) => Err(SubmitError::Full(request)),
            Err(TrySendError::Disconnected(Command::Append(request))) => {
                Err(SubmitError::Closed(request))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Queues an exchange, and blocks while the queue is full. If the writer was closed, the
    /// completion gets [`WriteError::Closed`].
    pub fn submit(&self, request: WriteRequest) {
        self.send(Command::Append(Box::new(request)));
    }

    /// Locks a session's cassette against other gateways until it is released, if it exists. The
    /// file is not changed.
    ///
    /// # Errors
    /// If another gateway has locked it, or if it cannot be opened for writing.
    pub fn claim(&self, session: &str) -> Result<(), WriteError> {
        self.send_and_wait(|completion| Command::Claim(session.to_owned(), completion))
    }

    /// Starts a new cassette for a session, after the exchanges that were queued before. Blocks
    /// while the queue is full.
    pub fn rotate(&self, session: &str, completion: Completion<()>) {
        self.send(Command::Rotate(session.to_owned(), completion));
    }

    /// Closes and unlocks a session's cassette. Blocks while the queue is full.
    pub fn release(&self, session: &str, completion: Completion<()>) {
        self.send(Command::Release(session.to_owned(), completion));
    }

    /// Syncs a session's cassette, and marks it as complete if each exchange of it was written. It
    /// stays open and locked.
    ///
    /// # Errors
    /// If it cannot be synced.
    pub fn end_run(&self, session: &str) -> Result<(), WriteError> {
        self.send_and_wait(|completion| Command::EndRun(session.to_owned(), completion))
    }

    /// Writes a cassette anew in the order in which its requests began, after the exchanges that
    /// were queued before. `current` has the requests that are in progress. A cassette that cannot
    /// be written anew stays as it is: a reader sorts it.
    ///
    /// # Errors
    /// If it cannot be synced.
    pub fn put_in_order(
        &self,
        session: &str,
        current: Option<Arc<StartOrder>>,
    ) -> Result<(), WriteError> {
        let session = session.to_owned();
        self.send_and_wait(|completion| Command::PutInOrder(session, current, completion))
    }

    /// Writes the cassettes anew that are not in the order in which their requests began, once the
    /// writer is closed. A cassette that cannot be written stays as it is: a reader sorts it.
    pub fn sort_closed(&self) {
        let unordered = std::mem::take(&mut *self.unordered.lock());
        for name in unordered {
            if let Err(error) = sorting::sort_closed(&self.folder, &name) {
                sorting::report(&name, &error.into());
            }
        }
    }

    /// Writes everything that was queued before, and syncs it to the disk.
    ///
    /// # Errors
    /// The first disk error since the last flush that no completion was called with.
    pub fn flush(&self) -> Result<(), WriteError> {
        self.send_and_wait(Command::Flush)
    }

    /// Writes everything that is queued, syncs it to the disk, and ends the thread.
    ///
    /// # Errors
    /// As [`Self::flush`]; [`WriteError::Closed`] if the writer was closed before.
    pub fn close(&self) -> Result<(), WriteError> {
        let outcome = self.send_and_wait(Command::Close);
        let thread = self.thread.lock().take();
        match thread.map(JoinHandle::join) {
            Some(Err(_)) => Err(WriteError::Closed),
            Some(Ok(())) | None => outcome,
        }
    }

    fn send_and_wait(
        &self,
        command: impl FnOnce(Completion<()>) -> Command,
    ) -> Result<(), WriteError> {
        let (sender, receiver) = sync_channel(1);
        self.send(command(Completion::new(move |outcome| {
            let _ = sender.send(outcome);
        })));
        receiver.recv().unwrap_or(Err(WriteError::Closed))
    }

    /// A command that cannot be sent is dropped, which calls its completion.
    fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.close();
    }
}
