//! A thread that writes what a gateway prints to one stream: a terminal or a pipe that nobody reads
//! holds up no request, no reload and no stop.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::output_queue::{OutputQueue, Priority};

/// Bytes of one write: a page of a pipe, so that a slow reader is seen to read.
const MAX_WRITE: usize = 4 << 10;

/// The time between two attempts to write to a stream that does not block.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// The queue of the thread. Clones share it.
#[derive(Clone)]
pub(super) struct OutputWriter(Arc<Shared>);

struct Shared {
    queue: Mutex<OutputQueue>,
    /// Something was added to the queue.
    added: Condvar,
    /// Bytes were written.
    written: Condvar,
    /// Nothing was written since somebody has waited in vain.
    is_stuck: AtomicBool,
}

impl fmt::Debug for OutputWriter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("OutputWriter").finish_non_exhaustive()
    }
}

impl OutputWriter {
    /// Starts the thread.
    pub(super) fn start(
        queue: OutputQueue,
        stream: impl Write + Send + 'static,
    ) -> io::Result<Self> {
        let writer = Self(Arc::new(Shared {
            queue: Mutex::new(queue),
            added: Condvar::new(),
            written: Condvar::new(),
            is_stuck: AtomicBool::new(false),
        }));
        let thread = writer.clone();
        std::thread::Builder::new()
            .name("ouli-output".to_owned())
            .spawn(move || thread.run(stream))?;
        Ok(writer)
    }

    /// Adds a text. Never waits for a reader.
    pub(super) fn print(&self, priority: Priority, text: String) {
        self.0.queue.lock().push(priority, text);
        self.0.added.notify_one();
    }

    /// Waits until everything is written, at most until `deadline`. A reader that takes nothing for
    /// `patience` is not waited for any longer.
    pub(super) fn flush(&self, deadline: Instant, patience: Duration) {
        let mut queue = self.0.queue.lock();
        while !queue.is_empty() {
            let end = deadline.min(Instant::now() + patience);
            let waited = self.0.written.wait_until(&mut queue, end);
            if waited.timed_out() {
                self.0.is_stuck.store(true, Ordering::Relaxed);
                return;
            }
        }
    }

    /// As [`Self::flush`], for so long, but not if others have waited in vain for the reader.
    pub(super) fn flush_if_read(&self, time: Duration) {
        if !self.0.is_stuck.load(Ordering::Relaxed) {
            self.flush(Instant::now() + time, time);
        }
    }

    fn run(&self, mut stream: impl Write) {
        let mut bytes = Vec::with_capacity(MAX_WRITE);
        loop {
            {
                let mut queue = self.0.queue.lock();
                while queue.is_empty() {
                    self.0.added.wait(&mut queue);
                }
                queue.copy_next(MAX_WRITE, &mut bytes);
            }
            let count = match stream.write(&bytes) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                // The stream is shared with a program that has made it non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(RETRY_INTERVAL);
                    0
                }
                // The reader has closed the pipe, or the disk is full.
                Err(_) => bytes.len(),
            };
            let mut queue = self.0.queue.lock();
            queue.advance(count);
            if count > 0 {
                self.0.is_stuck.store(false, Ordering::Relaxed);
                self.0.written.notify_all();
            }
        }
    }
}
