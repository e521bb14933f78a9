//! Puts the gateway together, keeps it up to date, and takes it down.

mod builder;
mod descriptors;
mod desired_plugins;
mod file_watcher;
mod generation;
mod listeners;
mod listening_sockets;
mod plugin_status;
mod plugin_swap;
mod resizable_quota;
mod shutdown;
mod socket_activation;
mod source_files;
mod worker_threads;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

pub use builder::{StartError, check, folder};
pub use descriptors::schema;
pub use generation::{Loaded, config};
pub use plugin_status::Status;
pub use socket_activation::Passed;

use crate::handler::context::{Live, Page, Snapshot};
use crate::handler::request_limiter::Turns;
use crate::session::{Budget, Recorder, RecorderBounds, Sessions, Verdict};
use file_watcher::Watch;
use listeners::Listeners;
use ouli_cassette::Writer;
use ouli_config::{Mode, Override, Unused};
use ouli_net::drain::Drain;
use plugin_status::Board;
use resizable_quota::Quotas;
use shutdown::Grace;

/// What the process gives the gateway: no code below reads the environment.
#[derive(Clone)]
pub struct Options {
    /// The file of the configuration, where there is one.
    pub config_file: Option<PathBuf>,
    /// What the command line says over it.
    pub overrides: Vec<Override>,
    /// The folder from which relative paths start.
    pub base: PathBuf,
    /// Where compiled plugins are kept.
    pub cache: Option<PathBuf>,
    /// Where the local CA is kept.
    pub authority: PathBuf,
    /// Looks up an environment variable.
    pub environment: fn(&str) -> Option<String>,
    /// Listening sockets that were opened before the process started.
    pub passed: Vec<Passed>,
    /// Threads that serve; 0 for one a core.
    pub workers: usize,
    /// Files are watched, and changes take effect.
    pub watch: bool,
    /// Told of every listener once it accepts.
    pub announce: Arc<dyn Fn(&Listening) + Send + Sync>,
}

impl Options {
    fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        }
    }

    /// Copies of a plugin that are started before the first call: one for each thread that asks.
    fn copies(&self) -> usize {
        self.worker_count() + 1
    }
}

/// A listener that accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Name of the endpoint.
    pub endpoint: String,
    /// The address.
    pub address: SocketAddr,
    /// Clients use TLS.
    pub tls: bool,
    /// What is done with requests.
    pub mode: Mode,
}

impl std::fmt::Display for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        let (address, endpoint, mode) = (self.address, &self.endpoint, self.mode);
        write!(
            f,
            "listening on {scheme}://{address} endpoint={endpoint} mode={mode}"
        )
    }
}

/// A running gateway.
pub struct Gateway {
    core: Arc<Core>,
    watch: Option<Watch>,
    recorder: JoinHandle<()>,
    writer: Arc<Writer>,
}

/// What a reload works on.
struct Core {
    options: Options,
    live: Arc<Live>,
    listeners: Mutex<Listeners>,
    loaded: Mutex<Loaded>,
    board: Arc<Board>,
    stopped: AtomicBool,
}

