//! The listeners that are open, and how they follow the configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::worker::{Accept, Worker};
use super::{Listening, Options, StartError};
use crate::config::{Config, Endpoint, Limits, Mode, Tls};
use crate::drain::Drain;
use crate::mode::Live;
use crate::server::{Bound, Bounds};
use crate::tls::{self, Authority, Identity};

/// What a listener is made from: where one of these changes, it is opened anew.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Make {
    listen: SocketAddr,
    tls: Tls,
    bounds: Bounds,
}

struct Open {
    make: Make,
    address: SocketAddr,
    mode: Mode,
    drain: Drain,
}

/// All listeners, by the names of their endpoints.
pub(super) struct Listeners {
    workers: Vec<Worker>,
    open: BTreeMap<String, Open>,
    /// Endpoints that were taken away, while their connections end.
    leaving: Vec<Drain>,
    authority: PathBuf,
    announce: Arc<dyn Fn(&Listening) + Send + Sync>,
}

impl Listeners {
    pub(super) fn new(
        options: &Options,
        live: Arc<Live>,
        config: &Config,
    ) -> Result<Self, StartError> {
        let count = options.worker_count();
        let slots = Arc::new(Semaphore::new(config.limits.connections));
        let workers: Result<Vec<_>, _> = (0..count)
            .map(|number| Worker::start(number, Arc::clone(&live), Arc::clone(&slots)))
            .collect();
        drop(live);
        Ok(Self {
            workers: workers.map_err(StartError::Thread)?,
            open: BTreeMap::new(),
            leaving: Vec::new(),
            authority: options.authority.clone(),
            announce: Arc::clone(&options.announce),
        })
    }

    /// Opens, closes and keeps listeners as the configuration says. Those that stay lose no
    /// connection.
    pub(super) fn apply(&mut self, config: &Config) -> Result<(), StartError> {
        self.leaving.retain(|drain| drain.active() > 0);
        let gone: Vec<_> = self
            .open
            .iter()
            .filter(|(name, open)| !wanted(config, name, &open.make))
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            if let Some(open) = self.open.remove(&name) {
                open.drain.begin();
                self.leaving.push(open.drain);
            }
        }
        for endpoint in &config.endpoints {
            match self.open.get_mut(&endpoint.name) {
                Some(open) => open.mode = endpoint.mode,
                None => self.open(endpoint, &config.limits)?,
            }
        }
        Ok(())
    }

    pub(super) fn listening(&self) -> Vec<Listening> {
        let open = self.open.iter();
        open.map(|(name, open)| listening(name, open)).collect()
    }

    /// Accepts nothing new, waits until all connections have ended or `grace` is over, and ends the
    /// workers. Returns how many tasks were cut off.
    pub(super) fn stop(&mut self, more: &Drain, grace: Duration) -> usize {
        let drains: Vec<_> = std::mem::take(&mut self.open)
            .into_values()
            .map(|open| open.drain)
            .chain(std::mem::take(&mut self.leaving))
            .chain([more.clone()])
            .collect();
        for drain in &drains {
            drain.begin();
        }
        let left = wait(&drains, grace);
        for worker in std::mem::take(&mut self.workers) {
            worker.end();
        }
        left
    }

    fn open(&mut self, endpoint: &Endpoint, limits: &Limits) -> Result<(), StartError> {
        let make = make(endpoint, limits);
        let tls = self.identity(endpoint, limits)?;
        let (address, workers) = (endpoint.listen, self.workers.len());
        let bound = Bound::open(address, workers, make.bounds.backlog);
        let bound = bound.map_err(|source| StartError::Listen {
            endpoint: endpoint.name.clone(),
            source,
        })?;
        let drain = Drain::default();
        for (worker, socket) in self.workers.iter().zip(bound.sockets) {
            let accepted = worker.accept(Accept {
                socket,
                endpoint: endpoint.name.as_str().into(),
                bounds: make.bounds.clone(),
                tls: tls.clone(),
                drain: drain.clone(),
                stop: drain.stop(),
            });
            if !accepted {
                tracing::error!("endpoint {}: a worker takes no listener", endpoint.name);
            }
        }
        let open = Open {
            make,
            address: bound.address,
            mode: endpoint.mode,
            drain,
        };
        (self.announce)(&listening(&endpoint.name, &open));
        self.open.insert(endpoint.name.clone(), open);
        Ok(())
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

fn make(endpoint: &Endpoint, limits: &Limits) -> Make {
    Make {
        listen: endpoint.listen,
        tls: endpoint.tls.clone(),
        bounds: Bounds::from(limits),
    }
}

fn wanted(config: &Config, name: &str, open: &Make) -> bool {
    let endpoint = config.endpoints.iter().find(|one| one.name == name);
    endpoint.is_some_and(|endpoint| make(endpoint, &config.limits) == *open)
}

fn listening(name: &str, open: &Open) -> Listening {
    Listening {
        endpoint: name.to_owned(),
        address: open.address,
        tls: open.make.tls != Tls::Off,
        mode: open.mode,
    }
}

/// Waits on a runtime of its own: the caller is a plain thread, and the workers are busy draining.
fn wait(drains: &[Drain], grace: Duration) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    match runtime {
        Ok(runtime) => {
            let all = async {
                for drain in drains {
                    drain.finished(grace).await;
                }
            };
            // One grace period for all of them together. An end by the clock is told by what is
            // left.
            let _ = runtime.block_on(async { tokio::time::timeout(grace, all).await });
        }
        Err(error) => tracing::error!("cannot wait for connections to end: {error}"),
    }
    drains.iter().map(Drain::active).sum()
}
