//! The loop of the writer's thread: it takes commands from the queue and writes them in batches.

use std::sync::mpsc::{Receiver, RecvTimeoutError};

use super::batch_writer::BatchWriter;
use super::completion::Completion;
use super::options::WriterOptions;
use super::request::WriteRequest;
use ouli_message::Content;

/// A command to the writer's thread.
pub(super) enum Command {
    Append(Box<WriteRequest>),
    Claim(String, Completion<()>),
    Rotate(String, Completion<()>),
    Release(String, Completion<()>),
    EndRun(String, Completion<()>),
    Flush(Completion<()>),
    Close(Completion<()>),
}

/// Handles commands until `Close`, and then the commands that are still queued.
pub(super) fn run(queue: &Receiver<Command>, writer: &mut BatchWriter, options: WriterOptions) {
    let mut closing: Option<Completion<()>> = None;
    while let Some(first) = next(queue, writer, closing.is_some()) {
        let mut batch_room = options.max_batch.get();
        let mut batch_bytes = 0;
        let mut next_command = Some(first);
        while let Some(command) = next_command.take() {
            match command {
                Command::Append(request) => {
                    batch_bytes += request.exchange.contents().map(Content::size).sum::<u64>();
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
                Command::Flush(completion) => completion.complete(writer.flush()),
                Command::Close(completion) => closing = Some(completion),
            }
            batch_room -= 1;
            if batch_room > 0 && batch_bytes < options.max_batch_bytes {
                next_command = queue.try_recv().ok();
            }
        }
        writer.commit();
    }
    match closing {
        Some(completion) => completion.complete(writer.finish()),
        // Every handle is gone without a close, so nothing is marked as complete. The error was
        // reported.
        None => drop(writer.flush()),
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
