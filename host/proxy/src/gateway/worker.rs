//! Worker threads. Each has its own single-threaded runtime, so that a connection stays on one
//! core.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::mpsc;

use super::resizable_semaphore::PermitDebt;
use super::shutdown::{Deadline, Joined};
use super::thread_priority;
use crate::handler::{RequestHandler, SharedState};
use ouli_net::drain::{Drain, DrainGuard};
use ouli_net::server::{self, ListenerConfig, SharedConnectionLimiter};
use ouli_net::tls::ServerConfig;

/// A task for a worker.
pub(super) enum Task {
    /// Accept connections from a socket.
    Accept(Box<AcceptTask>),
    /// Remove permits as they are released.
    SettleDebt(PermitDebt),
}

/// A socket to accept connections from.
pub(super) struct AcceptTask {
    pub(super) socket: TcpListener,
    pub(super) endpoint: Arc<str>,
    pub(super) bounds: server::Bounds,
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// Ends the accept loop, which holds the guard.
    pub(super) accepting: (Drain, DrainGuard),
    /// Ends the connections, which hold its guards.
    pub(super) connection_drain: Drain,
}

/// How many tasks run before the sockets are looked at again. Some tasks are ready again at once,
/// such as a connection with pipelined requests: with tokio's 61, two of them delay all others by a
/// tenth of a second. A look costs a microsecond.
const TASKS_PER_EVENT_POLL: u32 = 8;

/// Threads of one worker that read files and work on large bodies. More of them would only compete
/// for the disk and the processors; further work waits.
const MAX_BLOCKING_THREADS: usize = 64;

/// A worker thread.
pub(super) struct Worker {
    tasks: mpsc::Sender<Task>,
    thread: JoinHandle<()>,
}

impl Worker {
    pub(super) fn start(
        number: usize,
        shared: Arc<SharedState>,
        connections: SharedConnectionLimiter,
    ) -> io::Result<Self> {
        // Room for a task of every endpoint.
        let capacity = shared.snapshot.load().config.limits.endpoints;
        let (tasks, queue) = mpsc::channel(capacity);
        let runtime = Builder::new_current_thread()
            .enable_all()
            .event_interval(TASKS_PER_EVENT_POLL)
            .max_blocking_threads(MAX_BLOCKING_THREADS)
            // Of such a runtime, these are the blocking threads alone.
            .on_thread_start(thread_priority::lower)
            .build()?;
        let (started, wait_started) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name(format!("ouli-worker-{number}"))
            .spawn(move || {
                runtime.block_on(RequestHandler::warm_up(&shared, number));
                // The receiver waits below.
                let _ = started.send(());
                runtime.block_on(work(queue, shared, number, connections));
                // Drops the remaining tasks. A blocking call, such as a read, is not waited for.
                runtime.shutdown_background();
            })?;
        if wait_started.recv().is_err() {
            return Err(io::Error::other("a worker thread panicked at its start"));
        }
        Ok(Self { tasks, thread })
    }

    /// Queues a task; waits while the queue is full. Returns false if the worker has ended or the
    /// gateway stops.
    pub(super) fn send(&self, task: Task, stopped: &AtomicBool) -> bool {
        let mut task = task;
        while !stopped.load(Ordering::Acquire) {
            match self.tasks.try_send(task) {
                Ok(()) => return true,
                Err(mpsc::error::TrySendError::Closed(_)) => return false,
                // The caller may run in a runtime, where `blocking_send` panics.
                Err(mpsc::error::TrySendError::Full(returned)) => task = returned,
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        false
    }

    /// Ends the thread; its remaining tasks are dropped. A thread that does not end in time is left
    /// to the end of the process.
    pub(super) fn end(self, deadline: Deadline) {
        drop(self.tasks);
        match deadline.join(self.thread) {
            Joined::Ended => {}
            Joined::Panicked => tracing::error!("a worker thread panicked"),
            Joined::Abandoned => tracing::error!("a worker thread is busy and was abandoned"),
        }
    }
}

async fn work(
    mut queue: mpsc::Receiver<Task>,
    shared: Arc<SharedState>,
    worker: usize,
    connections: SharedConnectionLimiter,
) {
    while let Some(task) = queue.recv().await {
        match task {
            Task::Accept(task) => start_accepting(*task, &shared, worker, &connections),
            Task::SettleDebt(debt) => {
                let mut stop = shared.drain.signal();
                shared.drain.spawn(async move {
                    tokio::select! {
                        () = debt.settle() => {}
                        () = stop.draining() => {}
                    }
                });
            }
        }
    }
}

fn start_accepting(
    task: AcceptTask,
    shared: &Arc<SharedState>,
    worker: usize,
    connections: &SharedConnectionLimiter,
) {
    let handler = RequestHandler {
        endpoint: Arc::clone(&task.endpoint),
        shared: Arc::clone(shared),
        worker,
    };
    let (accepting, guard) = task.accepting;
    let stop = accepting.signal();
    let config = ListenerConfig {
        endpoint: Arc::clone(&task.endpoint),
        bounds: task.bounds,
        tls: task.tls,
        limiter: Arc::clone(connections),
        drain: task.connection_drain,
    };
    accepting.spawn(async move {
        let served = server::serve(task.socket, config, handler, stop);
        if let Err(error) = served.await {
            tracing::error!("endpoint {}: {error}", task.endpoint);
        }
        drop(guard);
    });
}
