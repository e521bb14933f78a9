//! Everything that one request uses.

use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::Arc;

use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, StatusCode};

use super::endpoint::Endpoint;
use super::error::ExchangeError;
use super::request_handler::RequestHandler;
use super::request_trace::RequestTrace;
use super::route::Route;
use super::snapshot::Snapshot;
use crate::session::{Index, MemoryReservation, Session, WORK_MEMORY};
use ouli_cassette::RequestStart;
use ouli_config::Mode;
use ouli_net::http::connection_login;
use ouli_net::server::{InterimSender, RequestGuard};
use ouli_net::upstream::{PinnedConnection, UpstreamClient};

/// Everything that one request uses, from the same snapshot.
pub(crate) struct RequestContext<'a> {
    pub(crate) handler: Cow<'a, RequestHandler>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) session: Arc<Session>,
    /// Path and query, without the prefix that names a session.
    pub(crate) target: PathAndQuery,
    /// The authority that the client names, if the upstream is sent it (`preserve_host`).
    pub(crate) preserved_authority: Option<Authority>,
    pub(crate) trace: RequestTrace,
    /// Sends interim responses to the client.
    pub(crate) interim: Option<InterimSender>,
    /// When the request began, if it may be recorded.
    pub(crate) start: Option<Arc<RequestStart>>,
    /// The client's connection; none if there is no client.
    pub(crate) guard: Option<Cow<'a, RequestGuard>>,
}

