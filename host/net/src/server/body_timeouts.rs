//! The time limits of a request body. Only time in which the gateway waits for the client counts.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use super::body_error::{BodyErrorFlag, BodyErrorKind};
use super::bounds::Bounds;

/// The time limits of one request body.
#[derive(Debug)]
pub(super) struct BodyTimeouts {
    /// Between two chunks.
    idle: Duration,
    /// For the whole body.
    total: Duration,
    /// That does not count for the rate.
    grace: Duration,
    /// Bytes per second; 0 for any rate.
    min_rate: u32,
    /// The bytes that were received.
    received: u64,
    /// The time spent waiting, up to the last chunk.
    waited: Duration,
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    error: BodyErrorFlag,
}

impl BodyTimeouts {
    /// The time limits of a body; `None` if there is none.
    pub(super) fn for_body(body: &impl Body, bounds: &Bounds) -> Option<Self> {
        (!body.is_end_stream()).then(|| Self {
            idle: bounds.request_body_idle_timeout,
            total: bounds.request_timeout,
            grace: bounds.request_body_grace,
            min_rate: bounds.request_body_min_rate,
            received: 0,
            waited: Duration::ZERO,
            waiting_since: None,
            timer: None,
            error: BodyErrorFlag::default(),
        })
    }

    pub(super) fn error_flag(&self) -> BodyErrorFlag {
        self.error.clone()
    }

    pub(super) fn set_error(&self, kind: BodyErrorKind) {
        self.error.set(kind);
    }

    /// The body goes on with this frame, ends or breaks.
    pub(super) fn on_frame(&mut self, frame: Option<&Frame<Bytes>>) {
        if let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
        let data = frame.and_then(Frame::data_ref);
        self.received += data.map_or(0, Bytes::len) as u64;
    }

    /// Ready with the key of the limit once a limit has expired.
    pub(super) fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let (left, kind) = self.next_limit();
        let deadline = since + left;
        let new_timer = || Box::pin(tokio::time::sleep_until(deadline));
        let timer = self.timer.get_or_insert_with(new_timer);
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        ready!(timer.as_mut().poll(cx));
        self.error.set(kind);
        Poll::Ready(kind.limit().unwrap_or_default())
    }

    /// The limit that is reached first if no byte arrives, and the time until then.
    fn next_limit(&self) -> (Duration, BodyErrorKind) {
        let total = self.total.saturating_sub(self.waited);
        let mut next = (self.idle, BodyErrorKind::IdleTimeout);
        if total < next.0 {
            next = (total, BodyErrorKind::TotalTimeout);
        }
        if let Some(by_rate) = self.allowed_by_rate()
            && by_rate.saturating_sub(self.waited) < next.0
        {
            next = (by_rate.saturating_sub(self.waited), BodyErrorKind::TooSlow);
        }
        next
    }

    /// The time in which the received bytes must have arrived at the lowest rate.
    fn allowed_by_rate(&self) -> Option<Duration> {
        let seconds = self.received.checked_div(u64::from(self.min_rate))?;
        Some(self.grace.saturating_add(Duration::from_secs(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use http_body_util::Full;

    use super::*;

    /// A client that sends `size` bytes every `pause`: the time after which its body is given up,
    /// and the limit.
    async fn given_up(size: usize, pause: Duration, bounds: &Bounds) -> (u64, &'static str) {
        let body = Full::new(Bytes::from_static(b"x"));
        let mut timeouts = BodyTimeouts::for_body(&body, bounds).unwrap();
        let chunk = Frame::data(Bytes::from(vec![0; size]));
        let begun = Instant::now();
        loop {
            let limit = poll_fn(|cx| timeouts.poll_timeout(cx));
            match tokio::time::timeout(pause, limit).await {
                Ok(key) => return (begun.elapsed().as_secs(), key),
                Err(_) => timeouts.on_frame(Some(&chunk)),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_ends_at_the_first_limit() {
        let bounds = Bounds::default();
        let after = |size, seconds| given_up(size, Duration::from_secs(seconds), &bounds);
        // A byte now and then holds a permit no longer than the grace period.
        assert_eq!(after(1, 25).await, (30, "request_body_min_rate"));
        assert_eq!(after(1, 1).await, (30, "request_body_min_rate"));
        assert_eq!(after(100, 1).await, (50, "request_body_min_rate"));
        // At the lowest rate it takes as long as any body may.
        assert_eq!(after(240, 1).await, (300, "request_timeout"));
        assert_eq!(after(1 << 20, 70).await, (30, "request_body_min_rate"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_have_any_rate_if_there_is_no_lowest_one() {
        let bounds = Bounds {
            request_body_min_rate: 0,
            ..Bounds::default()
        };
        let after = |seconds| given_up(1, Duration::from_secs(seconds), &bounds);
        assert_eq!(after(25).await, (300, "request_timeout"));
        assert_eq!(after(70).await, (60, "request_body_idle_timeout"));
    }
}
