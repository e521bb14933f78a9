//! The listeners that are open, and how they follow the configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::listening_sockets::Sockets;
use super::resizable_quota::Quotas;
use super::shutdown::{self, Grace};
use super::socket_activation::PassedSockets;
use super::worker_threads::{Accept, Task, Worker};
use super::{Listening, Options, StartError};
use crate::handler::context::Live;
use ouli_config::{Config, Endpoint, Limits, Mode, Tls};
use ouli_net::drain::Drain;
use ouli_net::server::Bounds;
use ouli_net::tls::{self, Authority, Identity};
use ouli_net::upstream::Own;

/// How long those are waited for who accept under old terms.
const RETIRING: Duration = Duration::from_secs(1);

/// What new connections are served under. Where it changes, the sockets stay, and so do the
/// connections that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Terms {
    tls: Tls,
    certificates: usize,
    bounds: Bounds,
}

struct Open {
    /// As the configuration says; with port 0 not where the sockets are.
    listen: SocketAddr,
    terms: Terms,
    identity: Option<Arc<rustls::ServerConfig>>,
    mode: Mode,
    sockets: Sockets,
    /// Who accepts under these terms.
    accepting: Drain,
    /// The connections.
    drain: Drain,
}

/// Sockets that no endpoint has any more, and who accepts from them still.
type Free = BTreeMap<SocketAddr, (Sockets, Drain)>;

/// All listeners, by the names of their endpoints.
pub(super) struct Listeners {
    workers: Vec<Worker>,
    open: BTreeMap<String, Open>,
    /// Who accepts under terms that are over, until it has noticed.
    retired: Vec<Drain>,
    /// Connections of endpoints that were taken away, until they end.
    leaving: Vec<Drain>,
    passed: PassedSockets,
    quotas: Quotas,
    own: Arc<Own>,
    authority: PathBuf,
    announce: Arc<dyn Fn(&Listening) + Send + Sync>,
    stopped: bool,
}

impl Listeners {
    pub(super) fn new(
        options: &Options,
        live: &Arc<Live>,
        quotas: Quotas,
        config: &Config,
    ) -> Result<Self, StartError> {
        let passed = PassedSockets::new(&options.passed)?;
        passed.check(config)?;
        let workers: Result<Vec<_>, _> = (0..options.worker_count())
            .map(|number| Worker::start(number, Arc::clone(live), quotas.connections()))
            .collect();
        Ok(Self {
            workers: workers.map_err(StartError::Thread)?,
            open: BTreeMap::new(),
            retired: Vec::new(),
            leaving: Vec::new(),
            passed,
            quotas,
            own: Arc::clone(&live.own),
            authority: options.authority.clone(),
            announce: Arc::clone(&options.announce),
            stopped: false,
        })
    }

