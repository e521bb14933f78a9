//! Keeps a connection busy while the gateway works on one of its requests.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::activity::Activity;
use super::body_error::BodyErrorFlag;
use super::bounds::Bounds;
use super::client_source::SourceRequest;
use super::error::Rejection;
use super::interim::{self, InterimScope, InterimSender};
use crate::ResponsePermit;
use crate::upstream::PinnedConnection;

/// An active request. The connection is not idle while it or a clone of it lives.
#[derive(Debug)]
pub struct RequestGuard {
    activity: Arc<Activity>,
    /// The number of the request on its connection.
    number: u64,
    /// How its client is sent interim responses, if it can be.
    interim: Option<interim::Protocol>,
    /// Shared with the request body, if it has time limits.
    body_error: Option<BodyErrorFlag>,
    /// It is a gRPC call over HTTP/2.
    is_call: bool,
    source: Arc<SourceRequest>,
}

impl RequestGuard {
    /// Counts a request as active.
    pub(super) fn begin(
        activity: &Arc<Activity>,
        bounds: &Bounds,
        interim: Option<interim::Protocol>,
        body_error: Option<BodyErrorFlag>,
    ) -> Self {
        Self {
            number: activity.begin_request(bounds),
            activity: Arc::clone(activity),
            interim,
            body_error,
            is_call: false,
            source: Arc::new(SourceRequest::begin(activity.source(), bounds)),
        }
    }

    /// Sets whether it is a gRPC call over HTTP/2.
    pub(super) fn call(mut self, is_call: bool) -> Self {
        self.is_call = is_call;
        self
    }

    /// True for a gRPC call over HTTP/2. Its body is a stream that has no time limits, so it must
    /// not hold a permit that other requests need.
    pub fn is_call(&self) -> bool {
        self.is_call
    }

    /// The key of the limit that the client's address exceeded when the request began: it had too
    /// many others in progress.
    pub fn exceeded_source_limit(&self) -> Option<&'static str> {
        self.source.exceeded_limit()
    }

    /// Sends interim responses to the client; none if it cannot be sent any.
    pub fn interim_sender(&self) -> Option<InterimSender> {
        let protocol = self.interim?;
        Some(InterimSender::new(&self.activity, self.number, protocol))
    }

    /// The time in which the client may be sent interim responses.
    pub(super) fn interim_scope(&self) -> InterimScope {
        InterimScope::new(&self.activity, self.number)
    }

    /// The address of the client; of IPv6 its /64 network.
    pub fn peer(&self) -> IpAddr {
        self.activity.source().address()
    }

    /// The permit that the response holds, until it ends or its client reads nothing for a while.
    pub fn hold(&self, permit: OwnedSemaphorePermit) -> ResponsePermit {
        self.activity.response_permits().hold(self.number, permit)
    }

    /// The number of the request on its connection.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The connection ends with a reset. Only useful on HTTP/1.1, where the end of a response can
    /// end the connection.
    pub fn reset_on_close(&self) {
        self.activity.reset_on_close();
    }

    /// The upstream connection that only this client uses, once [`Self::pin_upstream`] was called.
    pub fn pinned_upstream(&self) -> Option<&PinnedConnection> {
        self.activity.pinned_upstream().get()
    }

    /// From now on, the requests of this client connection share an upstream connection with no
    /// other client. It is closed when the client's is.
    pub fn pin_upstream(&self) -> &PinnedConnection {
        self.activity
            .pinned_upstream()
            .get_or_init(PinnedConnection::default)
    }

    /// Why the request cannot be answered, if its body did not arrive. This is the cause of
    /// whatever else failed because the body is missing.
    pub fn rejection(&self) -> Option<Rejection> {
        self.body_error.as_ref()?.rejection()
    }
}

impl Clone for RequestGuard {
    fn clone(&self) -> Self {
        self.activity.share_request();
        Self {
            activity: Arc::clone(&self.activity),
            number: self.number,
            interim: self.interim,
            body_error: self.body_error.clone(),
            is_call: self.is_call,
            source: Arc::clone(&self.source),
        }
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.activity.end_request();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::connection_limiter::{ConnectionLimiter, ConnectionLimits};

    #[test]
    fn releases_the_permit_after_the_last_request() {
        let limiter = ConnectionLimiter::new(ConnectionLimits::default());
        let permit = limiter.try_acquire([127, 0, 0, 1].into()).unwrap();
        let activity = Activity::new(permit, Arc::default());
        let request = RequestGuard::begin(&activity, &Bounds::default(), None, None);
        let tunnel = request.clone();
        drop(activity);
        drop(request);
        assert_eq!(limiter.open_connections(), 1);
        drop(tunnel);
        assert_eq!(limiter.open_connections(), 0);
    }
}
