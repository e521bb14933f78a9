//! An endpoint as requests need it.

use std::sync::Arc;

use super::route::Route;

/// An endpoint as requests need it. A reload that does not change it keeps it and its connections.
#[derive(Debug)]
pub struct Endpoint {
    /// Its name.
    pub name: Arc<str>,
    /// The session of a request that names none.
    pub session: Arc<str>,
    /// Host and port of the upstream; empty without one.
    pub authority: String,
    /// Its configuration.
    pub configured: ouli_config::Endpoint,
    /// The route to its upstream. None in replay, which has no upstream.
    pub upstream: Option<Route>,
}