    /// Opens, closes and keeps listeners as the configuration says. Those that stay lose no
    /// connection. Returns what went wrong; the rest is done all the same.
    pub(super) fn apply(&mut self, config: &Config) -> Vec<StartError> {
        if self.stopped {
            return Vec::new();
        }
        for debt in self.quotas.follow(&config.limits) {
            self.workers[0].give(Task::Settle(debt));
        }
        self.retired.retain(|drain| drain.active() > 0);
        self.leaving.retain(|drain| drain.active() > 0);
        let mut free = self.remove(config);
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
                self.renew(endpoint, &config.limits)
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
        while self.retired.iter().any(|drain| drain.active() > 0) && start.elapsed() < RETIRING {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn close(&mut self, sockets: Sockets, accepting: Drain) {
        sockets.close(&accepting);
        self.retired.push(accepting);
    }

    pub(super) fn listening(&self) -> Vec<Listening> {
        let open = self.open.iter();
        open.map(|(name, open)| listening(name, open)).collect()
    }

    /// Accepts nothing new from here on.
    pub(super) fn begin_stop(&mut self, more: &Drain) {
        self.stopped = true;
        for open in std::mem::take(&mut self.open).into_values() {
            self.close(open.sockets, open.accepting);
            open.drain.begin();
            self.leaving.push(open.drain);
        }
        more.begin();
    }

    /// Waits until all connections have ended or the grace period is over, and ends the workers.
    /// Returns how many tasks were cut off.
    pub(super) fn finish(&mut self, more: &Drain, grace: Grace) -> usize {
        let accepting = std::mem::take(&mut self.retired).into_iter();
        let connections = std::mem::take(&mut self.leaving);
        let drains: Vec<_> = accepting.chain(connections).chain([more.clone()]).collect();
        let left = shutdown::wait(&drains, grace);
        for worker in std::mem::take(&mut self.workers) {
            worker.end();
        }
        left
    }

    /// Takes away what the configuration no longer has. Its connections are told to end.
    fn remove(&mut self, config: &Config) -> Free {
        let stays = |name: &str, open: &Open| {
            let mut endpoints = config.endpoints.iter();
            endpoints.any(|one| one.name == name && one.listen == open.listen)
        };
        let gone = self.open.extract_if(.., |name, open| !stays(name, open));
        let mut free = Free::new();
        for (name, open) in gone {
            open.drain.begin();
            self.own.remove(&name);
            self.leaving.push(open.drain);
            free.insert(open.sockets.address(), (open.sockets, open.accepting));
        }
        free
    }

    /// Opens a listener, on the sockets of one that was taken away where its address is the same.
    fn add(
        &mut self,
        endpoint: &Endpoint,
        limits: &Limits,
        free: &mut Free,
    ) -> Result<(), StartError> {
        let terms = terms(endpoint, limits);
        let identity = self.identity(endpoint, limits)?;
        let taken = free.remove(&endpoint.listen);
        let (sockets, before) = match taken {
            Some((sockets, before)) => (sockets, Some(before)),
            None => (self.sockets(endpoint, terms.bounds.backlog)?, None),
        };
        let drain = Drain::default();
        self.own.add(&endpoint.name, sockets.address());
        let accepting = self.accept(&endpoint.name, &sockets, (&terms, &identity), &drain);
        if let Some(before) = before {
            before.begin();
            self.retired.push(before);
        }
        let open = Open {
            listen: endpoint.listen,
            terms,
            identity,
            mode: endpoint.mode,
            sockets,
            accepting,
            drain,
        };
        (self.announce)(&listening(&endpoint.name, &open));
        self.open.insert(endpoint.name.clone(), open);
        Ok(())
    }

    fn sockets(&self, endpoint: &Endpoint, backlog: u32) -> Result<Sockets, StartError> {
        let failed = |source| StartError::Listen {
            endpoint: endpoint.name.clone(),
            source,
        };
        if let Some(socket) = self.passed.find(endpoint) {
            let sockets = Sockets::passed(socket, backlog);
            return sockets.map_err(|error| StartError::Passed(error.to_string()));
        }
        self.wait_for_retired();
        Sockets::open(endpoint.listen, self.workers.len(), backlog).map_err(failed)
    }

    /// Puts new terms in force on the same sockets.
    fn renew(&mut self, endpoint: &Endpoint, limits: &Limits) -> Result<(), StartError> {
        let terms = terms(endpoint, limits);
        let Some(open) = self.open.get(&endpoint.name) else {
            return Ok(());
        };
        if open.terms == terms {
            if let Some(open) = self.open.get_mut(&endpoint.name) {
                open.mode = endpoint.mode;
            }
            return Ok(());
        }
        let same_identity =
            open.terms.tls == terms.tls && open.terms.certificates == terms.certificates;
        let identity = if same_identity {
            open.identity.clone()
        } else {
            self.identity(endpoint, limits)?
        };
        if let Err(error) = open.sockets.set_backlog(terms.bounds.backlog) {
            tracing::error!("endpoint {}: limits.backlog: {error}", endpoint.name);
        }
        let (sockets, drain) = (&open.sockets, &open.drain);
        let accepting = self.accept(&endpoint.name, sockets, (&terms, &identity), drain);
        let Some(open) = self.open.get_mut(&endpoint.name) else {
            return Ok(());
        };
        open.mode = endpoint.mode;
        open.identity = identity;
        let was_tls = open.terms.tls != Tls::Off;
        open.terms = terms;
        let before = std::mem::replace(&mut open.accepting, accepting);
        before.begin();
        self.retired.push(before);
        if was_tls != (open.terms.tls != Tls::Off) {
            (self.announce)(&listening(&endpoint.name, open));
        }
        Ok(())
    }

    /// Lets all workers accept from these sockets under these terms.
    fn accept(
        &self,
        endpoint: &str,
        sockets: &Sockets,
        (terms, identity): (&Terms, &Option<Arc<rustls::ServerConfig>>),
        drain: &Drain,
    ) -> Drain {
        let accepting = Drain::default();
        for (number, worker) in self.workers.iter().enumerate() {
            let socket = match sockets.of_worker(number) {
                Ok(socket) => socket,
                Err(error) => {
                    tracing::error!("endpoint {endpoint}: a worker has no socket: {error}");
                    continue;
                }
            };
            let accepted = worker.give(Task::Accept(Box::new(Accept {
                socket,
                endpoint: endpoint.into(),
                bounds: terms.bounds.clone(),
                tls: identity.clone(),
                accepting: (accepting.clone(), accepting.guard()),
                drain: drain.clone(),
            })));
            if !accepted {
                tracing::error!("endpoint {endpoint}: a worker takes no listener");
            }
        }
        accepting
    }

    fn identity(
        &self,
        endpoint: &Endpoint,
        limits: &Limits,
    ) -> Result<Option<Arc<rustls::ServerConfig>>, StartError> {
        let make = || {
            let identity = match &endpoint.tls {
                Tls::Off => return Ok(None),
                Tls::Files { cert, key } => Identity::Files {
                    cert: cert.clone(),
                    key: key.clone(),
                },
                Tls::SelfSigned => Identity::Local {
                    authority: Arc::new(Authority::open_or_create(&self.authority)?),
                    certificates: limits.certificates,
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

fn terms(endpoint: &Endpoint, limits: &Limits) -> Terms {
    Terms {
        tls: endpoint.tls.clone(),
        certificates: limits.certificates,
        bounds: Bounds::from(limits),
    }
}

fn listening(name: &str, open: &Open) -> Listening {
    Listening {
        endpoint: name.to_owned(),
        address: open.sockets.address(),
        tls: open.terms.tls != Tls::Off,
        mode: open.mode,
    }
}
