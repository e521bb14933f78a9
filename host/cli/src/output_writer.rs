//! A thread that writes what a gateway prints: a terminal or a pipe that nobody reads holds up no
//! request, no reload and no stop.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::output_queue::{OutputQueue, Priority, Stream};

/// Bytes of one write. A pipe that can be written to has room for so many (pipe(7)), so the write
/// does not wait.
const MAX_WRITE: usize = 4096;

/// How long the thread waits for a stream that is full before it looks for text of the other one.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);

static WRITER: OnceLock<Arc<OutputWriter>> = OnceLock::new();

/// The queue of the thread.
pub(super) struct OutputWriter {
    queue: Mutex<OutputQueue>,
    /// Something was added to the queue.
    added: Condvar,
    /// The queue became empty.
    emptied: Condvar,
}

impl fmt::Debug for OutputWriter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("OutputWriter").finish_non_exhaustive()
    }
}

/// Starts the thread. From now on printing does not wait; up to `limit` bytes of log lines wait for
/// each stream.
pub(super) fn start(limit: usize, dropped_line: fn(Stream, u64) -> String) -> io::Result<()> {
    let writer = Arc::new(OutputWriter {
        queue: Mutex::new(OutputQueue::new(limit, dropped_line)),
        added: Condvar::new(),
        emptied: Condvar::new(),
    });
    let thread = Arc::clone(&writer);
    std::thread::Builder::new()
        .name("output".to_owned())
        .spawn(move || thread.run())?;
    // A second thread would write to the same streams; it ends with the process.
    let _ = WRITER.set(writer);
    Ok(())
}

/// The thread, if it was started.
pub(super) fn running() -> Option<&'static OutputWriter> {
    WRITER.get().map(|writer| &**writer)
}

impl OutputWriter {
    /// Adds a text. Never waits for a reader.
    pub(super) fn print(&self, stream: Stream, priority: Priority, text: String) {
        self.queue.lock().push(stream, priority, text);
        self.added.notify_one();
    }

    /// Waits until everything is written, at most until `deadline`.
    pub(super) fn flush(&self, deadline: Instant) {
        let mut queue = self.queue.lock();
        while !queue.is_empty() {
            if self.emptied.wait_until(&mut queue, deadline).timed_out() {
                return;
            }
        }
    }

    fn run(&self) {
        let mut bytes = Vec::with_capacity(MAX_WRITE);
        loop {
            let writable = writable(&self.wait_for_text());
            let stream = {
                let queue = self.queue.lock();
                let Some(stream) = queue.first_of(&writable) else {
                    continue;
                };
                queue.copy_next(stream, MAX_WRITE, &mut bytes);
                stream
            };
            let written = match rustix::io::write(descriptor(stream), &bytes) {
                Ok(count) => count,
                Err(Errno::INTR) => 0,
                // The stream is shared with a program that has set it to non-blocking.
                Err(Errno::AGAIN) => {
                    std::thread::sleep(POLL_TIMEOUT);
                    0
                }
                // The reader has closed the pipe, or the disk is full.
                Err(_) => bytes.len(),
            };
            let mut queue = self.queue.lock();
            queue.advance(stream, written);
            if queue.is_empty() {
                self.emptied.notify_all();
            }
        }
    }

    /// The streams for which text waits.
    fn wait_for_text(&self) -> Vec<Stream> {
        let mut queue = self.queue.lock();
        while queue.is_empty() {
            self.added.wait(&mut queue);
        }
        let streams = [Stream::Stdout, Stream::Stderr].into_iter();
        streams.filter(|stream| queue.is_waiting(*stream)).collect()
    }
}

/// The streams that can be written to.
fn writable(streams: &[Stream]) -> Vec<Stream> {
    let fds = streams.iter().copied().map(descriptor);
    let mut fds: Vec<_> = fds
        .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT))
        .collect();
    let timeout = Timespec::try_from(POLL_TIMEOUT).ok();
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) => {
            let streams = streams.iter().zip(&fds);
            let writable = streams.filter(|(_, fd)| !fd.revents().is_empty());
            writable.map(|(stream, _)| *stream).collect()
        }
        Err(Errno::INTR) => Vec::new(),
        // A write waits, or tells the reason.
        Err(_) => streams.to_vec(),
    }
}

fn descriptor(stream: Stream) -> BorrowedFd<'static> {
    match stream {
        Stream::Stdout => rustix::stdio::stdout(),
        Stream::Stderr => rustix::stdio::stderr(),
    }
}
