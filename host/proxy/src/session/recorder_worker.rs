//! Records one exchange: decode, redact, apply policies, check, write.

use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic;
use std::sync::mpsc::sync_channel;

use bytes::Bytes;

use super::captured_exchange::CapturedExchange;
use super::job_memory::{self, JobMemory};
use super::memory_budget::MemoryReservation;
use super::outcome::Outcome;
use super::pending_writes::{PendingKey, UnwrittenExchange};
use super::record_check::GuardCheck;
use super::record_job::RecordJob;
use super::recorder_handle::RecorderHandle;
use super::recorder_limits::RecorderLimits;
use super::session_state::Session;
use super::stale_digests::OriginalBodies;
#[cfg(test)]
use super::test_exchange;
use super::unwritten_bytes::{AcquiredBytes, UnwrittenBytes};
use super::{
    exchange_builder, outcome_log, record_check, recorded_values, stored_bodies, told,
    truncated_body, truncated_request, websocket_exchange,
};
use ouli_cassette::{Ack, CheckRejection, Completion, WriteError, WriteRequest, Writer};
use ouli_config::Defect;
use ouli_message::error_chain::error_chain;
use ouli_message::{CodedBody, Content, Exchange};
use ouli_plugin::{Decision, Plugins};
use ouli_redaction::GuardRejection;

/// The state of the recorder's thread.
pub(super) struct RecorderWorker<'a> {
    writer: &'a Writer,
    limits: RecorderLimits,
    unwritten: Arc<UnwrittenBytes>,
}

impl<'a> RecorderWorker<'a> {
    pub(super) fn new(writer: &'a Writer, limits: RecorderLimits) -> Self {
        Self {
            writer,
            limits,
            unwritten: Arc::default(),
        }
    }

    /// Records an exchange, and reports the outcome. A panic is the failure of this exchange alone.
    pub(super) fn record(&self, job: RecordJob) {
        let session = job.session.clone();
        // Held until the outcome is counted.
        let _held = (job.unwritten.clone(), job.pending_key.clone());
        let recorded = catch_unwind(AssertUnwindSafe(|| self.try_record(job)));
        if let Err(outcome) = recorded.unwrap_or_else(|_| Err(panicked())) {
            outcome_log::report(&session, outcome);
        }
    }

    fn try_record(&self, job: RecordJob) -> Result<(), Outcome> {
        #[cfg(test)]
        assert_ne!(job.captured.request.target, test_exchange::PANIC);
        let session = job.session;
        if session.all_runs.lost_secrets {
            return Err(record_check::refused(GuardRejection::forgotten_session()));
        }
        let mut check = GuardCheck {
            guard: job.guard,
            secrets: Arc::clone(session.secrets()),
            known: None,
            inline_body: self.limits.inline_body,
            plugins: Arc::clone(&job.plugins),
            session: Arc::clone(session.name()),
        };
        let limits = (self.limits.unwritten_bytes, self.limits.offload_size);
        let mut memory = JobMemory::new(job.reservations, self.unwritten.begin(), limits);
        let begun = session.secrets().begin_exchange();
        let job_context = (&*job.plugins, &check);
        let received = Received {
            captured: job.captured,
            response_begun: job.response_begun,
            is_looked_up: job.append,
        };
        let exchange = self.redacted_exchange(&session, job_context, received, &mut memory);
        drop(job.unredacted);
        outcome_log::count_forgotten_secrets(&session);
        let exchange = exchange?;
        check.known = Some(session.secrets().known());
        check.check_all_known(begun)?;
        check.scan_binary_content(&exchange)?;
        if !job.append {
            rotate_once(&session, self.writer)?;
        }
        let (reservation, unwritten_bytes) = memory.settle(job_memory::inline_size(&exchange));
        let replayable = job.append.then(|| exchange.clone());
        let completion = self.completion(PendingWrite {
            session: session.clone(),
            replayable,
            failed: exchange.failure.is_some(),
            _pending_key: job.pending_key,
            _unwritten: job.unwritten,
            _reservation: reservation,
            _unwritten_bytes: unwritten_bytes,
        });
        self.writer.submit(WriteRequest {
            session: session.name().to_string(),
            is_recording: !job.append,
            exchange,
            start: job.start,
            check: Arc::new(check),
            is_told: session.secrets().take_told(),
            completion,
        });
        Ok(())
    }

