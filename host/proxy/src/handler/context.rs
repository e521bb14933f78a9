//! What a request can reach: the live generation, the sessions, the recorder and the way to the
//! upstream.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use arc_swap::ArcSwap;
use http::uri::{Authority, InvalidUri, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error_response::ExchangeError;
use super::request_limiter::{RequestLimiter, RequestPermit};
use crate::session::{Index, MemoryBudget, Recorder, Session, Sessions};
use ouli_config::Config;
use ouli_net::drain::Drain;
use ouli_net::tls::ClientConfig;
use ouli_net::upstream::{self, Dial, OwnListeners, TcpDialer, UpstreamClient};
use ouli_plugin::Plugins;
use ouli_redaction::Guard;

/// One generation of everything that can be reloaded. Immutable but for indexes, which are made
/// when first needed.
pub struct Snapshot {
    /// Counts up with each reload.
    pub generation: u64,
    /// The configuration.
    pub config: Arc<Config>,
    /// The plugins.
    pub plugins: Arc<Plugins>,
    /// The last look before the disk.
    pub guard: Arc<Guard>,
    /// The endpoints by name.
    pub endpoints: HashMap<Arc<str>, Arc<Endpoint>>,
    /// An index for each session that was replayed from.
    pub indexes: RwLock<HashMap<Arc<str>, Arc<Index>>>,
}

/// An endpoint as requests need it. A reload that does not change it keeps it and its connections.
#[derive(Debug)]
pub struct Endpoint {
    /// Its name.
    pub name: Arc<str>,
    /// The session of a request that names none.
    pub session: Arc<str>,
    /// Host and port of the upstream; empty without one.
    pub authority: String,
    /// What the configuration says of it.
    pub configured: ouli_config::Endpoint,
    /// Where its requests go. None in replay, which can ask nobody.
    pub upstream: Option<Route>,
}

/// The way from an endpoint to its upstream.
#[derive(Debug)]
pub struct Route {
    /// The upstream.
    pub address: ouli_config::Upstream,
    scheme: Scheme,
    authority: Authority,
    tls: Option<Arc<ClientConfig>>,
    bounds: upstream::Bounds,
    request_limiter: RequestLimiter,
    /// What opens its connections in the place of TCP.
    dial: Option<Arc<dyn Dial>>,
    /// A client for each worker, so that no connection is shared between threads.
    clients: Box<[OnceLock<UpstreamClient>]>,
}

impl Route {
    /// A way for so many workers; clients are made when they are first needed.
    ///
    /// # Errors
    /// Where the address is none that stands in a URL.
    pub fn new(
        address: ouli_config::Upstream,
        tls: Option<Arc<ClientConfig>>,
        bounds: upstream::Bounds,
        workers: usize,
    ) -> Result<Self, InvalidUri> {
        Ok(Self {
            scheme: match address.scheme {
                ouli_config::Scheme::Http | ouli_config::Scheme::H2c => Scheme::HTTP,
                ouli_config::Scheme::Https => Scheme::HTTPS,
            },
            authority: Authority::try_from(address.authority())?,
            address,
            tls,
            request_limiter: RequestLimiter::new(
                bounds.max_concurrent_requests,
                bounds.max_pending_requests,
                bounds.pending_request_timeout,
            ),
            bounds,
            dial: None,
            clients: (0..workers).map(|_| OnceLock::new()).collect(),
        })
    }

    /// The same with its connections opened in another way than by TCP.
    #[must_use]
    pub fn with_dialer(self, dial: Arc<dyn Dial>) -> Self {
        Self {
            dial: Some(dial),
            ..self
        }
    }

    /// The URL that is asked for when a client asks for `target`.
    pub(crate) fn uri(&self, target: &PathAndQuery) -> Result<Uri, http::Error> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(if self.address.base_path.is_empty() {
            target.clone()
        } else {
            PathAndQuery::try_from(self.address.request_target(target.as_str()))?
        });
        Ok(Uri::from_parts(parts)?)
    }

    /// True where it was made under these limits.
    pub fn has_bounds(&self, bounds: &upstream::Bounds) -> bool {
        self.bounds == *bounds
    }

    /// Host and port as the field `host` has them.
    pub(crate) fn host_header(&self) -> Result<HeaderValue, ExchangeError> {
        HeaderValue::try_from(self.authority.as_str())
            .map_err(|error| ExchangeError::Internal(error.to_string()))
    }

    /// A turn for one request, at once or after a bounded wait.
    pub(crate) async fn request_permit(&self) -> Result<RequestPermit, ExchangeError> {
        let turn = self.request_limiter.acquire().await;
        turn.ok_or(ExchangeError::TooManyRequests(
            "upstream_max_concurrent_requests",
        ))
    }

    /// The client of a worker.
    pub(crate) fn client(&self, gate: &RequestHandler) -> &UpstreamClient {
        let client = &self.clients[gate.worker % self.clients.len()];
        client.get_or_init(|| {
            let tcp = || -> Arc<dyn Dial> { Arc::new(TcpDialer::new(&gate.shared.own_listeners)) };
            let dial = self.dial.clone().unwrap_or_else(tcp);
            UpstreamClient::new(&self.address, self.tls.clone(), &self.bounds, &dial)
        })
    }
}

