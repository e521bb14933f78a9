//! The listeners that are open, and how they follow the configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bounds::server_bounds;
use super::listening_sockets::ListenerSockets;
use super::resizable_quota::ConcurrencyLimits;
use super::shutdown::{self, ShutdownTimeouts};
use super::socket_activation::InheritedSockets;
use super::worker_threads::{AcceptTask, Task, Worker};
use super::{ListenerInfo, Options, StartError};
use crate::handler::SharedState;
use ouli_config::{Config, Endpoint, Limits, Mode, Tls};
use ouli_net::drain::Drain;
use ouli_net::server::Bounds;
use ouli_net::tls::{self, CertificateAuthority, CertificateSource};
use ouli_net::upstream::OwnListeners;

/// How long those are waited for who accept under old terms.
const RETIRE_TIMEOUT: Duration = Duration::from_secs(1);

/// What new connections are served under. Where it changes, the sockets stay, and so do the
/// connections that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ListenerSettings {
    tls: Tls,
    certificate_cache_size: usize,
    bounds: Bounds,
}

struct OpenListener {
    /// As the configuration says; with port 0 not where the sockets are.
    configured_addr: SocketAddr,
    settings: ListenerSettings,
    tls_config: Option<Arc<rustls::ServerConfig>>,
    mode: Mode,
    sockets: ListenerSockets,
    /// Who accepts under these terms.
    accept_drain: Drain,
    /// The connections.
    connection_drain: Drain,
}

/// Sockets that no endpoint has any more, and who accepts from them still.
type FreeSockets = BTreeMap<SocketAddr, (ListenerSockets, Drain)>;

/// All listeners, by the names of their endpoints.
pub(super) struct Listeners {
    workers: Vec<Worker>,
    open: BTreeMap<String, OpenListener>,
    /// Who accepts under terms that are over, until it has noticed.
    retired: Vec<Drain>,
    /// Connections of endpoints that were taken away, until they end.
    draining: Vec<Drain>,
    inherited: InheritedSockets,
    quotas: ConcurrencyLimits,
    own_listeners: Arc<OwnListeners>,
    ca_folder: PathBuf,
    on_listening: Arc<dyn Fn(&ListenerInfo) + Send + Sync>,
    stopped: bool,
}

impl Listeners {
    pub(super) fn new(
        options: &Options,
        live: &Arc<SharedState>,
        quotas: ConcurrencyLimits,
        config: &Config,
    ) -> Result<Self, StartError> {
        let passed = InheritedSockets::new(&options.inherited_sockets)?;
        passed.check(config)?;
        let workers: Result<Vec<_>, _> = (0..options.worker_count())
            .map(|number| Worker::start(number, Arc::clone(live), quotas.connections()))
            .collect();
        Ok(Self {
            workers: workers.map_err(StartError::Thread)?,
            open: BTreeMap::new(),
            retired: Vec::new(),
            draining: Vec::new(),
            inherited: passed,
            quotas,
            own_listeners: Arc::clone(&live.own_listeners),
            ca_folder: options.ca_folder.clone(),
            on_listening: Arc::clone(&options.on_listening),
            stopped: false,
        })
    }

    /// Opens, closes and keeps listeners as the configuration says. Those that stay lose no
    /// connection. Returns what went wrong; the rest is done all the same.
    pub(super) fn apply(&mut self, config: &Config) -> Vec<StartError> {
        if self.stopped {
            return Vec::new();
        }
        for debt in self.quotas.update(&config.limits) {
            self.workers[0].send(Task::SettleDebt(debt));
        }
        self.retired.retain(|drain| drain.active_guards() > 0);
        self.draining.retain(|drain| drain.active_guards() > 0);
        let mut free = self.remove_stale(config);
        let wanted = |address: &SocketAddr| {
            let mut endpoints = config.endpoints.iter();
            endpoints.any(|one| one.listen == *address)
        };
        for (_, (sockets, accepting)) in free.extract_if(.., |address, _| !wanted(address)) {
            self.close(sockets, accepting);
        }
        let mut faults = Vec::new();
        for endpoint in &config.endpoints {
            let done = if self.open.contains_key(&endpoint.name) {
                self.update(endpoint, &config.limits)
            } else {
                self.add(endpoint, &config.limits, &mut free)
            };
            faults.extend(done.err());
        }
        for (sockets, accepting) in free.into_values() {
            self.close(sockets, accepting);
        }
        // What a reload has put in force is in force when it is over.
        self.wait_for_retired();
        faults
    }

    /// Waits until nobody accepts under old terms any more, but not for one that has a connection
    /// in hand and no place for it.
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

    /// Accepts nothing new from here on.
    pub(super) fn begin_shutdown(&mut self, more: &Drain) {
        self.stopped = true;
        for open in std::mem::take(&mut self.open).into_values() {
            self.close(open.sockets, open.accept_drain);
            open.connection_drain.begin();
            self.draining.push(open.connection_drain);
        }
        more.begin();
    }

    /// Waits until all connections have ended or the grace period is over, and ends the workers.
    /// Returns how many tasks were cut off.
    pub(super) fn finish_shutdown(&mut self, more: &Drain, grace: ShutdownTimeouts) -> usize {
        let accepting = std::mem::take(&mut self.retired).into_iter();
        let connections = std::mem::take(&mut self.draining);
        let drains: Vec<_> = accepting.chain(connections).chain([more.clone()]).collect();
        let left = shutdown::wait_for_drains(&drains, grace);
        for worker in std::mem::take(&mut self.workers) {
            worker.join();
        }
        left
    }

