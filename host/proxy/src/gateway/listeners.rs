//! The open listeners, and how a reload changes them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bounds::server_bounds;
use super::concurrency_limits::ConcurrencyLimits;
use super::error::StartError;
use super::listener_info::ListenerInfo;
use super::listening_sockets::ListenerSockets;
use super::options::Options;
use super::shutdown::{self, ShutdownTimeouts};
use super::socket_activation::InheritedSockets;
use super::tls_settings::{BuiltTls, TlsSettings};
use super::worker::{AcceptTask, Task, Worker};
use crate::handler::SharedState;
use ouli_config::{ClientAuth, Config, Endpoint, Limits, Mode, Tls};
use ouli_net::drain::Drain;
use ouli_net::server::Bounds;
use ouli_net::tls::{self, CertificateAuthority, CertificateSource, ServerConfig};
use ouli_net::upstream::OwnListeners;

/// How long a reload waits for retired accept loops.
const RETIRE_TIMEOUT: Duration = Duration::from_secs(1);

/// The settings of new connections. A change keeps the sockets and the open connections.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ListenerSettings {
    tls: Tls,
    client_auth: Option<ClientAuth>,
    certificate_cache_size: usize,
    bounds: Bounds,
}

struct OpenListener {
    /// The address in the configuration; with port 0 it differs from that of the sockets.
    configured_addr: SocketAddr,
    settings: ListenerSettings,
    tls_files: BuiltTls,
    tls_config: Option<Arc<ServerConfig>>,
    mode: Mode,
    sockets: ListenerSockets,
    /// Ends the accept loops with these settings.
    accept_drain: Drain,
    /// Ends the connections.
    connection_drain: Drain,
}

/// Sockets of removed endpoints, with the drain of their accept loops.
type FreeSockets = BTreeMap<SocketAddr, (ListenerSockets, Drain)>;

/// All listeners, by endpoint name.
pub(super) struct Listeners {
    workers: Vec<Worker>,
    open: BTreeMap<String, OpenListener>,
    /// Accept loops with outdated settings, until they have ended.
    retired: Vec<Drain>,
    /// Connections of removed endpoints, until they have ended.
    draining: Vec<Drain>,
    inherited: InheritedSockets,
    concurrency: ConcurrencyLimits,
    own_listeners: Arc<OwnListeners>,
    ca_folder: PathBuf,
    on_listening: Arc<dyn Fn(&ListenerInfo) + Send + Sync>,
    stopped: bool,
}

impl Listeners {
    pub(super) fn new(
        options: &Options,
        shared: &Arc<SharedState>,
        concurrency: ConcurrencyLimits,
        config: &Config,
    ) -> Result<Self, StartError> {
        let inherited = InheritedSockets::new(&options.inherited_sockets)?;
        inherited.check(config)?;
        let workers: Result<Vec<_>, _> = (0..options.worker_count())
            .map(|number| Worker::start(number, Arc::clone(shared), concurrency.connections()))
            .collect();
        Ok(Self {
            workers: workers.map_err(StartError::Thread)?,
            open: BTreeMap::new(),
            retired: Vec::new(),
            draining: Vec::new(),
            inherited,
            concurrency,
            own_listeners: Arc::clone(&shared.own_listeners),
            ca_folder: options.ca_folder.clone(),
            on_listening: Arc::clone(&options.on_listening),
            stopped: false,
        })
    }

    /// Opens, closes and updates listeners to match the configuration. Listeners that stay lose no
    /// connection. An error does not stop the other changes.
    pub(super) fn apply(&mut self, config: &Config, tls: &TlsSettings) -> Vec<StartError> {
        if self.stopped {
            return Vec::new();
        }
        for debt in self.concurrency.update(&config.limits) {
            self.workers[0].send(Task::SettleDebt(debt));
        }
        self.retired.retain(|drain| drain.active_guards() > 0);
        self.draining.retain(|drain| drain.active_guards() > 0);
        let mut free = self.remove_stale(config);
        let is_configured = |address: &SocketAddr| {
            let mut endpoints = config.endpoints.iter();
            endpoints.any(|one| one.listen == *address)
        };
        for (_, (sockets, accepting)) in free.extract_if(.., |address, _| !is_configured(address)) {
            self.close(sockets, accepting);
        }
        let mut errors = Vec::new();
        for endpoint in &config.endpoints {
            let tls_files = tls.built(&endpoint.name);
            let result = if self.open.contains_key(&endpoint.name) {
                self.update(endpoint, &config.limits, tls_files)
            } else {
                self.add(endpoint, &config.limits, tls_files, &mut free)
            };
            errors.extend(result.err());
        }
        for (sockets, accepting) in free.into_values() {
            self.close(sockets, accepting);
        }
        // After the reload, every new connection has the new settings.
        self.wait_for_retired();
        errors
    }

