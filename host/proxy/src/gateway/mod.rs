//! Puts the gateway together, keeps it up to date, and takes it down.

mod bounds;
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

pub use bounds::{connection_limits, server_bounds, upstream_bounds};
pub use builder::{StartError, cassette_folder, check};
pub use descriptors::load_schema;
pub use generation::{Loaded, load_config};
pub use plugin_status::Status;
pub use socket_activation::InheritedSocket;

use crate::handler::{PageRenderer, RequestLimiter, SharedState, Snapshot};
use crate::session::{MemoryBudget, Recorder, RecorderLimits, Sessions, Verdict};
use file_watcher::FileWatcher;
use listeners::Listeners;
use ouli_cassette::Writer;
use ouli_config::{Mode, Override, Unused};
use ouli_net::drain::Drain;
use plugin_status::PluginStatus;
use resizable_quota::ConcurrencyLimits;
use shutdown::ShutdownTimeouts;

/// What the process gives the gateway: no code below reads the environment.
#[derive(Clone)]
pub struct Options {
    /// The file of the configuration, where there is one.
    pub config_file: Option<PathBuf>,
    /// What the command line says over it.
    pub overrides: Vec<Override>,
    /// The folder from which relative paths start.
    pub base_dir: PathBuf,
    /// Where compiled plugins are kept.
    pub compile_cache: Option<PathBuf>,
    /// Where the local CA is kept.
    pub ca_folder: PathBuf,
    /// Looks up an environment variable.
    pub environment: fn(&str) -> Option<String>,
    /// Listening sockets that were opened before the process started.
    pub inherited_sockets: Vec<InheritedSocket>,
    /// Threads that serve; 0 for one a core.
    pub workers: usize,
    /// Files are watched, and changes take effect.
    pub watch: bool,
    /// Told of every listener once it accepts.
    pub on_listening: Arc<dyn Fn(&ListenerInfo) + Send + Sync>,
}

impl Options {
    fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        }
    }

    /// Copies of a plugin that are started before the first call: one for each thread that asks.
    fn instance_count(&self) -> usize {
        self.worker_count() + 1
    }
}

/// A listener that accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerInfo {
    /// Name of the endpoint.
    pub endpoint: String,
    /// The address.
    pub address: SocketAddr,
    /// Clients use TLS.
    pub tls: bool,
    /// What is done with requests.
    pub mode: Mode,
}

impl std::fmt::Display for ListenerInfo {
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
    watch: Option<FileWatcher>,
    recorder: JoinHandle<()>,
    writer: Arc<Writer>,
}

/// What a reload works on.
struct Core {
    options: Options,
    shared: Arc<SharedState>,
    listeners: Mutex<Listeners>,
    loaded: Mutex<Loaded>,
    plugin_status: Arc<PluginStatus>,
    stopped: AtomicBool,
}

