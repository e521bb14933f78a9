//! The gateway as in production, from the accept loop to the cassette, without worker threads and
//! with simulated sockets.

use std::collections::HashMap;
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use ouli_cassette::{SyncPolicy, WriteError, Writer};
use ouli_config::Config;
use ouli_net::drain::Drain;
use ouli_net::server::{self, ConnectionLimiter, ListenerConfig, SharedConnectionLimiter};
use ouli_plugin::Plugins;
use ouli_proxy::gateway::{Loaded, connection_limits, server_bounds, upstream_bounds};
use ouli_proxy::handler::{
    BodyWorkers, Endpoint, RequestHandler, RequestLimiter, Route, SharedState, Snapshot,
};
use ouli_proxy::session::{MemoryBudget, Recorder, RecorderLimits, Sessions};
use ouli_redaction::Guard;
use tokio::sync::Semaphore;
use turmoil::net::TcpListener;

use super::network::{SimulatedDialer, SimulatedListener};
use super::plan::ORIGIN;
use crate::support::folder::Folder;
use crate::support::gateway;

pub(super) const PORT: u16 = 8080;
pub(super) const SESSION: &str = "default";

/// Short timeouts, so that a simulated run is short.
const LIMITS: &str = r#"[limits]
connect_timeout = "500ms"
response_header_timeout = "1s"
upstream_idle_timeout = "1s"
upstream_body_idle_timeout = "1s"
request_header_timeout = "1s"
idle_timeout = "2s"
request_body_idle_timeout = "1s"
background_read_timeout = "1s"
request_timeout = "3s"
response_send_timeout = "1s"
stream_idle_timeout = "2s"
http2_ping_interval = "1s"
http2_ping_timeout = "1s"
shutdown_timeout = "5s"
"#;

/// What is read and compiled once for all runs of one kind.
#[derive(Clone)]
struct Parts {
    config: Arc<Config>,
    plugins: Arc<Plugins>,
    guard: Arc<Guard>,
}

