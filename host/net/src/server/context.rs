//! What the connections of a listener share, and what the parts of a connection share.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::activity::Activity;
use super::bounds::Bounds;
use super::contention::Contention;
use super::warning_throttle::WarningThrottle;
use crate::drain::Drain;

/// Shared by all connections of a listener.
pub(super) struct ListenerContext<S> {
    pub(super) service: S,
    /// The endpoint's name, for logs.
    pub(super) endpoint: Arc<str>,
    pub(super) bounds: Bounds,
    pub(super) tls: Option<tokio_rustls::TlsAcceptor>,
    /// Logs what clients do wrong.
    pub(super) warnings: WarningThrottle,
    /// Waits for the connections.
    pub(super) drain: Drain,
    /// Whether requests wait for the place of another one.
    pub(super) contention: Contention,
    /// Connections over the limit that are being sent a rejection.
    pub(super) active_rejections: AtomicUsize,
}

/// Shared by the parts of one connection.
pub(super) struct ConnectionContext<S> {
    pub(super) listener: Arc<ListenerContext<S>>,
    pub(super) activity: Arc<Activity>,
}
