//! From what crossed the gateway to what stands in the cassette: decode, redact, decide, guard,
//! write.
//!
//! One thread does it in the order in which exchanges ended, so that the same traffic gives the
//! same cassette, and so that no thread which serves clients ever waits for a plugin's redaction or
//! a disk.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::mpsc;

use super::exchange_builder::{self, StreamCapture};
use super::{MemoryReservation, Outcome, Session, truncated_body};
use ouli_cassette::{
    Ack, CheckRejection, Completion, WriteCheck, WriteError, WriteRequest, Writer, body_digest,
};
use ouli_codec::content_coding;
use ouli_config::Limits;
use ouli_message::error_chain::error_chain;
use ouli_message::{Content, Exchange, Failure, Request, Response, Stream};
use ouli_plugin::{Decision, Plugins};
use ouli_redaction::{Guard, Secrets};

/// The limits of recording; the values come from `[limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecorderLimits {
    /// Exchanges that may wait to be recorded.
    pub queue: usize,
    /// How large a body or a message may become when it is decoded.
    pub decoded: content_coding::Bounds,
    /// Bytes of all messages of one conversation when they are decoded.
    pub decoded_stream: u64,
    /// Bytes of decoded exchanges that wait to be written.
    pub unwritten_bytes: usize,
    /// Bytes of a body that is kept in memory once it is written.
    pub inline_body: usize,
}

impl From<&Limits> for RecorderLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            queue: limits.recorder_queue,
            decoded: content_coding::Bounds {
                bytes: limits.decompressed_body as u64,
                ratio: limits.decompression_ratio as u64,
            },
            decoded_stream: limits.decompressed_stream as u64,
            unwritten_bytes: limits.recording_memory,
            inline_body: limits.inline_body,
        }
    }
}

/// An exchange as it crossed the gateway, bodies still coded.
#[derive(Debug)]
pub struct CapturedExchange {
    /// Name of the endpoint.
    pub endpoint: String,
    /// The request, its body as it was sent.
    pub request: Request,
    /// The response, its body as it was sent.
    pub response: Response,
    /// How it came, where it was a stream.
    pub stream: Option<StreamCapture>,
    /// How it failed, where it did.
    pub failure: Option<Failure>,
}

/// An exchange on its way to the cassette.
pub struct RecordJob {
    /// Where it belongs.
    pub session: Arc<Session>,
    /// What was captured.
    pub captured: CapturedExchange,
    /// The generation of plugins that the request saw.
    pub plugins: Arc<Plugins>,
    /// The last look before the disk.
    pub guard: Arc<Guard>,
    /// The cassette is continued instead of started anew, and what is recorded can be replayed at
    /// once.
    pub append: bool,
    /// The key under which others wait for it.
    pub pending_key: Option<u128>,
    /// What its bodies take of the budget.
    pub reservations: Vec<MemoryReservation>,
}

/// The way in. Clones feed the same thread.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Box<RecordJob>>,
}

impl Recorder {
    /// Starts the thread. It ends when all recorders are dropped, with everything written; the
    /// handle tells.
    pub fn start(
        writer: Arc<Writer>,
        bounds: RecorderLimits,
    ) -> std::io::Result<(Self, std::thread::JoinHandle<()>)> {
        let (queue, mut jobs) = mpsc::channel::<Box<RecordJob>>(bounds.queue);
        let thread = std::thread::Builder::new()
            .name("ouli-recorder".to_owned())
            .spawn(move || {
                let mut desk = RecorderWorker {
                    writer: &writer,
                    limits: bounds,
                    unwritten: Arc::default(),
                };
                while let Some(job) = jobs.blocking_recv() {
                    desk.record(*job);
                }
                if let Err(error) = writer.flush() {
                    tracing::error!("the last recordings: {}", error_chain(&error));
                }
            })?;
        Ok((Self { queue }, thread))
    }

    /// Hands an exchange over without waiting; gives it back where the queue is full.
    pub fn try_submit(&self, job: Box<RecordJob>) -> Result<(), Box<RecordJob>> {
        self.queue.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(job) | mpsc::error::TrySendError::Closed(job) => job,
        })
    }

    /// Waits for room in the queue for one exchange. None where the thread has ended.
    pub fn reserve(&self) -> impl Future<Output = Option<QueuePermit>> + Send + use<> {
        let queue = self.queue.clone();
        async move { queue.reserve_owned().await.ok().map(QueuePermit) }
    }
}

