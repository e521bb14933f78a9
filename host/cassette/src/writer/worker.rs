//! The loop of the writer's thread: it takes commands from the queue and writes them in batches.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use super::batch_writer::BatchWriter;
use super::completion::Completion;
use super::options::WriterOptions;
use super::request::WriteRequest;
use super::start_order::StartOrder;
use ouli_message::Content;

/// The thread panics while it writes to a session of this name.
#[cfg(test)]
pub(super) const PANIC: &str = "panic";

/// A command to the writer's thread.
pub(super) enum Command {
    Append(Box<WriteRequest>),
    Claim(String, Completion<()>),
    Rotate(String, Completion<()>),
    Release(String, Completion<()>),
    EndRun(String, Completion<()>),
    PutInOrder(String, Option<Arc<StartOrder>>, Completion<()>),
    Flush(Completion<()>),
    Close(Completion<()>),
}

/// How far a writer is.
enum Phase {
    Open,
    /// Those commands are handled that are still queued.
    Closing(Completion<()>),
    Closed,
}

/// Handles commands until `Close`, and then the commands that are still queued. A panic is the
/// failure of what was staged, and of the command at which it happened: their completions are
/// called, and the next command is handled.
pub(super) fn run(queue: &Receiver<Command>, writer: &mut BatchWriter, options: WriterOptions) {
    let mut phase = Phase::Open;
    loop {
        let work = || handle_all(queue, writer, options, &mut phase);
        if catch_unwind(AssertUnwindSafe(work)).is_ok() || matches!(phase, Phase::Closed) {
            return;
        }
        if catch_unwind(AssertUnwindSafe(|| writer.recover())).is_err() {
            writer.open_cassettes.clear();
        }
    }
}

fn handle_all(
    queue: &Receiver<Command>,
    writer: &mut BatchWriter,
    options: WriterOptions,
    phase: &mut Phase,
) {
    while let Some(first) = next(queue, writer, matches!(phase, Phase::Closing(_))) {
        let mut batch_room = options.max_batch.get();
        let mut batch_bytes = 0;
        let mut next_command = Some(first);
        while let Some(command) = next_command.take() {
            match command {
                Command::Append(request) => {
                    batch_bytes += request.exchange.contents().map(Content::size).sum::<u64>();
                    #[cfg(test)]
                    assert_ne!(request.session, PANIC);
                    writer.add(*request);
                }
                Command::Claim(session, completion) => {
                    completion.complete(writer.claim(&session));
                }
                Command::Rotate(session, completion) => {
                    completion.complete(writer.rotate(&session));
                }
                Command::Release(session, completion) => {
                    completion.complete(writer.release(&session));
                }
                Command::EndRun(session, completion) => {
                    completion.complete(writer.end_run(&session));
                }
                Command::PutInOrder(session, current, completion) => {
                    completion.complete(writer.put_in_order(&session, current.as_deref()));
                }
                Command::Flush(completion) => completion.complete(writer.flush()),
                Command::Close(completion) => *phase = Phase::Closing(completion),
            }
            batch_room -= 1;
            if batch_room > 0 && batch_bytes < options.max_batch_bytes {
                next_command = queue.try_recv().ok();
            }
        }
        writer.commit();
    }
    match std::mem::replace(phase, Phase::Closed) {
        Phase::Closing(completion) => completion.complete(writer.finish()),
        // Every handle is gone without a close, so nothing is marked as complete. The error was
        // reported.
        Phase::Open | Phase::Closed => drop(writer.flush()),
    }
}

/// The next command; `None` at the end. Wakes up whenever a sync is due.
fn next(queue: &Receiver<Command>, writer: &mut BatchWriter, closing: bool) -> Option<Command> {
    if closing {
        return queue.try_recv().ok();
    }
    while let Some(timeout) = writer.time_until_sync() {
        match queue.recv_timeout(timeout) {
            Ok(command) => return Some(command),
            Err(RecvTimeoutError::Timeout) => writer.commit(),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    queue.recv().ok()
}
