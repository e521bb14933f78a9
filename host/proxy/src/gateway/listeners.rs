//! The open listeners, and how a reload changes them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::concurrency_limits::ConcurrencyLimits;
use super::error::StartError;
use super::listener_info::ListenerInfo;
use super::listener_retry::ListenerRetry;
use super::listener_settings::{ListenerSettings, tls_config};
use super::listening_sockets::ListenerSockets;
use super::open_listener::{OpenListener, RemovedListeners};
use super::options::Options;
use super::shutdown::{self, Deadline, ShutdownTimeouts};
use super::socket_activation::InheritedSockets;
use super::tls_settings::{BuiltTls, TlsSettings};
use super::worker::{AcceptTask, Task, Worker};
use crate::handler::SharedState;
use ouli_config::{Config, Endpoint, Limits, Tls};
use ouli_net::drain::Drain;
use ouli_net::tls::ServerConfig;
use ouli_net::upstream::OwnListeners;

/// How long a reload waits for retired accept loops.
const RETIRE_TIMEOUT: Duration = Duration::from_secs(1);

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
    ca_folder: Option<PathBuf>,
    on_listening: Arc<dyn Fn(&ListenerInfo) + Send + Sync>,
    retry: ListenerRetry,
    stopped: Arc<AtomicBool>,
}

