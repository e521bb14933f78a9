//! Everything that one request uses.

use std::sync::Arc;

use http::uri::PathAndQuery;

use super::endpoint::Endpoint;
use super::error::ExchangeError;
use super::request_handler::RequestHandler;
use super::request_trace::RequestTrace;
use super::route::Route;
use super::snapshot::Snapshot;
use crate::session::{Index, Session};
use ouli_net::server::InterimSender;
use ouli_net::upstream::UpstreamClient;

/// Everything that one request uses, from the same snapshot.
pub(crate) struct RequestContext<'a> {
    pub(crate) handler: &'a RequestHandler,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) session: Arc<Session>,
    /// Path and query, without the prefix that names a session.
    pub(crate) target: PathAndQuery,
    pub(crate) trace: RequestTrace,
    /// Sends interim responses to the client.
    pub(crate) interim: Option<InterimSender>,
}

impl RequestContext<'_> {
    /// The index of the session. A session that is replayed for the first time is read on a
    /// blocking thread.
    pub(crate) async fn index(&self) -> Result<Arc<Index>, ExchangeError> {
        let known = self.snapshot.index(self.session.name());
        if let Some(index) = known.filter(|index| index.is_of(&self.session)) {
            return Ok(index);
        }
        let (snapshot, session) = (Arc::clone(&self.snapshot), Arc::clone(&self.session));
        let sessions = Arc::clone(&self.handler.shared.sessions);
        let span = self.trace.span();
        let built = tokio::task::spawn_blocking(move || {
            span.in_scope(|| snapshot.make_index(&sessions, &session))
        });
        built
            .await
            .map_err(|error| ExchangeError::Internal(error.to_string()))?
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
}
