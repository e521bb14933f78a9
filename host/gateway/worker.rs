//! The threads that serve: each a runtime of its own, so that a connection never leaves its core's
//! caches.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::Builder;
use tokio::sync::mpsc;

use crate::drain::{Drain, Stop};
use crate::mode::{Gate, Live};
use crate::server::{self, Slots};

/// A socket to accept from.
pub(super) struct Accept {
    pub(super) socket: TcpListener,
    pub(super) endpoint: Arc<str>,
    pub(super) bounds: server::Bounds,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    pub(super) drain: Drain,
    pub(super) stop: Stop,
}

/// A thread that serves.
pub(super) struct Worker {
    accepts: mpsc::Sender<Accept>,
    thread: JoinHandle<()>,
}

impl Worker {
    pub(super) fn start(number: usize, live: Arc<Live>, slots: Slots) -> io::Result<Self> {
        // One place for each endpoint that there may be.
        let most = live.snapshot.load().config.limits.endpoints;
        let (accepts, queue) = mpsc::channel(most);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (tell, ready) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name(format!("ouli-worker-{number}"))
            .spawn(move || {
                runtime.block_on(Gate::rehearse(&live, number));
                // Who started it waits below.
                let _ = tell.send(());
                runtime.block_on(work(queue, live, number, slots));
            })?;
        if ready.recv().is_err() {
            return Err(io::Error::other("a worker broke as it started"));
        }
        Ok(Self { accepts, thread })
    }

    /// Opens a socket on this worker. False where the worker has ended.
    pub(super) fn accept(&self, accept: Accept) -> bool {
        self.accepts.try_send(accept).is_ok()
    }

    /// Ends the thread; what is still at work there is cut off.
    pub(super) fn end(self) {
        drop(self.accepts);
        if self.thread.join().is_err() {
            tracing::error!("a worker broke");
        }
    }
}

async fn work(mut queue: mpsc::Receiver<Accept>, live: Arc<Live>, worker: usize, slots: Slots) {
    while let Some(accept) = queue.recv().await {
        let gate = Gate {
            endpoint: Arc::clone(&accept.endpoint),
            live: Arc::clone(&live),
            worker,
        };
        let slots = Arc::clone(&slots);
        let drain = accept.drain.clone();
        drain.spawn(async move {
            let signals = (accept.drain, accept.stop);
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
        });
    }
}