/// Room in the queue for one exchange.
pub struct QueuePermit(mpsc::OwnedPermit<Box<RecordJob>>);

impl QueuePermit {
    /// Hands an exchange over.
    pub fn submit(self, job: Box<RecordJob>) {
        self.0.send(job);
    }
}

/// What the thread works with.
struct RecorderWorker<'a> {
    writer: &'a Writer,
    limits: RecorderLimits,
    unwritten: Arc<UnwrittenBytes>,
}

/// Bytes of exchanges that the writer has and has not written yet. They are decoded, so they may be
/// far more than what was captured.
#[derive(Default)]
struct UnwrittenBytes {
    bytes: Mutex<usize>,
    freed: Condvar,
}

impl UnwrittenBytes {
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds bytes, once there is room for them; what is larger than all room is alone.
    fn acquire(&self, more: usize, most: usize) {
        let has_no_room = |bytes: &mut usize| *bytes > 0 && *bytes + more > most;
        let waited = self.freed.wait_while(self.lock(), has_no_room);
        *waited.unwrap_or_else(PoisonError::into_inner) += more;
    }

    fn release(&self, bytes: usize) {
        *self.lock() -= bytes;
        self.freed.notify_one();
    }
}

impl RecorderWorker<'_> {
    fn record(&mut self, job: RecordJob) {
        let session = Arc::clone(&job.session);
        let pending = job.pending_key;
        if let Err(outcome) = self.try_record(job) {
            log_outcome(&session, &outcome);
            session.counters().count(outcome);
            end_pending(&session, pending);
        }
    }

    fn try_record(&mut self, job: RecordJob) -> Result<(), Outcome> {
        let session = Arc::clone(&job.session);
        let mut exchange = exchange_builder::decode_exchange(job.captured, &self.limits)?;
        let rest = truncated_body::complete_body(&mut exchange)?;
        let redacted = job
            .plugins
            .redact(exchange, session.name(), session.secrets())
            .map_err(|failure| Outcome::Failed(failure.to_string()))?;
        for (rule, times) in &redacted.counts {
            session.counters().count_redactions(rule, *times);
        }
        let mut exchange = redacted.exchange;
        match job
            .plugins
            .decide(&exchange, session.name(), session.secrets())
        {
            Ok(Decision::Keep(tags)) => exchange.tags = tags,
            Ok(Decision::Skip(reason)) => return Err(Outcome::Skipped(reason)),
            Err(failure) => return Err(Outcome::Failed(failure.to_string())),
        }
        truncated_body::remove_suffix(&mut exchange, &rest);
        scan_binary_content(&exchange, &job.guard, session.secrets())?;
        rotate_once(&session, self.writer, job.append)?;
        let check = GuardCheck {
            guard: job.guard,
            secrets: Arc::clone(session.secrets()),
        };
        let size = content_bytes(&exchange);
        self.unwritten.acquire(size, self.limits.unwritten_bytes);
        let mut held = job.reservations;
        held.truncate(1);
        if let Some(hold) = held.first_mut() {
            hold.resize(size);
        }
        let kept = job.append.then(|| exchange.clone());
        let failed = exchange.failure.is_some();
        let (pending, inline) = (job.pending_key, self.limits.inline_body);
        let writing = Arc::clone(&self.unwritten);
        let item = WriteRequest {
            session: session.name().to_string(),
            exchange,
            check: Arc::new(check),
            completion: Completion::new(move |result| {
                let kept = kept.map(|kept| with_stored_bodies(kept, inline));
                finish(&session, result, kept, failed);
                end_pending(&session, pending);
                drop(held);
                writing.release(size);
            }),
        };
        self.writer.submit(item);
        Ok(())
    }
}

/// Bytes of all bodies and messages.
fn content_bytes(exchange: &Exchange) -> usize {
    let sizes = exchange.contents().map(|content| content.inline().len());
    sizes.sum()
}

/// An exchange as it is read back: large bodies stay beside the cassette.
fn with_stored_bodies(mut exchange: Exchange, inline: usize) -> Exchange {
    for content in exchange.contents_mut() {
        if let Content::Inline(bytes) = content
            && bytes.len() > inline
        {
            let (digest, size) = (body_digest(bytes), bytes.len() as u64);
            *content = Content::Stored { digest, size };
        }
    }
    exchange
}

fn end_pending(session: &Session, pending: Option<u128>) {
    if let Some(key) = pending {
        session.end_writing(key);
    }
}