/// Writes a page of the gateway's own.
pub type PageRenderer = Box<dyn Fn() -> String + Send + Sync>;

/// What outlives reloads, shared by all workers.
pub struct SharedState {
    /// The state of the plugins as JSON.
    pub plugin_status_page: PageRenderer,
    /// The listeners of this gateway, which it never asks.
    pub own_listeners: Arc<OwnListeners>,
    /// The generation in force.
    pub snapshot: ArcSwap<Snapshot>,
    /// The sessions.
    pub sessions: Arc<Sessions>,
    /// The way to the cassettes.
    pub recorder: Recorder,
    /// Bytes held for exchanges.
    pub budget: MemoryBudget,
    /// Places for exchanges whose clients are gone, which wait for room in the recorder's queue.
    pub detached_deliveries: Arc<Semaphore>,
    /// Turns for requests (`limits.max_concurrent_requests`).
    pub request_limiter: RequestLimiter,
    /// Places for streams, which last longer than a turn should (`limits.streams`).
    pub stream_permits: Arc<Semaphore>,
    /// Who must finish before the process ends.
    pub drain: Drain,
}

/// A place for a stream.
pub(crate) type StreamPermit = OwnedSemaphorePermit;

/// What one listener of one worker answers with.
#[derive(Clone)]
pub struct RequestHandler {
    /// Name of the endpoint.
    pub endpoint: Arc<str>,
    /// What all workers share.
    pub shared: Arc<SharedState>,
    /// The worker's number, from 0.
    pub worker: usize,
}

/// One request's surroundings.
pub(crate) struct RequestContext<'a> {
    pub(crate) handler: &'a RequestHandler,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) session: Arc<Session>,
    /// Path and query, without a session's prefix.
    pub(crate) target: PathAndQuery,
}

impl Snapshot {
    pub(crate) fn endpoint(&self, name: &str) -> Result<Arc<Endpoint>, ExchangeError> {
        let endpoint = self.endpoints.get(name).cloned();
        endpoint.ok_or_else(|| ExchangeError::NoEndpoint(name.to_owned()))
    }

    /// The sessions that have an index.
    pub fn indexed(&self) -> Vec<Arc<str>> {
        let indexes = self.indexes.read().unwrap_or_else(PoisonError::into_inner);
        indexes.keys().cloned().collect()
    }

    /// The index of a session where it was made.
    pub fn index(&self, session: &str) -> Option<Arc<Index>> {
        let indexes = self.indexes.read().unwrap_or_else(PoisonError::into_inner);
        indexes.get(session).cloned()
    }

    /// The index of a session, made now where there is none: reads the cassette and derives all
    /// keys.
    pub fn make_index(
        &self,
        sessions: &Sessions,
        session: &Arc<Session>,
    ) -> Result<Arc<Index>, ExchangeError> {
        sessions.load(session, self.config.strict)?;
        // Outside of the lock, which every request takes.
        let built = Arc::new(Index::build(
            Arc::clone(session),
            Arc::clone(&self.plugins),
            Arc::clone(sessions.folder()),
        ));
        let mut indexes = self.indexes.write().unwrap_or_else(PoisonError::into_inner);
        let index = indexes.entry(Arc::clone(session.name())).or_insert(built);
        Ok(Arc::clone(index))
    }
}

impl SharedState {
    /// A turn for one request, at once or after a bounded wait; none while memory is scarce.
    pub(crate) async fn request_permit(&self) -> Result<RequestPermit, ExchangeError> {
        if self.budget.above_hard_limit() {
            return Err(ExchangeError::MemoryLimit);
        }
        let turn = self.request_limiter.acquire().await;
        turn.ok_or(ExchangeError::TooManyRequests("max_concurrent_requests"))
    }
}

impl SharedState {
    /// A place for a stream, where there is one now. A WebSocket, an event stream and a call of
    /// gRPC take it in exchange for their turn.
    pub(crate) fn stream_permit(&self) -> Option<StreamPermit> {
        Arc::clone(&self.stream_permits).try_acquire_owned().ok()
    }
}

impl RequestContext<'_> {
    /// The index of this request's session. A session that is replayed for the first time is read
    /// off the serving threads.
    pub(crate) async fn index(&self) -> Result<Arc<Index>, ExchangeError> {
        if let Some(index) = self.snapshot.index(self.session.name()) {
            return Ok(index);
        }
        let (snapshot, session) = (Arc::clone(&self.snapshot), Arc::clone(&self.session));
        let sessions = Arc::clone(&self.handler.shared.sessions);
        let made = tokio::task::spawn_blocking(move || snapshot.make_index(&sessions, &session));
        made.await
            .map_err(|error| ExchangeError::Internal(error.to_string()))?
    }
}