    /// Decodes an exchange, redacts it, and applies the recording policies.
    fn redacted_exchange(
        &self,
        session: &Session,
        (plugins, check): (&Plugins, &GuardCheck),
        received: Received,
        memory: &mut JobMemory,
    ) -> Result<Exchange, Outcome> {
        memory.begin_work(received.captured.size(), 0);
        let response_begun = received.response_begun;
        let (mut exchange, form) =
            exchange_builder::decode_exchange(received.captured, &self.limits)?;
        told::learn(&exchange, session.secrets(), received.is_looked_up);
        let parts = job_memory::parts(&exchange);
        memory.begin_work(job_memory::inline_size(&exchange), parts);
        let suffix = truncated_body::complete_body(&mut exchange)?;
        let request_suffix = truncated_request::complete(&mut exchange.request)?;
        let original_bodies = OriginalBodies::of(&exchange);
        let exchange = (exchange, response_begun);
        let redacted = plugins
            .redact_timed(exchange, session.name(), session.secrets())
            .map_err(|failure| Outcome::Failed(Defect::PluginError, failure.to_string()))?;
        for (rule, times) in &redacted.counts {
            session.counters().count_redactions(rule, *times);
        }
        let mut exchange = redacted.exchange;
        recorded_values::rename(&mut exchange, session);
        websocket_exchange::check_control_frames(&exchange)?;
        original_bodies.remove_stale_digests(&mut exchange);
        form.settle(&mut exchange, check, |exchange, bytes| {
            is_unchanged_by_redaction(plugins, session, exchange, bytes)
        })?;
        match plugins.decide(&exchange, session.name(), session.secrets()) {
            Ok(Decision::Keep(tags)) => exchange.tags = tags,
            Ok(Decision::Skip(reason)) => return Err(Outcome::Skipped(reason)),
            Err(failure) => {
                return Err(Outcome::Failed(Defect::PluginError, failure.to_string()));
            }
        }
        truncated_body::remove_suffix(&mut exchange, &suffix);
        truncated_request::remove_suffix(&mut exchange.request, &request_suffix);
        let (secrets, guard) = (session.secrets(), &check.guard);
        truncated_request::check_end(&exchange.request, plugins, secrets, guard)?;
        Ok(exchange)
    }

    fn completion(&self, write: PendingWrite) -> Completion<Ack> {
        let inline_body = self.limits.inline_body;
        Completion::new(move |result| {
            let session = write.session.clone();
            let finished = catch_unwind(AssertUnwindSafe(|| write.finish(result, inline_body)));
            if finished.is_err() {
                outcome_log::report(&session, panicked());
            }
        })
    }
}

/// True if the body of this response would not change if it was these bytes.
fn is_unchanged_by_redaction(
    plugins: &Plugins,
    session: &Session,
    exchange: &Exchange,
    bytes: &Bytes,
) -> Result<bool, Outcome> {
    let mut probe = exchange.clone();
    probe.stream = None;
    probe.response.coded = CodedBody::Derived;
    probe.response.body = Content::Inline(bytes.clone());
    let redacted = plugins.redact(probe, session.name(), session.secrets());
    let redacted =
        redacted.map_err(|failure| Outcome::Failed(Defect::PluginError, failure.to_string()))?;
    Ok(redacted.exchange.response.body.inline() == *bytes)
}

/// An exchange as it was captured.
struct Received {
    captured: CapturedExchange,
    /// The time of the registry of secrets when the response began.
    response_begun: u64,
    /// Later requests of the run are looked up, so what it tells was learned as it arrived.
    is_looked_up: bool,
}

/// An exchange that was passed to the writer.
struct PendingWrite {
    session: RecorderHandle,
    /// A copy of the exchange, if it can be replayed once it is written.
    replayable: Option<Exchange>,
    failed: bool,
    // Dropped after the outcome was counted.
    _pending_key: Option<PendingKey>,
    _unwritten: UnwrittenExchange,
    _reservation: Option<MemoryReservation>,
    _unwritten_bytes: AcquiredBytes,
}

impl PendingWrite {
    fn finish(self, result: Result<Ack, WriteError>, inline_body: usize) {
        let session = &self.session;
        let outcome = match result {
            Ok(ack) => {
                session.all_runs.set_stamp(ack.stamp);
                if let Some(exchange) = self.replayable {
                    let exchange = stored_bodies::refer_to(exchange, inline_body);
                    session.keep_recorded(ack.place, exchange);
                }
                if self.failed {
                    Outcome::RecordedFailure
                } else {
                    Outcome::Recorded
                }
            }
            Err(WriteError::Refused(CheckRejection { rule, reason })) => {
                Outcome::Refused { rule, reason }
            }
            Err(error) => Outcome::Failed(Defect::NotWritten, error_chain(&error)),
        };
        outcome_log::report(session, outcome);
    }
}

/// The outcome of an exchange at which the gateway panicked. The message of the panic is in the
/// log; it may have a part of a secret.
fn panicked() -> Outcome {
    let reason = "the gateway itself failed at it; the log has the place";
    Outcome::Failed(Defect::NotWritten, reason.to_owned())
}

/// Starts a new cassette before the first exchange of a run is written. If that fails, the next
/// exchange tries again.
fn rotate_once(session: &Session, writer: &Writer) -> Result<(), Outcome> {
    let all_runs = &session.all_runs;
    let _rotation = all_runs.rotation.lock();
    let rotated_by = all_runs.rotated_by.load(atomic::Ordering::Acquire);
    match session.run().cmp(&rotated_by) {
        Ordering::Greater => {}
        Ordering::Equal => return Ok(()),
        Ordering::Less => {
            let reason = "it ended after the next run had started a new cassette";
            return Err(Outcome::Failed(Defect::NotWritten, reason.to_owned()));
        }
    }
    let (sender, receiver) = sync_channel(1);
    let completion = Completion::new(move |outcome| {
        // The receiver waits below.
        let _ = sender.send(outcome);
    });
    writer.rotate(session.name(), completion);
    let outcome = receiver.recv().unwrap_or(Err(WriteError::Closed));
    outcome.map_err(|error| Outcome::Failed(Defect::NotWritten, error_chain(&error)))?;
    let run = session.run();
    all_runs.rotated_by.store(run, atomic::Ordering::Release);
    Ok(())
}
