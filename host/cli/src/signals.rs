//! Signals: the first SIGINT or SIGTERM starts a graceful shutdown, a second one ends the program
//! at once, SIGHUP reloads.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::output::errln;

/// A command for the gateway thread. The end of the channel is the command to stop.
pub(super) enum SignalCommand {
    /// Reload the configuration and the plugins.
    Reload,
}

/// The signal handlers.
pub(super) struct Signals {
    runtime: tokio::runtime::Runtime,
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Installs the handlers.
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

    /// Runs `work`, which returns the exit status, on its own thread with the commands of the
    /// signals.
    ///
    /// Calls `on_stop` at the first signal to stop. Returns `None` at the second one, and at one
    /// before `is_started`; `work` then runs until the process ends.
    pub(super) fn serve(
        mut self,
        work: impl FnOnce(&Receiver<SignalCommand>) -> u8 + Send + 'static,
        is_started: &AtomicBool,
        on_stop: impl FnOnce(),
    ) -> Option<u8> {
        // Pending reload requests: 1, further ones are coalesced.
        let (commands, queue) = sync_channel(1);
        let (finished, mut status) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || finished.send(work(&queue)));
        self.runtime.block_on(async {
            loop {
                tokio::select! {
                    status = &mut status => return status.ok(),
                    () = stop_signal(&mut self.interrupt, &mut self.terminate) => break,
                    _ = self.hangup.recv() => {
                        let _ = commands.try_send(SignalCommand::Reload);
                    }
                }
            }
            if !is_started.load(Ordering::Acquire) {
                errln!("stopped before the gateway was ready");
                return None;
            }
            on_stop();
            drop(commands);
            tokio::select! {
                status = status => status.ok(),
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