impl RequestContext<'_> {
    /// A context that outlives the request.
    pub(crate) fn to_owned(&self) -> RequestContext<'static> {
        RequestContext {
            handler: Cow::Owned(RequestHandler::clone(&self.handler)),
            snapshot: Arc::clone(&self.snapshot),
            endpoint: Arc::clone(&self.endpoint),
            session: Arc::clone(&self.session),
            target: self.target.clone(),
            preserved_authority: self.preserved_authority.clone(),
            trace: self.trace.clone(),
            interim: self.interim.clone(),
            start: self.start.clone(),
            guard: self.guard.as_deref().cloned().map(Cow::Owned),
        }
    }

    /// True for a gRPC call over HTTP/2.
    pub(crate) fn is_call(&self) -> bool {
        self.guard.as_deref().is_some_and(RequestGuard::is_call)
    }

    /// Runs work on a body of this size: a large one leaves this thread (`limits.offload_size`),
    /// and the memory that it may take is reserved until the reservation is dropped.
    ///
    /// # Errors
    /// If there is not enough memory within `limits.memory_wait_timeout`.
    pub(crate) async fn work_on_body<T: Send + 'static>(
        &self,
        size: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(T, Option<MemoryReservation>), ExchangeError> {
        let limits = &self.snapshot.config.limits;
        if size < limits.offload_size {
            return Ok((work(), None));
        }
        let shared = &self.handler.shared;
        let work_memory = size.saturating_mul(WORK_MEMORY);
        let memory = self.reserve(work_memory, size).await?;
        let span = self.trace.span();
        let result = shared.body_workers.run(move || span.in_scope(work)).await;
        Ok((result?, Some(memory)))
    }

    /// Runs work on several bodies, which have this size together: above `limits.offload_size` on
    /// another thread.
    ///
    /// # Errors
    /// If the work panics.
    pub(crate) async fn work_on_bodies<T: Send + 'static>(
        &self,
        size: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ExchangeError> {
        if size < self.snapshot.config.limits.offload_size {
            return Ok(work());
        }
        let span = self.trace.span();
        let workers = &self.handler.shared.body_workers;
        workers.run(move || span.in_scope(work)).await
    }

    /// Adds the exchanges to an index that were recorded since it was built.
    ///
    /// # Errors
    /// If that panics.
    pub(crate) async fn update_index(&self, index: &Arc<Index>) -> Result<(), ExchangeError> {
        if index.is_current() {
            return Ok(());
        }
        let new = index.unindexed().await;
        let index = Arc::clone(index);
        self.work_on_bodies(new.size(), move || index.add(new))
            .await
    }

    /// Reserves memory for work on one body, or for its bytes, until the reservation is dropped.
    /// The largest bodies reserve half of the limit, so that one of them is worked on at once, and
    /// memory is left for all others. The request holds `held` bytes already.
    ///
    /// # Errors
    /// If there is not enough memory within `limits.memory_wait_timeout`.
    pub(crate) async fn reserve(
        &self,
        bytes: usize,
        held: usize,
    ) -> Result<MemoryReservation, ExchangeError> {
        let budget = &self.handler.shared.budget;
        let mut memory = budget.request_reservation();
        let bytes = bytes.min(budget.largest_work());
        let mut wait = budget.wait(self.snapshot.config.limits.memory_wait_timeout);
        let has_room = memory.can_ever_fit(bytes.saturating_add(held))
            && poll_fn(|cx| wait.poll(cx, || memory.try_grow(bytes))).await;
        has_room.then_some(memory).ok_or(ExchangeError::MemoryLimit)
    }

    /// The error that the client receives instead of this one: a request that did not arrive is the
    /// cause of whatever else failed.
    pub(crate) fn cause(&self, error: ExchangeError) -> ExchangeError {
        let rejection = self.guard.as_ref().and_then(|guard| guard.rejection());
        rejection.map_or(error, ExchangeError::Rejected)
    }

    /// The index of the session. A session that is replayed for the first time is read on a
    /// blocking thread, for which its other requests wait without one.
    pub(crate) async fn index(&self) -> Result<Arc<Index>, ExchangeError> {
        if let Some(index) = self.built_index() {
            self.update_index(&index).await?;
            return Ok(index);
        }
        let turn = self.session.index_turn().await;
        if let Some(index) = self.built_index() {
            drop(turn);
            self.update_index(&index).await?;
            return Ok(index);
        }
        let (snapshot, session) = (Arc::clone(&self.snapshot), Arc::clone(&self.session));
        let sessions = Arc::clone(&self.handler.shared.sessions);
        let span = self.trace.span();
        let loads = &self.handler.shared.session_loads;
        let load = move || {
            let _turn = turn;
            span.in_scope(|| snapshot.make_index(&sessions, &session))
        };
        loads.run(load).await?
    }

    fn built_index(&self) -> Option<Arc<Index>> {
        let known = self.snapshot.index(self.session.name());
        known.filter(|index| index.is_of(&self.session))
    }

    /// Counts an error that the client receives, unless it is counted with the exchange.
    pub(crate) fn count_error(&self, error: &ExchangeError) {
        if self.endpoint.configured.mode == Mode::Passthrough {
            return;
        }
        if let Some(outcome) = error.outcome() {
            self.session.counters().count(outcome);
        }
    }

    /// The route to the upstream, and the client of this worker for it.
    ///
    /// # Errors
    /// If the endpoint has no upstream.
    pub(crate) fn upstream(&self) -> Result<(&Route, &UpstreamClient), ExchangeError> {
        let Some(route) = &self.endpoint.upstream else {
            return Err(ExchangeError::NoUpstream(self.endpoint.name.to_string()));
        };
        let own_listeners = &self.handler.shared.own_listeners;
        Ok((route, route.client(self.handler.worker, own_listeners)))
    }

    /// The upstream connection that only this client uses: from its first request with credentials
    /// that log in a connection.
    pub(crate) fn pinned_upstream(&self, request: &HeaderMap) -> Option<&PinnedConnection> {
        let guard = self.guard.as_deref()?;
        if connection_login::has_credentials(request) {
            return Some(guard.pin_upstream());
        }
        guard.pinned_upstream()
    }

    /// The client may log in a connection by its next request.
    pub(crate) fn pin_upstream_if_challenged(&self, status: StatusCode, response: &HeaderMap) {
        if status == StatusCode::UNAUTHORIZED
            && connection_login::has_challenge(response)
            && let Some(guard) = &self.guard
        {
            guard.pin_upstream();
        }
    }
}