impl Listeners {
    pub(super) fn new(
        options: &Options,
        shared: &Arc<SharedState>,
        concurrency: ConcurrencyLimits,
        config: &Config,
        stopped: &Arc<AtomicBool>,
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
            retry: ListenerRetry::default(),
            stopped: Arc::clone(stopped),
        })
    }

    /// Opens, closes and updates listeners to match the configuration. Listeners that stay lose no
    /// connection. An error does not stop the other changes: the endpoint keeps the listener that
    /// it has, and its address is tried again. Returns the errors that were not returned before.
    pub(super) fn apply(&mut self, config: &Config, tls: &TlsSettings) -> Vec<StartError> {
        if self.stopped.load(Ordering::Acquire) {
            return Vec::new();
        }
        for debt in self.concurrency.update(&config.limits) {
            self.workers[0].send(Task::SettleDebt(debt), &self.stopped);
        }
        self.retired.retain(|drain| drain.active_guards() > 0);
        self.draining.retain(|drain| drain.active_guards() > 0);
        let mut removed = RemovedListeners::take_from(&mut self.open, config);
        for (name, open) in removed.take_overlapping(config) {
            self.close_removed(&name, open);
        }
        let mut errors = Vec::new();
        let mut failed = Vec::new();
        for endpoint in &config.endpoints {
            let tls_files = tls.built(&endpoint.name);
            if self.open.contains_key(&endpoint.name) {
                errors.extend(self.update(endpoint, &config.limits, tls_files).err());
            } else if let Err(error) = self.add(endpoint, &config.limits, tls_files, &mut removed) {
                failed.push((endpoint, error));
            }
        }
        for (endpoint, _) in &failed {
            let tls_files = tls.built(&endpoint.name);
            if let Some((name, last_good)) = removed.take_endpoint(&endpoint.name) {
                self.open.insert(name, last_good);
                errors.extend(self.update(endpoint, &config.limits, tls_files).err());
            }
        }
        for (name, open) in removed.into_rest() {
            self.close_removed(&name, open);
        }
        // After the reload, every new connection has the new settings.
        self.wait_for_retired();
        errors.extend(self.retry_later(failed));
        errors
    }

    /// True if an address that was taken should be tried again.
    pub(super) fn is_retry_due(&self) -> bool {
        self.retry.is_due(Instant::now())
    }

    /// The endpoints that wait for their addresses, with the reasons.
    pub(super) fn waiting(&self) -> Vec<(String, SocketAddr, String)> {
        let waiting = self.retry.waiting();
        let owned = waiting.map(|(name, address, reason)| {
            let (name, reason) = (name.to_owned(), reason.to_owned());
            (name, address, reason)
        });
        owned.collect()
    }

    /// Notes the endpoints whose listeners were not opened. Returns the errors that are new.
    fn retry_later(&mut self, failed: Vec<(&Endpoint, StartError)>) -> Vec<StartError> {
        let waiting = failed.iter().map(|(endpoint, error)| {
            let (name, reason) = (endpoint.name.clone(), error.to_string());
            (name, endpoint.listen, reason)
        });
        let new = self.retry.replace(waiting.collect(), Instant::now());
        let failed = failed.into_iter();
        failed
            .filter(|(endpoint, _)| new.contains(&endpoint.name))
            .map(|(_, error)| error)
            .collect()
    }

    /// Closes the listener of an endpoint that has no longer its address.
    fn close_removed(&mut self, name: &str, open: OpenListener) {
        self.drain_removed(name, open.connection_drain);
        self.close(open.sockets, open.accept_drain);
    }

    fn drain_removed(&mut self, name: &str, connections: Drain) {
        connections.begin();
        // Of an endpoint that has moved, the older address.
        self.own_listeners.remove(name);
        self.draining.push(connections);
    }

    /// Waits until the retired accept loops have ended. The time is limited: a loop may hold an
    /// accepted connection for which there is no free slot.
    fn wait_for_retired(&self) {
        let start = Instant::now();
        while self.retired.iter().any(|drain| drain.active_guards() > 0)
            && start.elapsed() < RETIRE_TIMEOUT
            && !self.stopped.load(Ordering::Acquire)
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
        open.map(|(name, open)| ListenerInfo {
            waits_for: self.retry.address(name),
            ..listener_info(name, open)
        })
        .collect()
    }

    /// Stops accepting connections.
    pub(super) fn begin_shutdown(&mut self, shared_drain: &Drain) {
        for open in std::mem::take(&mut self.open).into_values() {
            self.close(open.sockets, open.accept_drain);
            open.connection_drain.begin();
            self.draining.push(open.connection_drain);
        }
        shared_drain.begin();
    }

    /// Waits until all connections have ended or the timeout expires, and ends the workers until
    /// the deadline. Returns the number of tasks that were dropped.
    pub(super) fn finish_shutdown(
        &mut self,
        shared_drain: &Drain,
        timeouts: ShutdownTimeouts,
        deadline: Deadline,
    ) -> usize {
        let accepting = std::mem::take(&mut self.retired).into_iter();
        let connections = std::mem::take(&mut self.draining);
        let drains: Vec<_> = accepting
            .chain(connections)
            .chain([shared_drain.clone()])
            .collect();
        let remaining = shutdown::wait_for_drains(&drains, timeouts);
        shared_drain.begin_aborting();
        for worker in std::mem::take(&mut self.workers) {
            worker.end(deadline.of_workers());
        }
        remaining
    }

    /// Opens a listener. It reuses the sockets of a removed one with the same address.
    fn add(
        &mut self,
        endpoint: &Endpoint,
        limits: &Limits,
        tls_files: BuiltTls,
        removed: &mut RemovedListeners,
    ) -> Result<(), StartError> {
        let settings = ListenerSettings::of(endpoint, limits);
        let tls_config = tls_config(self.ca_folder.as_deref(), endpoint, limits, &tls_files)?;
        let (sockets, retired) = match removed.take(&endpoint.listen) {
            Some((name, reused)) => {
                self.drain_removed(&name, reused.connection_drain);
                (reused.sockets, Some(reused.accept_drain))
            }
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
        let settings = ListenerSettings::of(endpoint, limits);
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
        let same_certificate = same_files && open.settings.has_tls_of(&settings);
        let tls_config = if same_certificate {
            open.tls_config.clone()
        } else {
            tls_config(self.ca_folder.as_deref(), endpoint, limits, &tls_files)?
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
            let task = Task::Accept(Box::new(AcceptTask {
                socket,
                endpoint: endpoint.into(),
                bounds: settings.bounds.clone(),
                tls: tls_config.clone(),
                accepting: (accepting.clone(), accepting.guard()),
                connection_drain: drain.clone(),
            }));
            let accepted = worker.send(task, &self.stopped);
            if !accepted {
                tracing::error!("endpoint {endpoint}: worker {number} has ended");
            }
        }
        accepting
    }
}

fn listener_info(name: &str, open: &OpenListener) -> ListenerInfo {
    ListenerInfo {
        endpoint: name.to_owned(),
        address: open.sockets.address(),
        tls: open.settings.tls != Tls::Off,
        mode: open.mode,
        waits_for: None,
    }
}