impl Gateway {
    /// Reads everything, loads the plugins, opens the listeners and serves.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let loaded = generation::first(&options)?;
        let config = Arc::clone(&loaded.config);
        let cassettes = Arc::new(folder(&config)?);
        let named = builder::secrets(&config, options.environment);
        let sessions = Arc::new(Sessions::new(cassettes, &config.limits, named));
        let writer = Arc::new(builder::writer(&sessions, &config)?);
        let limits = &config.limits;
        let budget = Budget::new(limits.memory, limits.recording_memory);
        let bounds = RecorderBounds::from(limits);
        let (recorder, thread) =
            Recorder::start(Arc::clone(&writer), bounds).map_err(StartError::Thread)?;
        let snapshot = builder::snapshot(&loaded, None, options.worker_count())?;
        builder::warm(&snapshot, &sessions)?;
        builder::claim(&snapshot, &writer);
        let board = Arc::new(Board::default());
        board.publish(snapshot.generation, &loaded, None);
        let quotas = Quotas::new(&config.limits);
        let live = Arc::new(Live {
            plugins_page: page(&board),
            own: Arc::default(),
            snapshot: ArcSwap::from_pointee(snapshot),
            sessions,
            recorder,
            budget,
            turns: Turns::over(
                quotas.in_flight(),
                quotas.in_flight_queue(),
                limits.in_flight_wait,
            ),
            streams: quotas.streams(),
            late: Arc::new(Semaphore::new(limits.recorder_queue)),
            drain: Drain::default(),
        });
        let mut listeners = Listeners::new(&options, &live, quotas, &config)?;
        if let Some(fault) = listeners.apply(&config).into_iter().next() {
            return Err(fault);
        }
        let core = Arc::new(Core {
            live,
            listeners: Mutex::new(listeners),
            loaded: Mutex::new(loaded),
            board,
            stopped: AtomicBool::new(false),
            options,
        });
        let watch = core.options.watch.then(|| Watch::start(&core));
        Ok(Self {
            core,
            watch: watch.transpose().map_err(StartError::Thread)?,
            recorder: thread,
            writer,
        })
    }

    /// The listeners, by the names of their endpoints.
    pub fn listening(&self) -> Vec<Listening> {
        self.core.lock_listeners().listening()
    }

    /// The generation in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.core.live.snapshot.load_full()
    }

    /// Reads the files again now, as the watch does by itself. True where something changed.
    pub fn reload(&self) -> bool {
        self.core.reload()
    }

    /// What is live, what was rejected and what drains.
    pub fn status(&self) -> Status {
        self.core.board.status()
    }

    /// How the sessions went until now.
    pub fn verdict(&self) -> Verdict {
        self.core.verdict()
    }

    /// Stops: accepts nothing new, lets what is at work finish within the grace period, writes
    /// every recording.
    pub fn stop(self) -> Verdict {
        self.core.stopped.store(true, Ordering::Release);
        let grace = Grace::from(&self.core.live.snapshot.load().config.limits);
        let more = &self.core.live.drain;
        self.core.lock_listeners().begin_stop(more);
        // A reload that is under way ends first; it opens nothing any more.
        drop(self.watch);
        let left = self.core.lock_listeners().finish(more, grace);
        if left > 0 {
            let whole = grace.whole();
            tracing::warn!("{left} connections did not end within {whole:?} (limits.grace)");
        }
        let core = self.core;
        // With the last sender the recorder ends, after it has written all that waits.
        match Arc::try_unwrap(core) {
            Ok(core) => {
                let sessions = Arc::clone(&core.live.sessions);
                let snapshot = core.live.snapshot.load_full();
                drop(core);
                finish(self.recorder, &self.writer);
                judge(&sessions, &snapshot)
            }
            Err(core) => {
                // A request that outlived the grace period still holds its way to the recorder.
                let flushed = self.writer.flush();
                if let Err(error) = flushed {
                    tracing::error!("the last recordings: {error}");
                }
                core.verdict()
            }
        }
    }
}

fn page(board: &Arc<Board>) -> Page {
    let board = Arc::clone(board);
    Box::new(move || serde_json::to_string_pretty(&board.status()).unwrap_or_default())
}

fn finish(recorder: JoinHandle<()>, writer: &Writer) {
    if recorder.join().is_err() {
        tracing::error!("the recorder broke; its last exchanges may be missing");
    }
    if let Err(error) = writer.close() {
        tracing::error!("the last recordings: {error}");
    }
}

fn judge(sessions: &Sessions, snapshot: &Snapshot) -> Verdict {
    let all = sessions.all();
    let config = &snapshot.config;
    let unused_fails = config.unused == Unused::Fail;
    let sessions = all.iter().map(AsRef::as_ref);
    Verdict::of(sessions, &snapshot.guard, config.strict, unused_fails)
}

impl Core {
    fn lock_listeners(&self) -> std::sync::MutexGuard<'_, Listeners> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_loaded(&self) -> std::sync::MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True where a plugin in force fails and there is a version to go back to.
    fn is_failing(&self) -> bool {
        plugin_swap::is_failing(&self.lock_loaded())
    }

    fn verdict(&self) -> Verdict {
        judge(&self.live.sessions, &self.live.snapshot.load())
    }

    /// Takes in what changed on disk. What is broken is reported, and the last good version stays.
    fn reload(&self) -> bool {
        let mut loaded = self.lock_loaded();
        let sessions = &self.live.sessions;
        let Some(next) = generation::next(&self.options, &loaded, sessions) else {
            return false;
        };
        let before = self.live.snapshot.load_full();
        let workers = self.options.worker_count();
        let snapshot = match builder::snapshot(&next, Some(&before), workers) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                tracing::error!("{error}\n  the last good version stays in force");
                return false;
            }
        };
        builder::rekey(&before, &snapshot, sessions);
        let generation = snapshot.generation;
        self.live.snapshot.store(Arc::new(snapshot));
        self.board.publish(generation, &next, Some(&before));
        sessions.limit(next.config.limits.sessions);
        let mut listeners = self.lock_listeners();
        for error in listeners.apply(&next.config) {
            tracing::error!("{error}\n  the other endpoints are up to date");
        }
        next.report_restart(&loaded);
        *loaded = next;
        tracing::info!("generation {generation} is in force");
        true
    }
}
