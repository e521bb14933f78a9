//! The recorder's thread and its queue.
//!
//! One thread processes exchanges in the order in which they ended, so that threads that serve
//! clients never wait for redaction or the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use super::record_job::RecordJob;
use super::recorder_limits::RecorderLimits;
use super::recorder_worker::RecorderWorker;
use super::session_state::Session;
use ouli_cassette::{StartOrder, Writer};
use ouli_message::error_chain::error_chain;

/// The sender of the queue. Clones feed the same thread.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Job>,
    writer: Arc<Writer>,
    is_abandoned: Arc<AtomicBool>,
}

/// What the thread does next.
enum Job {
    Record(Box<RecordJob>),
    /// Take no more exchanges. Those that are queued are recorded, then the thread ends.
    End,
}

impl Recorder {
    /// Starts the thread. It writes everything and ends after `end`, or once all recorders
    /// are dropped.
    pub fn start(
        writer: Arc<Writer>,
        limits: RecorderLimits,
    ) -> std::io::Result<(Self, std::thread::JoinHandle<()>)> {
        let (queue, mut jobs) = mpsc::channel::<Job>(limits.queue);
        let thread_writer = Arc::clone(&writer);
        let is_abandoned = Arc::new(AtomicBool::new(false));
        let must_end = Arc::clone(&is_abandoned);
        let thread = std::thread::Builder::new()
            .name("ouli-recorder".to_owned())
            .spawn(move || {
                let worker = RecorderWorker::new(&thread_writer, limits);
                while let Some(job) = jobs.blocking_recv() {
                    match job {
                        Job::Record(job) => worker.record(*job),
                        Job::End => jobs.close(),
                    }
                    if must_end.load(Ordering::Acquire) {
                        // Dropped, the exchanges in the queue would count as settled. They are to
                        // be counted as not written.
                        std::mem::forget(jobs);
                        return;
                    }
                }
                if let Err(error) = thread_writer.flush() {
                    tracing::error!("cannot write the last recordings: {}", error_chain(&error));
                }
            })?;
        let recorder = Self {
            queue,
            writer,
            is_abandoned,
        };
        Ok((recorder, thread))
    }

    /// Queues an exchange without waiting; returns it if the queue is full.
    pub fn try_submit(&self, job: Box<RecordJob>) -> Result<(), Box<RecordJob>> {
        match self.queue.try_reserve() {
            Ok(permit) => {
                permit.send(Job::Record(job));
                Ok(())
            }
            Err(_) => Err(job),
        }
    }

    /// Tells the thread to end after the exchanges that are queued. Returns false if the queue is
    /// full: then it has to be told again.
    pub(crate) fn end(&self) -> bool {
        let sent = self.queue.try_send(Job::End);
        !matches!(sent, Err(mpsc::error::TrySendError::Full(_)))
    }

    /// Tells the thread to end after the exchange that it works on. Those in the queue stay there,
    /// unwritten, until the process ends.
    pub(crate) fn abandon(&self) {
        self.is_abandoned.store(true, Ordering::Release);
    }

    /// Marks the cassette that a run recorded as complete, once its exchanges are on the disk, and
    /// puts it into the order in which the requests began. Of a run that appended to a cassette,
    /// only the order is left; `current` has the requests of the run after it. Does nothing if a
    /// later run has started a new cassette.
    pub(crate) async fn end_run(&self, session: Arc<Session>, current: Option<Arc<StartOrder>>) {
        let writer = Arc::clone(&self.writer);
        let ended = tokio::task::spawn_blocking(move || {
            // Held so that no later run starts its cassette meanwhile.
            let _rotation = session.all_runs.rotation.lock();
            let ended = match session.all_runs.rotated_by.load(Ordering::Acquire) {
                0 if session.start_order().is_unordered() => {
                    writer.put_in_order(session.name(), current)
                }
                run if run == session.run() => writer.end_run(session.name()),
                _ => Ok(()),
            };
            if let Err(error) = ended {
                let error = error_chain(&error);
                tracing::error!(session = &**session.name(), "cannot end the run: {error}");
            }
        });
        let _ = ended.await;
    }

    /// Waits for room for one exchange in the queue; `None` if the thread has ended.
    pub fn reserve(&self) -> impl Future<Output = Option<QueuePermit>> + Send + use<> {
        let queue = self.queue.clone();
        async move { queue.reserve_owned().await.ok().map(QueuePermit) }
    }
}