impl Gateway {
    /// Reads everything, loads the plugins, opens the listeners and serves.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let loaded = generation::load(&options)?;
        let config = Arc::clone(&loaded.config);
        let cassettes = Arc::new(cassette_folder(&config)?);
        let named = builder::environment_secrets(&config, options.environment);
        let sessions = Arc::new(Sessions::new(cassettes, &config.limits, named));
        let writer = Arc::new(builder::start_writer(&sessions, &config)?);
        let limits = &config.limits;
        let budget = MemoryBudget::new(limits.memory, limits.recording_memory);
        let bounds = RecorderLimits::from(limits);
        let (recorder, thread) =
            Recorder::start(Arc::clone(&writer), bounds).map_err(StartError::Thread)?;
        let snapshot = builder::build_snapshot(&loaded, None, options.worker_count())?;
        builder::warm_up(&snapshot, &sessions)?;
        builder::lock_cassettes(&snapshot, &writer);
        let board = Arc::new(PluginStatus::default());
        board.publish(snapshot.generation, &loaded, None);
        let quotas = ConcurrencyLimits::new(&config.limits);
        let live = Arc::new(SharedState {
            plugin_status_page: page(&board),
            own_listeners: Arc::default(),
            snapshot: ArcSwap::from_pointee(snapshot),
            sessions,
            recorder,
            budget,
            request_limiter: RequestLimiter::with_semaphores(
                quotas.requests(),
                quotas.pending_requests(),
                limits.pending_request_timeout,
            ),
            stream_permits: quotas.streams(),
            detached_deliveries: Arc::new(Semaphore::new(limits.recorder_queue)),
            drain: Drain::default(),
        });
        let mut listeners = Listeners::new(&options, &live, quotas, &config)?;
        if let Some(fault) = listeners.apply(&config).into_iter().next() {
            return Err(fault);
        }
        let core = Arc::new(Core {
            shared: live,
            listeners: Mutex::new(listeners),
            loaded: Mutex::new(loaded),
            plugin_status: board,
            stopped: AtomicBool::new(false),
            options,
        });
        let watch = core.options.watch.then(|| FileWatcher::start(&core));
        Ok(Self {
            core,
            watch: watch.transpose().map_err(StartError::Thread)?,
            recorder: thread,
            writer,
        })
    }

    /// The listeners, by the names of their endpoints.
    pub fn listeners(&self) -> Vec<ListenerInfo> {
        self.core.lock_listeners().infos()
    }

    /// The generation in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.core.shared.snapshot.load_full()
    }

    /// Reads the files again now, as the watch does by itself. True where something changed.
    pub fn reload(&self) -> bool {
        self.core.reload()
    }

    /// What is live, what was rejected and what drains.
    pub fn status(&self) -> Status {
        self.core.plugin_status.status()
    }

    /// How the sessions went until now.
    pub fn verdict(&self) -> Verdict {
        self.core.verdict()
    }

    /// Stops: accepts nothing new, lets what is at work finish within the grace period, writes
    /// every recording.
    pub fn stop(self) -> Verdict {
        self.core.stopped.store(true, Ordering::Release);
        let grace = ShutdownTimeouts::from(&self.core.shared.snapshot.load().config.limits);
        let more = &self.core.shared.drain;
        self.core.lock_listeners().begin_shutdown(more);
        // A reload that is under way ends first; it opens nothing any more.
        drop(self.watch);
        let left = self.core.lock_listeners().finish_shutdown(more, grace);
        if left > 0 {
            let whole = grace.total();
            tracing::warn!(
                "{left} connections did not end within {whole:?} (limits.shutdown_timeout)"
            );
        }
        let core = self.core;
        // With the last sender the recorder ends, after it has written all that waits.
        match Arc::try_unwrap(core) {
            Ok(core) => {
                let sessions = Arc::clone(&core.shared.sessions);
                let snapshot = core.shared.snapshot.load_full();
                drop(core);
                join_recorder(self.recorder, &self.writer);
                build_verdict(&sessions, &snapshot)
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

fn page(board: &Arc<PluginStatus>) -> PageRenderer {
    let board = Arc::clone(board);
    Box::new(move || serde_json::to_string_pretty(&board.status()).unwrap_or_default())
}

fn join_recorder(recorder: JoinHandle<()>, writer: &Writer) {
    if recorder.join().is_err() {
        tracing::error!("the recorder broke; its last exchanges may be missing");
    }
    if let Err(error) = writer.close() {
        tracing::error!("the last recordings: {error}");
    }
}

fn build_verdict(sessions: &Sessions, snapshot: &Snapshot) -> Verdict {
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
    fn needs_rollback(&self) -> bool {
        plugin_swap::needs_rollback(&self.lock_loaded())
    }

    fn verdict(&self) -> Verdict {
        build_verdict(&self.shared.sessions, &self.shared.snapshot.load())
    }

    /// Takes in what changed on disk. What is broken is reported, and the last good version stays.
    fn reload(&self) -> bool {
        let mut loaded = self.lock_loaded();
        let sessions = &self.shared.sessions;
        let Some(next) = generation::reload(&self.options, &loaded, sessions) else {
            return false;
        };
        let before = self.shared.snapshot.load_full();
        let workers = self.options.worker_count();
        let snapshot = match builder::build_snapshot(&next, Some(&before), workers) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                tracing::error!("{error}\n  the last good version stays in force");
                return false;
            }
        };
        builder::rekey(&before, &snapshot, sessions);
        let generation = snapshot.generation;
        self.shared.snapshot.store(Arc::new(snapshot));
        self.plugin_status.publish(generation, &next, Some(&before));
        sessions.set_limit(next.config.limits.sessions);
        let mut listeners = self.lock_listeners();
        for error in listeners.apply(&next.config) {
            tracing::error!("{error}\n  the other endpoints are up to date");
        }
        next.warn_restart_needed(&loaded);
        *loaded = next;
        tracing::info!("generation {generation} is in force");
        true
    }
}
