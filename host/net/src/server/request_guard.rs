//! Keeps a connection busy while the gateway works on one of its requests.

use std::net::IpAddr;
use std::sync::Arc;

use super::activity::Activity;
use super::body_error::BodyErrorFlag;
use super::bounds::Bounds;
use super::error::Rejection;
use super::interim::{self, InterimScope, InterimSender};

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
        }
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

    /// The address of the client.
    pub fn peer(&self) -> IpAddr {
        self.activity.peer()
    }

    /// The connection ends with a reset. Only useful on HTTP/1.1, where the end of a response can
    /// end the connection.
    pub fn reset_on_close(&self) {
        self.activity.reset_on_close();
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