/// Room for one exchange in the queue.
pub struct QueuePermit(mpsc::OwnedPermit<Job>);

impl QueuePermit {
    /// Queues an exchange.
    pub fn submit(self, job: Box<RecordJob>) {
        self.0.send(Job::Record(job));
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use super::super::Sessions;
    use super::super::captured_exchange::CapturedExchange;
    use super::super::recorder_handle::RecorderHandle;
    use super::super::test_exchange::{PANIC, exchange};
    use super::*;
    use ouli_cassette::{CassetteDir, SyncPolicy, WriterOptions};
    use ouli_codec::grpc::Schema;
    use ouli_config::{Defect, Limits};
    use ouli_plugin::Plugins;
    use ouli_redaction::Guard;

    fn job(session: &Arc<Session>, target: &str, key: u128) -> Box<RecordJob> {
        let mut exchange = exchange();
        exchange.request.target = target.to_owned();
        Box::new(RecordJob {
            session: RecorderHandle::new(Arc::clone(session)),
            captured: CapturedExchange {
                endpoint: exchange.endpoint,
                request: exchange.request,
                response: exchange.response,
                stream: None,
                failure: None,
            },
            response_begun: session.secrets().now(),
            unredacted: session.unredacted_exchange(),
            plugins: Arc::new(Plugins::new(Vec::new(), &[], Schema::default()).unwrap()),
            start: None,
            guard: Arc::new(Guard::new(&[])),
            append: true,
            pending_key: Some(session.begin_writing(key)),
            unwritten: session.unwritten_exchange(),
            reservations: Vec::new(),
        })
    }

    /// A folder, its sessions, and a recorder for them.
    fn started(home: &std::path::Path) -> (Sessions, Recorder, std::thread::JoinHandle<()>) {
        let folder = CassetteDir::open(home, 1 << 20).unwrap();
        let options = WriterOptions {
            queue: NonZero::new(4).unwrap(),
            max_batch: NonZero::new(4).unwrap(),
            max_batch_bytes: 1 << 20,
            max_open: NonZero::new(4).unwrap(),
            inline_limit: 1 << 20,
            sync: SyncPolicy::Close,
        };
        let writer = Writer::start(folder.clone(), options, Box::new(|_, _, _| {})).unwrap();
        let limits = Limits::default();
        let sessions = Sessions::new(Arc::new(folder), &limits, Vec::new());
        let (recorder, thread) =
            Recorder::start(Arc::new(writer), RecorderLimits::from(&limits)).unwrap();
        (sessions, recorder, thread)
    }

    #[test]
    fn what_is_in_the_queue_of_an_abandoned_recorder_is_counted() {
        let home = tempfile::tempdir().unwrap();
        let (sessions, recorder, thread) = started(home.path());
        let session = sessions.get_or_create("x").unwrap();
        recorder.abandon();
        // It ends after the first one.
        for key in 0..3 {
            assert!(recorder.try_submit(job(&session, "/", key)).is_ok());
        }
        thread.join().unwrap();
        while session.counters().recorded() == 0 || session.unwritten_count() > 2 {
            std::thread::yield_now();
        }
        sessions.count_unwritten();
        let reasons = session.counters().reasons();
        let counts = format!("{:?}", reasons.defects.get(&Defect::NotWritten));
        assert!(counts.contains(": 2"), "{counts}");
    }

    #[tokio::test]
    async fn a_panic_is_counted_and_the_next_exchange_is_recorded() {
        let home = tempfile::tempdir().unwrap();
        let (sessions, recorder, thread) = started(home.path());
        let session = sessions.get_or_create("x").unwrap();
        for (target, key) in [(PANIC, 1), ("/", 2)] {
            assert!(recorder.try_submit(job(&session, target, key)).is_ok());
        }
        session.wait_for_writes().await;
        assert_eq!(session.counters().recorded(), 1);
        let reasons = session.counters().reasons();
        let reason = format!("{:?}", reasons.defects.get(&Defect::NotWritten));
        assert!(reason.contains("the gateway itself failed"), "{reason}");
        // Nobody waits for the key of the exchange that failed.
        let all_writes = session.all_runs.writes.wait_for_earlier(1, u64::MAX);
        all_writes.await;
        drop(recorder);
        thread.join().unwrap();
    }
}