    /// Takes away what the configuration no longer has. Its connections are told to end.
    fn remove_stale(&mut self, config: &Config) -> FreeSockets {
        let stays = |name: &str, open: &OpenListener| {
            let mut endpoints = config.endpoints.iter();
            endpoints.any(|one| one.name == name && one.listen == open.configured_addr)
        };
        let gone = self.open.extract_if(.., |name, open| !stays(name, open));
        let mut free = FreeSockets::new();
        for (name, open) in gone {
            open.connection_drain.begin();
            self.own_listeners.remove(&name);
            self.draining.push(open.connection_drain);
            free.insert(open.sockets.address(), (open.sockets, open.accept_drain));
        }
        free
    }

    /// Opens a listener, on the sockets of one that was taken away where its address is the same.
    fn add(
        &mut self,
        endpoint: &Endpoint,
        limits: &Limits,
        free: &mut FreeSockets,
    ) -> Result<(), StartError> {
        let terms = listener_settings(endpoint, limits);
        let identity = self.build_tls_config(endpoint, limits)?;
        let taken = free.remove(&endpoint.listen);
        let (sockets, before) = match taken {
            Some((sockets, before)) => (sockets, Some(before)),
            None => (self.open_sockets(endpoint, terms.bounds.backlog)?, None),
        };
        let drain = Drain::default();
        self.own_listeners.add(&endpoint.name, sockets.address());
        let accepting = self.start_accepting(&endpoint.name, &sockets, (&terms, &identity), &drain);
        if let Some(before) = before {
            before.begin();
            self.retired.push(before);
        }
        let open = OpenListener {
            configured_addr: endpoint.listen,
            settings: terms,
            tls_config: identity,
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

    /// Puts new terms in force on the same sockets.
    fn update(&mut self, endpoint: &Endpoint, limits: &Limits) -> Result<(), StartError> {
        let terms = listener_settings(endpoint, limits);
        let Some(open) = self.open.get(&endpoint.name) else {
            return Ok(());
        };
        if open.settings == terms {
            if let Some(open) = self.open.get_mut(&endpoint.name) {
                open.mode = endpoint.mode;
            }
            return Ok(());
        }
        let same_identity = open.settings.tls == terms.tls
            && open.settings.certificate_cache_size == terms.certificate_cache_size;
        let identity = if same_identity {
            open.tls_config.clone()
        } else {
            self.build_tls_config(endpoint, limits)?
        };
        if let Err(error) = open.sockets.set_backlog(terms.bounds.backlog) {
            tracing::error!("endpoint {}: limits.backlog: {error}", endpoint.name);
        }
        let (sockets, drain) = (&open.sockets, &open.connection_drain);
        let accepting = self.start_accepting(&endpoint.name, sockets, (&terms, &identity), drain);
        let Some(open) = self.open.get_mut(&endpoint.name) else {
            return Ok(());
        };
        open.mode = endpoint.mode;
        open.tls_config = identity;
        let was_tls = open.settings.tls != Tls::Off;
        open.settings = terms;
        let before = std::mem::replace(&mut open.accept_drain, accepting);
        before.begin();
        self.retired.push(before);
        if was_tls != (open.settings.tls != Tls::Off) {
            (self.on_listening)(&listener_info(&endpoint.name, open));
        }
        Ok(())
    }

    /// Lets all workers accept from these sockets under these terms.
    fn start_accepting(
        &self,
        endpoint: &str,
        sockets: &ListenerSockets,
        (terms, identity): (&ListenerSettings, &Option<Arc<rustls::ServerConfig>>),
        drain: &Drain,
    ) -> Drain {
        let accepting = Drain::default();
        for (number, worker) in self.workers.iter().enumerate() {
            let socket = match sockets.for_worker(number) {
                Ok(socket) => socket,
                Err(error) => {
                    tracing::error!("endpoint {endpoint}: a worker has no socket: {error}");
                    continue;
                }
            };
            let accepted = worker.send(Task::Accept(Box::new(AcceptTask {
                socket,
                endpoint: endpoint.into(),
                bounds: terms.bounds.clone(),
                tls: identity.clone(),
                accepting: (accepting.clone(), accepting.guard()),
                connection_drain: drain.clone(),
            })));
            if !accepted {
                tracing::error!("endpoint {endpoint}: a worker takes no listener");
            }
        }
        accepting
    }

    fn build_tls_config(
        &self,
        endpoint: &Endpoint,
        limits: &Limits,
    ) -> Result<Option<Arc<rustls::ServerConfig>>, StartError> {
        let make = || {
            let identity = match &endpoint.tls {
                Tls::Off => return Ok(None),
                Tls::Files { cert, key } => CertificateSource::Files {
                    cert: cert.clone(),
                    key: key.clone(),
                },
                Tls::SelfSigned => CertificateSource::LocalCa {
                    authority: Arc::new(CertificateAuthority::open_or_create(&self.ca_folder)?),
                    cache_size: limits.certificate_cache_size,
                },
            };
            tls::server_config(&identity).map(Some)
        };
        make().map_err(|source| StartError::Tls {
            endpoint: endpoint.name.clone(),
            source,
        })
    }
}

fn listener_settings(endpoint: &Endpoint, limits: &Limits) -> ListenerSettings {
    ListenerSettings {
        tls: endpoint.tls.clone(),
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
