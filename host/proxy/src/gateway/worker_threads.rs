//! The threads that serve: each a runtime of its own, so that a connection never leaves its core's
//! caches.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::mpsc;

use super::resizable_quota::PermitDebt;
use crate::handler::{RequestHandler, SharedState};
use ouli_net::drain::{Drain, DrainGuard};
use ouli_net::server::{self, ListenerConfig, SharedConnectionLimiter};

/// What a worker is asked to do.
pub(super) enum Task {
    /// Accept from a socket.
    Accept(Box<AcceptTask>),
    /// Take places out of use as they come back.
    SettleDebt(PermitDebt),
}

/// A socket to accept from.
pub(super) struct AcceptTask {
    pub(super) socket: TcpListener,
    pub(super) endpoint: Arc<str>,
    pub(super) bounds: server::Bounds,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    /// Ends the accepting, and is kept open by it.
    pub(super) accepting: (Drain, DrainGuard),
    /// Ends the connections, and is kept open by them.
    pub(super) connection_drain: Drain,
}

/// A thread that serves.
pub(super) struct Worker {
    tasks: mpsc::Sender<Task>,
    thread: JoinHandle<()>,
}

impl Worker {
    pub(super) fn start(
        number: usize,
        live: Arc<SharedState>,
        slots: SharedConnectionLimiter,
    ) -> io::Result<Self> {
        // One place for each endpoint that there may be.
        let most = live.snapshot.load().config.limits.endpoints;
        let (tasks, queue) = mpsc::channel(most);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (tell, ready) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name(format!("ouli-worker-{number}"))
            .spawn(move || {
                runtime.block_on(RequestHandler::warm_up(&live, number));
                // Who started it waits below.
                let _ = tell.send(());
                runtime.block_on(work(queue, live, number, slots));
                // What is at work there is dropped. What blocks, such as a look-up of a name, is
                // not waited for.
                runtime.shutdown_background();
            })?;
        if ready.recv().is_err() {
            return Err(io::Error::other("a worker broke as it started"));
        }
        Ok(Self { tasks, thread })
    }

    /// Hands it a task; waits while its queue is full. False where it has ended.
    pub(super) fn send(&self, task: Task) -> bool {
        let mut task = task;
        loop {
            match self.tasks.try_send(task) {
                Ok(()) => return true,
                Err(mpsc::error::TrySendError::Closed(_)) => return false,
                // The caller may be within a runtime, where it must not block for it.
                Err(mpsc::error::TrySendError::Full(given_back)) => task = given_back,
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends the thread; what is still at work there is cut off.
    pub(super) fn join(self) {
        drop(self.tasks);
        if self.thread.join().is_err() {
            tracing::error!("a worker broke");
        }
    }
}

async fn work(
    mut queue: mpsc::Receiver<Task>,
    live: Arc<SharedState>,
    worker: usize,
    slots: SharedConnectionLimiter,
) {
    while let Some(task) = queue.recv().await {
        match task {
            Task::Accept(one) => start_accepting(*one, &live, worker, &slots),
            Task::SettleDebt(debt) => {
                let mut stop = live.drain.signal();
                live.drain.spawn(async move {
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
    accept: AcceptTask,
    live: &Arc<SharedState>,
    worker: usize,
    slots: &SharedConnectionLimiter,
) {
    let gate = RequestHandler {
        endpoint: Arc::clone(&accept.endpoint),
        shared: Arc::clone(live),
        worker,
    };
    let (accepting, guard) = accept.accepting;
    let stop = accepting.signal();
    let config = ListenerConfig {
        endpoint: Arc::clone(&accept.endpoint),
        bounds: accept.bounds,
        tls: accept.tls,
        limiter: Arc::clone(slots),
        drain: accept.connection_drain,
    };
    accepting.spawn(async move {
        let served = server::serve(accept.socket, config, gate, stop);
        if let Err(error) = served.await {
            tracing::error!("endpoint {}: {error}", accept.endpoint);
        }
        drop(guard);
    });
}