/// Says on stderr what keeps an exchange out of the cassette, unless that is as the user wants it.
/// What fails for many, as where the disk is full, is said now and then.
fn log_outcome(session: &Session, outcome: &Outcome) {
    let complaints = &session.complaints;
    let session = session.name();
    match outcome {
        Outcome::Refused { reason, .. } => tracing::error!(%session, "not written: {reason}"),
        Outcome::Failed(reason) => match complaints.record_failure(reason, Instant::now()) {
            Some(0) => tracing::error!(%session, "not recorded: {reason}"),
            Some(more) => tracing::error!(%session, "not recorded: {reason} ({more} more before)"),
            None => {}
        },
        Outcome::Partial(reason) | Outcome::Dropped(reason) => {
            tracing::warn!(%session, "not recorded: {reason}");
        }
        Outcome::Skipped(reason) => tracing::debug!(%session, "not recorded: {reason}"),
        Outcome::Recorded | Outcome::RecordedFailure => {
            if let Some(count) = complaints.record_success() {
                tracing::warn!(%session, "recording again; {count} exchanges were not recorded");
            }
        }
        Outcome::Hit | Outcome::Miss => {}
    }
}

/// Bytes that are no text reach the disk as base64, so they are looked at as they are.
fn scan_binary_content(
    exchange: &Exchange,
    guard: &Guard,
    secrets: &Secrets,
) -> Result<(), Outcome> {
    let (request, response) = (&exchange.request, &exchange.response);
    let fields = request.fields.iter().chain(response.fields.iter());
    let values = fields.map(|(_, value)| value.as_bytes());
    let bodies = [&request.body, &response.body].map(|body| body.inline());
    let turns = exchange.stream.iter().flat_map(Stream::messages);
    let turns = turns.map(|turn| turn.kind.inline_bytes());
    for bytes in values.chain(bodies).chain(turns) {
        if std::str::from_utf8(bytes).is_err() {
            let looked = guard.scan(bytes, secrets);
            looked.map_err(|refusal| Outcome::Refused {
                reason: refusal.to_string(),
                rule: refusal.rule,
            })?;
        }
    }
    Ok(())
}

fn finish(
    session: &Session,
    result: Result<Ack, WriteError>,
    kept: Option<Exchange>,
    failed: bool,
) {
    let outcome = match result {
        Ok(ack) => {
            if let Some(exchange) = kept {
                session.add(super::Entry::just_recorded(ack.ordinal, exchange));
            }
            if failed {
                Outcome::RecordedFailure
            } else {
                Outcome::Recorded
            }
        }
        Err(WriteError::Refused(CheckRejection { rule, reason })) => {
            Outcome::Refused { rule, reason }
        }
        Err(error) => Outcome::Failed(error_chain(&error)),
    };
    log_outcome(session, &outcome);
    session.counters().count(outcome);
}

/// Before the first exchange of a session that records anew is written: the old cassette is put
/// aside. Where that fails, the next exchange tries again.
fn rotate_once(session: &Session, writer: &Writer, append: bool) -> Result<(), Outcome> {
    if append {
        return Ok(());
    }
    let mut cassette = session.lock_cassette();
    if cassette.rotated {
        return Ok(());
    }
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let done = Completion::new(move |outcome| {
        // The other end waits below.
        let _ = tell.send(outcome);
    });
    writer.rotate(session.name(), done);
    let outcome = told.recv().unwrap_or(Err(WriteError::Closed));
    outcome.map_err(|error| Outcome::Failed(error_chain(&error)))?;
    cassette.rotated = true;
    Ok(())
}

/// The guard with the secrets of one session.
#[derive(Debug)]
struct GuardCheck {
    guard: Arc<Guard>,
    secrets: Arc<Secrets>,
}

impl WriteCheck for GuardCheck {
    fn check(&self, bytes: &[u8]) -> Result<(), CheckRejection> {
        let result = self.guard.scan(bytes, &self.secrets);
        result.map_err(|refusal| CheckRejection {
            reason: refusal.to_string(),
            rule: refusal.rule,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwritten_bytes_are_bounded_except_for_one_oversized_exchange() {
        let writing = UnwrittenBytes::default();
        writing.acquire(50, 10);
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                writing.acquire(1, 10);
                tell.send(()).unwrap();
            });
            let early = told.recv_timeout(std::time::Duration::from_millis(50));
            assert!(early.is_err());
            writing.release(50);
            told.recv().unwrap();
        });
        writing.acquire(9, 10);
        assert_eq!(*writing.lock(), 10);
    }
}
