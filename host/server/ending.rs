//! How a connection ends once a stop has begun, so that no request is lost.
//!
//! On HTTP/2 the client is told at once: GOAWAY says which streams are still served (RFC 9113,
//! section 6.8). On HTTP/1.1 a request may be on its way when a connection is closed, and nobody
//! could tell what became of it. So the connection stays open while it is asked, the response says
//! that it is the last one (RFC 9112, section 9.6), and only what was quiet for a while is closed.

use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Response, StatusCode, Version};

use super::Bounds;
use super::activity::Activity;
use crate::drain::Stop;

/// Often enough that a quiet connection is closed in time.
pub(super) fn between_looks(bounds: &Bounds) -> Duration {
    let most = Duration::from_millis(50);
    (bounds.stop_linger / 4).clamp(Duration::from_millis(1), most)
}

/// True where the connection may be told to end. Where the stop is at its close there is no time to
/// linger.
pub(super) fn may_end(activity: &Activity, bounds: &Bounds, stop: &Stop) -> bool {
    let linger = if stop.is_closing() {
        Duration::ZERO
    } else {
        bounds.stop_linger
    };
    activity.is_http2() || activity.is_quiet_for(linger)
}

/// The response, which says that it is the last one where a stop has begun.
pub(super) fn last_of<B>(activity: &Activity, mut response: Response<B>) -> Response<B> {
    let one_at_a_time = !activity.is_http2() && response.version() < Version::HTTP_2;
    let goes_on = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if activity.is_stopping() && one_at_a_time && !goes_on {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    fn activity() -> Arc<Activity> {
        let slots = Arc::new(Semaphore::new(1));
        Activity::new(slots.try_acquire_owned().unwrap(), Arc::default())
    }

    fn says_close(activity: &Activity, status: u16) -> bool {
        let response = Response::builder().status(status).body(()).unwrap();
        last_of(activity, response)
            .headers()
            .contains_key("connection")
    }

    #[test]
    fn a_response_during_a_stop_is_the_last_one() {
        let activity = activity();
        assert!(!says_close(&activity, 200));
        activity.begin_stop();
        assert!(says_close(&activity, 200));
        assert!(!says_close(&activity, 101), "an upgrade goes on");
    }

    #[test]
    fn http2_knows_no_such_field() {
        let activity = activity();
        activity.begin_stop();
        activity.speaks_http2();
        assert!(!says_close(&activity, 200));
    }
}
