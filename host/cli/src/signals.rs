//! The signals that a user or a service manager sends, taken from the start on: SIGINT and SIGTERM
//! stop, the second one at once, and SIGHUP reloads.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for. The end of the orders is the order to stop.
pub(super) enum SignalCommand {
    /// Read the files again.
    Reload,
}

/// The signals that come.
pub(super) struct Signals {
    runtime: tokio::runtime::Runtime,
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let entered = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let hangup = signal(SignalKind::hangup())?;
        drop(entered);
        Ok(Self {
            runtime,
            interrupt,
            terminate,
            hangup,
        })
    }

    /// Runs `work` on a thread of its own, which follows the orders and gives a status. `stopping`
    /// is called at the first signal to stop; at the second one there is no status, and the work
    /// goes on until the process ends.
    pub(super) fn serve(
        mut self,
        work: impl FnOnce(&Receiver<SignalCommand>) -> u8 + Send + 'static,
        stopping: impl FnOnce(),
    ) -> Option<u8> {
        // One that waits is enough: it reads what is there then.
        let (orders, queue) = sync_channel(1);
        let (tell, mut told) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || tell.send(work(&queue)));
        self.runtime.block_on(async {
            loop {
                tokio::select! {
                    status = &mut told => return status.ok(),
                    () = stop_signal(&mut self.interrupt, &mut self.terminate) => break,
                    _ = self.hangup.recv() => {
                        let _ = orders.try_send(SignalCommand::Reload);
                    }
                }
            }
            stopping();
            drop(orders);
            tokio::select! {
                status = told => status.ok(),
                () = stop_signal(&mut self.interrupt, &mut self.terminate) => None,
            }
        })
    }
}

async fn stop_signal(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
