//! The threads that serve: each a runtime of its own, so that a connection never leaves its core's
//! caches.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::mpsc;

use super::resizable_quota::Debt;
use crate::handler::context::{Gate, Live};
use ouli_net::drain::{Drain, Guard};
use ouli_net::server::{self, Slots};

/// What a worker is asked to do.
pub(super) enum Task {
    /// Accept from a socket.
    Accept(Box<Accept>),
    /// Take places out of use as they come back.
    Settle(Debt),
}

/// A socket to accept from.
pub(super) struct Accept {
    pub(super) socket: TcpListener,
    pub(super) endpoint: Arc<str>,
    pub(super) bounds: server::Bounds,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    /// Ends the accepting, and is kept open by it.
    pub(super) accepting: (Drain, Guard),
    /// Ends the connections, and is kept open by them.
    pub(super) drain: Drain,
}

/// A thread that serves.
pub(super) struct Worker {
    tasks: mpsc::Sender<Task>,
    thread: JoinHandle<()>,
}

impl Worker {
    pub(super) fn start(number: usize, live: Arc<Live>, slots: Slots) -> io::Result<Self> {
        // One place for each endpoint that there may be.
        let most = live.snapshot.load().config.limits.endpoints;
        let (tasks, queue) = mpsc::channel(most);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (tell, ready) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name(format!("ouli-worker-{number}"))
            .spawn(move || {
                runtime.block_on(Gate::rehearse(&live, number));
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
    pub(super) fn give(&self, task: Task) -> bool {
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
    pub(super) fn end(self) {
        drop(self.tasks);
        if self.thread.join().is_err() {
            tracing::error!("a worker broke");
        }
    }
}

async fn work(mut queue: mpsc::Receiver<Task>, live: Arc<Live>, worker: usize, slots: Slots) {
    while let Some(task) = queue.recv().await {
        match task {
            Task::Accept(one) => accept(*one, &live, worker, &slots),
            Task::Settle(debt) => {
                let mut stop = live.drain.stop();
                live.drain.spawn(async move {
                    tokio::select! {
                        () = debt.settle() => {}
                        () = stop.begun() => {}
                    }
                });
            }
        }
    }
}

fn accept(accept: Accept, live: &Arc<Live>, worker: usize, slots: &Slots) {
    let gate = Gate {
        endpoint: Arc::clone(&accept.endpoint),
        live: Arc::clone(live),
        worker,
    };
    let slots = Arc::clone(slots);
    let (accepting, guard) = accept.accepting;
    let signals = (accept.drain, accepting.stop());
    accepting.spawn(async move {
        let served = server::serve(
            accept.socket,
            slots,
            accept.bounds,
            accept.tls,
            gate,
            signals,
        );
        if let Err(error) = served.await {
            tracing::error!("endpoint {}: {error}", accept.endpoint);
        }
        drop(guard);
    });
}
