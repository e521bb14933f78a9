//! Signals: the first SIGINT or SIGTERM starts a graceful shutdown, a second one ends the program
//! at once, SIGHUP reloads. SIGXFSZ is handled, so that a write beyond `ulimit -f` fails as on a
//! full disk; SIGPIPE is ignored by the standard library, so that one to a closed pipe fails.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::output::{self, errln};

/// What a stop may take longer than `limits.shutdown_timeout`. The gateway ends itself earlier.
const GRACE: Duration = Duration::from_secs(1);

/// How long a reader of the last lines may take nothing. One that reads has the time of the stop.
const READER_PATIENCE: Duration = Duration::from_secs(1);

/// The same if the program is to end at once, and for the message to the service manager.
const SHORT_TIMEOUT: Duration = Duration::from_millis(100);

/// Signals to stop that come within this time are one: `timeout` of coreutils sends two, to the
/// program and to its process group.
const SAME_SIGNAL: Duration = Duration::from_millis(250);

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
    /// Never received from: a signal that is handled does not end the program.
    _file_size: Signal,
}

impl Signals {
    /// Installs the handlers.
    pub(super) fn new() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let hangup = signal(SignalKind::hangup())?;
        let file_size = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
        drop(entered);
        Ok(Self {
            runtime,
            interrupt,
            terminate,
            hangup,
            _file_size: file_size,
        })
    }

    /// Runs `work`, which returns the exit status, on its own thread with the commands of the
    /// signals, and waits for its output.
    ///
    /// Calls `on_stop` at the first signal to stop. Returns `None` at the second one, at one before
    /// `is_started`, and if `work` does not end within a second after `timeout`; `work` then runs
    /// until the process ends.
    pub(super) fn serve(
        mut self,
        work: impl FnOnce(&Receiver<SignalCommand>) -> u8 + Send + 'static,
        is_started: &AtomicBool,
        on_stop: impl FnOnce() + Send + 'static,
        timeout: &StopTimeout,
    ) -> Option<u8> {
        // Pending reload requests: 1, further ones are coalesced.
        let (commands, queue) = sync_channel(1);
        let (finished, mut status) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || finished.send(work(&queue)));
        let (status, begun) = self.runtime.block_on(async {
            loop {
                tokio::select! {
                    status = &mut status => return (status.ok(), Some(Instant::now())),
                    () = stop_signal(&mut self.interrupt, &mut self.terminate) => break,
                    _ = self.hangup.recv() => {
                        let _ = commands.try_send(SignalCommand::Reload);
                    }
                }
            }
            if !is_started.load(Ordering::Acquire) {
                errln!("stopped before the gateway was ready");
                return (None, None);
            }
            let begun = Instant::now();
            drop(commands);
            run_briefly(on_stop);
            tokio::select! {
                status = status => (status.ok(), Some(begun)),
                () = second_signal(begun, &mut self.interrupt, &mut self.terminate) => (None, None),
                () = timeout.elapsed(begun) => {
                    errln!(
                        "the stop did not end within a second after limits.shutdown_timeout; what \
                         was not saved is lost"
                    );
                    (None, None)
                }
            }
        });
        match begun {
            Some(begun) => self.flush(begun, timeout.end(begun)),
            None => output::flush(within(SHORT_TIMEOUT), SHORT_TIMEOUT),
        }
        status
    }

    /// Waits for the output of a stop that has begun at this time, as long as somebody reads it, at
    /// most until `end` or the next signal.
    fn flush(&mut self, begun: Instant, end: Instant) {
        let (sender, flushed) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            output::flush(end.into_std(), READER_PATIENCE);
            let _ = sender.send(());
        });
        self.runtime.block_on(async {
            tokio::select! {
                _ = flushed => {}
                () = second_signal(begun, &mut self.interrupt, &mut self.terminate) => {}
            }
        });
    }
}

fn within(time: Duration) -> std::time::Instant {
    std::time::Instant::now() + time
}

/// `limits.shutdown_timeout` of the configuration in force.
#[derive(Clone, Debug)]
pub(super) struct StopTimeout(Arc<watch::Sender<Duration>>);

impl StopTimeout {
    pub(super) fn new(timeout: Duration) -> Self {
        Self(Arc::new(watch::Sender::new(timeout)))
    }

    /// A stop begins with another timeout.
    pub(super) fn set(&self, timeout: Duration) {
        self.0.send_replace(timeout);
    }

    /// The time at which a stop that has begun at this time must have ended.
    fn end(&self, begun: Instant) -> Instant {
        begun + self.0.borrow().saturating_add(GRACE)
    }

    /// Returns once a stop that has begun at this time must have ended, whatever it waits for.
    async fn elapsed(&self, begun: Instant) {
        let mut timeout = self.0.subscribe();
        loop {
            timeout.mark_unchanged();
            tokio::select! {
                () = tokio::time::sleep_until(self.end(begun)) => return,
                // The sender is `self`.
                _ = timeout.changed() => {}
            }
        }
    }
}

/// Runs work on a thread of its own and does not wait long for it: a service manager may not read
/// its socket.
fn run_briefly(work: impl FnOnce() + Send + 'static) {
    let (sender, done) = sync_channel::<()>(1);
    std::thread::spawn(move || {
        work();
        let _ = sender.send(());
    });
    let _ = done.recv_timeout(SHORT_TIMEOUT);
}

async fn stop_signal(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Returns at a signal to stop that is not one with the first.
async fn second_signal(first: Instant, interrupt: &mut Signal, terminate: &mut Signal) {
    loop {
        stop_signal(interrupt, terminate).await;
        if first.elapsed() >= SAME_SIGNAL {
            return;
        }
    }
}