fn parts(mode: &'static str, http2_upstream: bool) -> Parts {
    type Known = HashMap<(&'static str, bool), Parts>;
    static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap();
    let make = || {
        let folder = Arc::new(Folder::new());
        let scheme = if http2_upstream { "h2c" } else { "http" };
        let builder = gateway::over(&folder, mode).section(LIMITS);
        let builder = builder.upstream(&format!("{scheme}://{ORIGIN}:{}", super::origin::PORT));
        let loaded = Loaded::read(&builder.options());
        let loaded = loaded.unwrap_or_else(|error| panic!("no gateway: {error}"));
        let plugins = Plugins::new(loaded.plugins(), &[], loaded.schema());
        Parts {
            config: loaded.config,
            plugins: Arc::new(plugins.unwrap()),
            guard: Arc::new(Guard::new(&[])),
        }
    };
    known
        .entry((mode, http2_upstream))
        .or_insert_with(make)
        .clone()
}

/// The gateway of one run.
pub(super) struct Simulated {
    pub(super) live: Arc<SharedState>,
    pub(super) slots: SharedConnectionLimiter,
    pub(super) drain: Drain,
    writer: Arc<Writer>,
    recorder: JoinHandle<()>,
}

impl Simulated {
    pub(super) fn new(mode: &'static str, http2_upstream: bool, cassettes: &Path) -> Self {
        let Parts {
            config,
            plugins,
            guard,
        } = parts(mode, http2_upstream);
        let limits = &config.limits;
        let folder =
            ouli_cassette::CassetteDir::open(cassettes, limits.cassette_size as u64).unwrap();
        let one = |count: usize| NonZero::new(count).unwrap();
        let options = ouli_cassette::WriterOptions {
            queue: one(limits.recorder_queue),
            max_batch: one(16),
            max_batch_bytes: 1 << 20,
            max_open: one(4),
            inline_limit: limits.inline_body as u64,
            sync: SyncPolicy::Close,
        };
        let unsynced = Box::new(|_: &str, _, error: &WriteError| panic!("{error}"));
        let writer = Arc::new(Writer::start(folder.clone(), options, unsynced).unwrap());
        let bounds = RecorderLimits::from(limits);
        let (recorder, thread) = Recorder::start(Arc::clone(&writer), bounds).unwrap();
        let snapshot = snapshot(&config, plugins, guard);
        let sessions = Arc::new(Sessions::new(Arc::new(folder), limits, Vec::new()));
        if mode != "record" && mode != "passthrough" {
            // Read before the run, so that no thread outside the simulation reads it later.
            snapshot
                .make_index(&sessions, &sessions.get_or_create(SESSION).unwrap())
                .unwrap();
        }
        let slots = ConnectionLimiter::new(connection_limits(limits));
        let live = Arc::new(SharedState {
            counters: Arc::default(),
            plugin_status_page: Box::new(String::new),
            own_listeners: Arc::default(),
            snapshot: ArcSwap::from_pointee(snapshot),
            sessions,
            recorder,
            budget: MemoryBudget::new(limits.memory, limits.recording_memory),
            request_limiter: RequestLimiter::new(
                limits.max_concurrent_requests,
                limits.max_pending_requests,
                limits.pending_request_timeout,
            ),
            detached_deliveries: Arc::new(Semaphore::new(limits.recorder_queue)),
            body_workers: BodyWorkers::new(1),
            body_reads: BodyWorkers::body_reads(),
            session_loads: BodyWorkers::session_loads(),
            background_reads: Arc::new(Semaphore::new(limits.background_reads)),
            contention: slots.contention().clone(),
            stream_permits: Arc::new(Semaphore::new(limits.streams)),
            drain: Drain::default(),
        });
        Self {
            live,
            slots,
            drain: Drain::default(),
            writer,
            recorder: thread,
        }
    }

    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.live.snapshot.load().config)
    }

    /// Serves in the simulation until the drain begins.
    pub(super) fn serve(&self) -> impl Future<Output = turmoil::Result> + use<> {
        let (live, drain) = (Arc::clone(&self.live), self.drain.clone());
        let config = ListenerConfig {
            endpoint: "api".into(),
            bounds: server_bounds(&self.config().limits),
            tls: None,
            limiter: Arc::clone(&self.slots),
            drain: drain.clone(),
        };
        async move {
            let listener = SimulatedListener(TcpListener::bind(("0.0.0.0", PORT)).await?);
            let gate = RequestHandler {
                endpoint: "api".into(),
                shared: Arc::clone(&live),
                worker: 0,
            };
            server::serve_listener(listener, config, gate, drain.signal()).await;
            // The host exists as long as this value does.
            drain.wait_idle_timeout(Duration::MAX).await;
            // The rest of a response is read after its client has left.
            live.drain.wait_idle_timeout(Duration::MAX).await;
            Ok(())
        }
    }

    /// Connections, request and stream permits, and tasks that are still held.
    pub(super) fn held(&self) -> Vec<(&'static str, usize)> {
        let limits = &self.config().limits;
        let held = [
            ("connections", self.slots.open_connections()),
            (
                "request permits",
                limits.max_concurrent_requests - self.live.request_limiter.available_permits(),
            ),
            (
                "streams",
                limits.streams - self.live.stream_permits.available_permits(),
            ),
            (
                "tasks",
                self.drain.active_guards() + self.live.drain.active_guards(),
            ),
        ];
        held.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Closes the recorder, so that everything is on the disk. No request may be in progress.
    pub(super) fn finish(self) {
        let live = Arc::try_unwrap(self.live);
        assert!(live.is_ok(), "a task still holds the gateway");
        drop(live);
        self.recorder.join().unwrap();
        self.writer.close().unwrap();
    }
}

fn snapshot(config: &Arc<Config>, plugins: Arc<Plugins>, guard: Arc<Guard>) -> Snapshot {
    let configured = &config.endpoints[0];
    let address = configured
        .upstream
        .as_ref()
        .filter(|_| configured.mode.needs_upstream());
    let route = address.map(|address| {
        let bounds = upstream_bounds(&config.limits);
        let route = Route::new(address.clone(), None, bounds, 1).unwrap();
        route.with_dialer(Arc::new(SimulatedDialer))
    });
    let endpoint = Endpoint {
        name: "api".into(),
        session: SESSION.into(),
        authority: address.map_or_else(String::new, |address| address.authority()),
        configured: configured.clone(),
        upstream: route,
    };
    Snapshot {
        generation: 1,
        config: Arc::clone(config),
        command: Arc::default(),
        plugins,
        guard,
        endpoints: HashMap::from([(Arc::from("api"), Arc::new(endpoint))]),
        indexes: Default::default(),
    }
}