    /// Waits until the retired accept loops have ended. The time is limited: a loop may hold an
    /// accepted connection for which there is no free slot.
    fn wait_for_retired(&self) {
        let start = Instant::now();
        while self.retired.iter().any(|drain| drain.active_guards() > 0)
            && start.elapsed() < RETIRE_TIMEOUT
        {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn close(&mut self, sockets: ListenerSockets, accepting: Drain) {
        sockets.close(&accepting);
        self.retired.push(accepting);
    }

    pub(super) fn infos(&self) -> Vec<ListenerInfo> {
        let open = self.open.iter();
        open.map(|(name, open)| listener_info(name, open)).collect()
    }

    /// Stops accepting connections.
    pub(super) fn begin_shutdown(&mut self, shared_drain: &Drain) {
        self.stopped = true;
        for open in std::mem::take(&mut self.open).into_values() {
            self.close(open.sockets, open.accept_drain);
            open.connection_drain.begin();
            self.draining.push(open.connection_drain);
        }
        shared_drain.begin();
    }

    /// Waits until all connections have ended or the timeout expires, and ends the workers. Returns
    /// the number of tasks that were dropped.
    pub(super) fn finish_shutdown(
        &mut self,
        shared_drain: &Drain,
        timeouts: ShutdownTimeouts,
    ) -> usize {
        let accepting = std::mem::take(&mut self.retired).into_iter();
        let connections = std::mem::take(&mut self.draining);
        let drains: Vec<_> = accepting
            .chain(connections)
            .chain([shared_drain.clone()])
            .collect();
        let remaining = shutdown::wait_for_drains(&drains, timeouts);
        for worker in std::mem::take(&mut self.workers) {
            worker.join();
        }
        remaining
    }

    /// Removes the listeners that the configuration no longer has, and drains their connections.
    fn remove_stale(&mut self, config: &Config) -> FreeSockets {
        let stays = |name: &str, open: &OpenListener| {
            let mut endpoints = config.endpoints.iter();
            endpoints.any(|one| one.name == name && one.listen == open.configured_addr)
        };
        let removed = self.open.extract_if(.., |name, open| !stays(name, open));
        let mut free = FreeSockets::new();
        for (name, open) in removed {
            open.connection_drain.begin();
            self.own_listeners.remove(&name);
            self.draining.push(open.connection_drain);
            free.insert(open.sockets.address(), (open.sockets, open.accept_drain));
        }
        free
    }

    /// Opens a listener. It reuses the sockets of a removed one with the same address.
    fn add(
        &mut self,
        endpoint: &Endpoint,
        limits: &Limits,
        tls_files: BuiltTls,
        free: &mut FreeSockets,
    ) -> Result<(), StartError> {
        let settings = listener_settings(endpoint, limits);
        let tls_config = self.build_tls_config(endpoint, limits, &tls_files)?;
        let reused = free.remove(&endpoint.listen);
        let (sockets, retired) = match reused {
            Some((sockets, accepting)) => (sockets, Some(accepting)),
            None => (self.open_sockets(endpoint, settings.bounds.backlog)?, None),
        };
        let drain = Drain::default();
        self.own_listeners.add(&endpoint.name, sockets.address());
        let accepting =
            self.start_accepting(&endpoint.name, &sockets, (&settings, &tls_config), &drain);
        if let Some(retired) = retired {
            retired.begin();
            self.retired.push(retired);
        }
        let open = OpenListener {
            configured_addr: endpoint.listen,
            settings,
            tls_files,
            tls_config,
            mode: endpoint.mode,
            sockets,
            accept_drain: accepting,
            connection_drain: drain,
        };
        (self.on_listening)(&listener_info(&endpoint.name, &open));
        self.open.insert(endpoint.name.clone(), open);
        Ok(())
    }

    fn open_sockets(
        &self,
        endpoint: &Endpoint,
        backlog: u32,
    ) -> Result<ListenerSockets, StartError> {
        let failed = |source| StartError::Listen {
            endpoint: endpoint.name.clone(),
            source,
        };
        if let Some(socket) = self.inherited.find(endpoint) {
            let sockets = ListenerSockets::from_inherited(socket, backlog);
            return sockets.map_err(|error| StartError::InheritedSocket(error.to_string()));
        }
        self.wait_for_retired();
        ListenerSockets::bind(endpoint.listen, self.workers.len(), backlog).map_err(failed)
    }

    /// Applies new settings on the same sockets.
    fn update(
        &mut self,
        endpoint: &Endpoint,
        limits: &Limits,
        tls_files: BuiltTls,
    ) -> Result<(), StartError> {
        let settings = listener_settings(endpoint, limits);
        let Some(open) = self.open.get(&endpoint.name) else {
            return Ok(());
        };
        let same_files = open.tls_files.is_same_listener(&tls_files);
        if open.settings == settings && same_files {
            if let Some(open) = self.open.get_mut(&endpoint.name) {
                open.mode = endpoint.mode;
            }
            return Ok(());
        }
        let same_certificate = same_files
            && open.settings.tls == settings.tls
            && open.settings.client_auth == settings.client_auth
            && open.settings.certificate_cache_size == settings.certificate_cache_size;
        let tls_config = if same_certificate {
            open.tls_config.clone()
        } else {
            self.build_tls_config(endpoint, limits, &tls_files)?
        };
        if let Err(error) = open.sockets.set_backlog(settings.bounds.backlog) {
            tracing::error!("endpoint {}: limits.backlog: {error}", endpoint.name);
        }
        let (sockets, drain) = (&open.sockets, &open.connection_drain);
        let accepting =
            self.start_accepting(&endpoint.name, sockets, (&settings, &tls_config), drain);
        let Some(open) = self.open.get_mut(&endpoint.name) else {
            return Ok(());
        };
        open.mode = endpoint.mode;
        open.tls_config = tls_config;
        open.tls_files = tls_files;
        let was_tls = open.settings.tls != Tls::Off;
        open.settings = settings;
        let retired = std::mem::replace(&mut open.accept_drain, accepting);
        retired.begin();
        self.retired.push(retired);
        if was_tls != (open.settings.tls != Tls::Off) {
            (self.on_listening)(&listener_info(&endpoint.name, open));
        }
        Ok(())
    }

    /// Starts an accept loop with these settings on every worker.
    fn start_accepting(
        &self,
        endpoint: &str,
        sockets: &ListenerSockets,
        (settings, tls_config): (&ListenerSettings, &Option<Arc<ServerConfig>>),
        drain: &Drain,
    ) -> Drain {
        let accepting = Drain::default();
        for (number, worker) in self.workers.iter().enumerate() {
            let socket = match sockets.for_worker(number) {
                Ok(socket) => socket,
                Err(error) => {
                    tracing::error!("endpoint {endpoint}: worker {number} has no socket: {error}");
                    continue;
                }
            };
            let accepted = worker.send(Task::Accept(Box::new(AcceptTask {
                socket,
                endpoint: endpoint.into(),
                bounds: settings.bounds.clone(),
                tls: tls_config.clone(),
                accepting: (accepting.clone(), accepting.guard()),
                connection_drain: drain.clone(),
            })));
            if !accepted {
                tracing::error!("endpoint {endpoint}: worker {number} has ended");
            }
        }
        accepting
    }

    fn build_tls_config(
        &self,
        endpoint: &Endpoint,
        limits: &Limits,
        files: &BuiltTls,
    ) -> Result<Option<Arc<ServerConfig>>, StartError> {
        let build = || {
            let source = match (&endpoint.tls, &files.identity) {
                (Tls::Off, _) => return Ok(None),
                (_, Some(identity)) => CertificateSource::Identity(Arc::clone(identity)),
                (_, None) => CertificateSource::LocalCa {
                    authority: Arc::new(CertificateAuthority::open_or_create(&self.ca_folder)?),
                    cache_size: limits.certificate_cache_size,
                },
            };
            tls::server_config(&source, files.clients.clone()).map(Some)
        };
        build().map_err(|source| StartError::Tls {
            endpoint: endpoint.name.clone(),
            source,
        })
    }
}

fn listener_settings(endpoint: &Endpoint, limits: &Limits) -> ListenerSettings {
    ListenerSettings {
        tls: endpoint.tls.clone(),
        client_auth: endpoint.client_auth.clone(),
        certificate_cache_size: limits.certificate_cache_size,
        bounds: server_bounds(limits),
    }
}

fn listener_info(name: &str, open: &OpenListener) -> ListenerInfo {
    ListenerInfo {
        endpoint: name.to_owned(),
        address: open.sockets.address(),
        tls: open.settings.tls != Tls::Off,
        mode: open.mode,
    }
}
