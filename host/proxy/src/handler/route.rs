//! The route from an endpoint to its upstream.

use std::sync::{Arc, OnceLock};

use http::Uri;
use http::uri::{Authority, InvalidUri, PathAndQuery, Scheme};

use super::error::ExchangeError;
use super::request_limiter::{RequestLimiter, RequestPermit};
use ouli_net::server::Contention;
use ouli_net::tls::ClientConfig;
use ouli_net::upstream::{self, Dial, HasAnswered, OwnListeners, TcpDialer, UpstreamClient};

/// The route from an endpoint to its upstream.
#[derive(Debug)]
pub struct Route {
    /// The upstream.
    pub address: ouli_config::Upstream,
    scheme: Scheme,
    authority: Authority,
    tls: Option<Arc<ClientConfig>>,
    bounds: upstream::Bounds,
    request_limiter: RequestLimiter,
    /// Those of them whose bodies have not arrived: the others find a place beside slow uploads.
    upload_limiter: RequestLimiter,
    /// Opens its connections; TCP where there is none.
    dial: Option<Arc<dyn Dial>>,
    has_answered: HasAnswered,
    /// A client for each worker, so that threads share no connection.
    clients: Box<[OnceLock<UpstreamClient>]>,
}

impl Route {
    /// A route for this many workers. Clients are created when first used.
    ///
    /// # Errors
    /// If the address is not valid in a URL.
    pub fn new(
        address: ouli_config::Upstream,
        tls: Option<Arc<ClientConfig>>,
        bounds: upstream::Bounds,
        workers: usize,
    ) -> Result<Self, InvalidUri> {
        let (pending, timeout) = (bounds.max_pending_requests, bounds.pending_request_timeout);
        let limiter = |max| RequestLimiter::new(max, pending, timeout);
        Ok(Self {
            scheme: match address.scheme {
                ouli_config::Scheme::Http | ouli_config::Scheme::H2c => Scheme::HTTP,
                ouli_config::Scheme::Https => Scheme::HTTPS,
            },
            authority: Authority::try_from(address.authority())?,
            address,
            tls,
            request_limiter: limiter(bounds.max_concurrent_requests),
            upload_limiter: limiter(max_uploads(bounds.max_concurrent_requests)),
            bounds,
            dial: None,
            has_answered: HasAnswered::default(),
            clients: (0..workers).map(|_| OnceLock::new()).collect(),
        })
    }

    /// The same route with another way to open connections than TCP.
    #[must_use]
    pub fn with_dialer(self, dial: Arc<dyn Dial>) -> Self {
        Self {
            dial: Some(dial),
            ..self
        }
    }

    /// The upstream's URL for the target of a request, with this authority or the upstream's own.
    pub(crate) fn uri(
        &self,
        target: &PathAndQuery,
        authority: Option<&Authority>,
    ) -> Result<Uri, http::Error> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(authority.unwrap_or(&self.authority).clone());
        parts.path_and_query = Some(if self.address.base_path.is_empty() {
            target.clone()
        } else {
            PathAndQuery::try_from(self.address.request_target(target.as_str()))?
        });
        Ok(Uri::from_parts(parts)?)
    }

    /// True if the route was created with these limits.
    pub fn has_bounds(&self, bounds: &upstream::Bounds) -> bool {
        self.bounds == *bounds
    }

    /// True if the route was created with these TLS settings.
    pub fn has_tls(&self, tls: Option<&Arc<ClientConfig>>) -> bool {
        match (&self.tls, tls) {
            (Some(own), Some(tls)) => Arc::ptr_eq(own, tls),
            (own, tls) => own.is_none() && tls.is_none(),
        }
    }

    /// A permit for one request, at once or after a bounded wait.
    pub(crate) async fn request_permit(
        &self,
        contention: &Contention,
    ) -> Result<RequestPermit, ExchangeError> {
        permit(&self.request_limiter, contention).await
    }

    /// A permit for a request whose body has not arrived, which it needs beside its own.
    pub(crate) async fn upload_permit(
        &self,
        contention: &Contention,
    ) -> Result<RequestPermit, ExchangeError> {
        permit(&self.upload_limiter, contention).await
    }

    /// The same if one is free.
    pub(crate) fn free_upload_permit(&self) -> Option<RequestPermit> {
        self.upload_limiter.try_acquire()
    }

    /// The client of a worker. It refuses to connect to the gateway's own listeners.
    pub(super) fn client(
        &self,
        worker: usize,
        own_listeners: &Arc<OwnListeners>,
    ) -> &UpstreamClient {
        self.clients[worker % self.clients.len()].get_or_init(|| {
            let tcp = || -> Arc<dyn Dial> { Arc::new(TcpDialer::new(own_listeners)) };
            let dial = self.dial.clone().unwrap_or_else(tcp);
            UpstreamClient::new(
                &self.address,
                self.tls.clone(),
                &self.bounds,
                &dial,
                &self.has_answered,
            )
        })
    }
}

/// The requests of `max` whose bodies may be outstanding: all but a quarter.
fn max_uploads(max: usize) -> usize {
    max - max / 4
}

async fn permit(
    limiter: &RequestLimiter,
    contention: &Contention,
) -> Result<RequestPermit, ExchangeError> {
    let permit = limiter.acquire(contention).await;
    permit.ok_or(ExchangeError::TooManyRequests(
        "upstream_max_concurrent_requests",
    ))
}
