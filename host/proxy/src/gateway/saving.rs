//! The end of the recorder and the writer, within the time of the shutdown.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::shutdown::{Deadline, Joined};
use crate::handler::SharedState;
use crate::session::{Counters, Recorder};
use ouli_cassette::Writer;
use ouli_config::Defect;

/// How often a full queue is tried.
const RETRY_INTERVAL: Duration = Duration::from_millis(5);

/// What writes the recordings.
pub(super) struct Saving {
    pub(super) recorder: JoinHandle<()>,
    pub(super) writer: Arc<Writer>,
}

impl Saving {
    /// Records what is queued and writes it to the disk until the deadline. What is left then is
    /// unwritten; its cassettes stay marked as incomplete.
    pub(super) fn finish(self, shared: &SharedState, deadline: Deadline) {
        let counters = &shared.counters;
        let Self { recorder, writer } = self;
        match end_recorder(&shared.recorder, recorder, deadline) {
            Joined::Ended => {}
            Joined::Panicked => {
                let reason = "the recorder thread panicked; its last exchanges may be missing";
                tracing::error!("{reason}");
                counters.count_defects(Defect::NotWritten, reason, 1);
            }
            Joined::Abandoned => {
                shared.recorder.abandon();
                tracing::error!(
                    "the recorder did not finish within a second after limits.shutdown_timeout; \
                     the exchanges in its queue are not written"
                );
                // What is written is with the system. No sync begins now: the process could not end
                // before it, and no cassette is marked as complete.
                return;
            }
        }
        let closed = Arc::clone(&writer);
        match deadline.run(move || closed.close()) {
            // Nothing is lost if there is no time for it: a reader sorts what it reads.
            Some(Ok(())) => drop(deadline.run(move || writer.sort_closed())),
            Some(Err(error)) => count_last_recordings(counters, &error.to_string()),
            None => count_last_recordings(counters, "the disk is too slow"),
        }
    }
}

/// Ends the recorder after the exchanges in its queue.
fn end_recorder(recorder: &Recorder, thread: JoinHandle<()>, deadline: Deadline) -> Joined {
    while !recorder.end() && !deadline.remaining().is_zero() {
        std::thread::sleep(RETRY_INTERVAL);
    }
    deadline.join(thread)
}

fn count_last_recordings(counters: &Counters, error: &str) {
    let reason = format!("cannot write the last recordings: {error}");
    tracing::error!("{reason}");
    counters.count_defects(Defect::NotWritten, &reason, 1);
}
