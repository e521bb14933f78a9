//! Starts and stops the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::cassettes::{self, cassette_folder};
use super::concurrency_limits::ConcurrencyLimits;
use super::error::StartError;
use super::file_watcher::FileWatcher;
use super::listener_info::ListenerInfo;
use super::listeners::Listeners;
use super::options::Options;
use super::plugin_status::{PluginStatus, Status};
use super::reloader::Reloader;
use super::saving::Saving;
use super::shutdown::ShutdownTimeouts;
use super::state::{self, GatewayState};
use super::{environment_secrets, load, snapshot_builder};
use crate::handler::{BodyWorkers, PageRenderer, RequestLimiter, SharedState, Snapshot};
use crate::session::{Recorder, RecorderLimits, Sessions, Verdict};
use ouli_cassette::Writer;
use ouli_net::drain::Drain;

/// A running gateway. It has threads of its own; [`Gateway::stop`] ends them.
pub struct Gateway {
    state: Arc<GatewayState>,
    watcher: Option<FileWatcher>,
    recorder: JoinHandle<()>,
    writer: Arc<Writer>,
}

impl Gateway {
    /// Reads the configuration, loads the plugins, opens the listeners and serves requests.
    ///
    /// # Errors
    /// Names the setting, plugin, cassette or address that cannot be used.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let loaded = load::load(&options)?;
        for problem in loaded.tls.expired() {
            tracing::warn!("{problem}");
        }
        let config = Arc::clone(&loaded.config);
        let limits = &config.limits;
        let folder = Arc::new(cassette_folder(&config)?);
        cassettes::ensure_git_attributes(&config, &folder);
        let secrets = environment_secrets::read(&config, options.environment);
        let key = environment_secrets::placeholder_key(options.environment)?;
        let sessions = Sessions::new(folder, limits, secrets).with_placeholder_key(key);
        let sessions = Arc::new(sessions);
        let writer = Arc::new(cassettes::start_writer(&sessions, &config)?);
        let (recorder, recorder_thread) =
            Recorder::start(Arc::clone(&writer), RecorderLimits::from(limits))
                .map_err(StartError::Thread)?;
        let snapshot = snapshot_builder::build_snapshot(&loaded, None, options.worker_count())?;
        sessions.publish(&snapshot.config, &snapshot.indexes);
        snapshot_builder::warm_up(&snapshot, &sessions)?;
        cassettes::lock_cassettes(&snapshot, &writer);
        let plugin_status = Arc::new(PluginStatus::default());
        plugin_status.publish(snapshot.generation, &loaded, None);
        let concurrency = ConcurrencyLimits::new(limits);
        let shared = Arc::new(SharedState {
            plugin_status_page: status_page(&plugin_status),
            own_listeners: Arc::default(),
            snapshot: ArcSwap::from_pointee(snapshot),
            budget: sessions.budget().clone(),
            sessions,
            counters: Arc::default(),
            recorder,
            request_limiter: RequestLimiter::with_semaphores(
                concurrency.requests(),
                concurrency.pending_requests(),
                limits.pending_request_timeout,
            ),
            contention: concurrency.connections().contention().clone(),
            stream_permits: concurrency.streams(),
            detached_deliveries: Arc::new(Semaphore::new(limits.recorder_queue)),
            body_workers: BodyWorkers::new(options.worker_count()),
            body_reads: BodyWorkers::body_reads(),
            session_loads: BodyWorkers::session_loads(),
            background_reads: Arc::new(Semaphore::new(limits.background_reads)),
            drain: Drain::default(),
        });
        let stopped = Arc::default();
        let mut listeners = Listeners::new(&options, &shared, concurrency, &config, &stopped)?;
        if let Some(error) = listeners.apply(&config, &loaded.tls).into_iter().next() {
            return Err(error);
        }
        let state = Arc::new(GatewayState {
            shared,
            listeners: Mutex::new(listeners),
            loaded: Mutex::new(loaded),
            plugin_status,
            writer: Arc::clone(&writer),
            stopped,
            plugin_loading: Mutex::default(),
            is_loading_plugins: AtomicBool::new(false),
            options,
        });
        let watcher = state.options.watch.then(|| FileWatcher::start(&state));
        Ok(Self {
            watcher: watcher.transpose().map_err(StartError::Thread)?,
            state,
            recorder: recorder_thread,
            writer,
        })
    }

    /// The open listeners, sorted by the names of their endpoints.
    pub fn listeners(&self) -> Vec<ListenerInfo> {
        self.state.listeners.lock().infos()
    }

    /// The state in one line, for a service manager.
    pub fn summary(&self) -> String {
        self.state.summary()
    }

    /// The snapshot in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.state.shared.snapshot.load_full()
    }

    /// Reads the files again, as the file watcher does by itself. Returns true if something
    /// changed.
    pub fn reload(&self) -> bool {
        let is_reloaded = self.state.reload();
        self.state.retry_listeners();
        self.state.reload_cassettes() || is_reloaded
    }

    /// The state of the plugins.
    pub fn status(&self) -> Status {
        self.state.plugin_status.status()
    }

    /// The verdict on the sessions until now.
    pub fn verdict(&self) -> Verdict {
        self.state.verdict()
    }

    /// A handle that reloads the gateway from another thread.
    pub fn reloader(&self) -> Reloader {
        Reloader::new(&self.state)
    }

    /// Stops the gateway: it accepts no new connection, waits `limits.shutdown_timeout` for active
    /// requests, and writes every recording to disk. Within a second after the timeout it returns,
    /// whatever is still in progress; the verdict counts what was not saved.
    pub fn stop(self) -> Verdict {
        let shared = Arc::clone(&self.state.shared);
        let timeouts = ShutdownTimeouts::from(&shared.snapshot.load().config.limits);
        let deadline = timeouts.deadline();
        self.state.stopped.store(true, Ordering::Release);
        // A reload may hold them. It ends soon, since it sees that the gateway stops.
        let listeners = self.state.listeners.try_lock_for(deadline.remaining());
        let remaining = listeners.map_or(1, |mut listeners| {
            listeners.begin_shutdown(&shared.drain);
            listeners.finish_shutdown(&shared.drain, timeouts, deadline)
        });
        if remaining > 0 {
            let total = timeouts.total();
            tracing::warn!(
                "{remaining} connections did not end within {total:?} (limits.shutdown_timeout)"
            );
            self.state.count_unfinished(remaining);
        }
        let saving = Saving {
            recorder: self.recorder,
            writer: self.writer,
        };
        saving.finish(&shared, deadline);
        if let Some(watcher) = self.watcher {
            watcher.end(deadline);
        }
        shared.sessions.count_unwritten();
        shared.sessions.free_written_until(deadline.of_verdict());
        state::verdict(
            &shared.sessions,
            &shared.counters,
            &shared.snapshot.load(),
            Some(deadline.of_verdict()),
        )
    }
}

fn status_page(status: &Arc<PluginStatus>) -> PageRenderer {
    let status = Arc::clone(status);
    Box::new(move || serde_json::to_string_pretty(&status.status()).unwrap_or_default())
}
