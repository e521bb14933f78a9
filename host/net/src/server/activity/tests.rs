//! Tests of the time limits of a connection.

use super::*;
use crate::server::connection_limiter::{ConnectionLimiter, ConnectionLimits};

fn bounds(limit: Duration) -> Bounds {
    Bounds {
        request_header_timeout: limit,
        idle_timeout: limit,
        response_send_timeout: limit,
        ..Bounds::default()
    }
}

/// A connection that was opened an hour ago, so that its times can be set back.
fn activity() -> Arc<Activity> {
    let opened = Instant::now() - Duration::from_secs(3600);
    let limiter = ConnectionLimiter::new(ConnectionLimits::default());
    let permit = limiter.try_acquire([127, 0, 0, 1].into()).unwrap();
    let activity = Activity::opened_at(permit, Arc::default(), opened);
    let now = activity.now_millis();
    activity.idle_since.store(now, Ordering::Relaxed);
    activity
}

/// Sets the times back, as if `time` had passed.
fn advance(activity: &Activity, time: Duration) {
    let time = u64::try_from(time.as_millis()).unwrap();
    let Activity {
        idle_since,
        head_since,
        write_blocked_since,
        ..
    } = activity;
    for since in [idle_since, head_since, write_blocked_since] {
        let then = since.load(Ordering::Relaxed);
        if then != UNSET {
            since.store(then - time, Ordering::Relaxed);
        }
    }
    activity.stalled.advance(time);
}

#[test]
fn each_time_limit_applies_to_its_own_phase() {
    let activity = activity();
    let bounds = bounds(Duration::from_secs(60));
    let expired = || activity.expired_timeout(&bounds);
    let advance = || advance(&activity, Duration::from_secs(61));
    assert_eq!(expired(), None);
    advance();
    assert_eq!(expired(), Some("idle_timeout"));
    activity.on_read();
    assert_eq!(expired(), None);
    advance();
    assert_eq!(expired(), Some("request_header_timeout"));
    activity.begin_request(&bounds);
    advance();
    assert_eq!(expired(), None);
    activity.on_write(true);
    advance();
    assert_eq!(expired(), Some("response_send_timeout"));
    activity.on_flushed();
    activity.stall(7);
    assert_eq!(expired(), None);
    advance();
    assert_eq!(expired(), Some("response_send_timeout"));
    activity.unstall(7);
    activity.end_request();
    assert_eq!(expired(), None);
}

#[test]
fn a_client_that_still_reads_a_response_is_not_idle() {
    let activity = activity();
    let bounds = bounds(Duration::from_secs(60));
    activity.begin_request(&bounds);
    activity.end_request();
    for _ in 0..5 {
        advance(&activity, Duration::from_secs(40));
        activity.on_write(true);
        assert_eq!(activity.expired_timeout(&bounds), None);
    }
    activity.on_flushed();
    assert_eq!(activity.expired_timeout(&bounds), None);
}
