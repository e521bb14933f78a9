//! The time limits of a request body. Only time in which the gateway waits for the client counts.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use super::body_error::{BodyErrorFlag, BodyErrorKind};
use super::bounds::Bounds;
use super::contention::Contention;

/// The time limits of one request body.
#[derive(Debug)]
pub(super) struct BodyTimeouts {
    /// Between two chunks.
    idle: Duration,
    /// For the whole body.
    total: Duration,
    /// That does not count for the rate.
    grace: Duration,
    /// The same while other requests wait for a place.
    contended_grace: Duration,
    contention: Contention,
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
    pub(super) fn for_body(
        body: &impl Body,
        bounds: &Bounds,
        contention: &Contention,
    ) -> Option<Self> {
        (!body.is_end_stream()).then(|| Self {
            idle: bounds.request_body_idle_timeout,
            total: bounds.request_timeout,
            grace: bounds.request_body_grace,
            contended_grace: bounds.request_body_contended_grace,
            contention: contention.clone(),
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
        loop {
            let (left, kind) = self.next_limit();
            let (deadline, now) = (since + left, Instant::now());
            if now >= deadline {
                self.error.set(kind);
                return Poll::Ready(kind.limit().unwrap_or_default());
            }
            let due = match self.min_rate {
                0 => deadline,
                // Nobody tells when other requests begin to wait.
                _ => deadline.min(now + self.contended_grace),
            };
            let new_timer = || Box::pin(tokio::time::sleep_until(due));
            let timer = self.timer.get_or_insert_with(new_timer);
            if timer.deadline() > due || timer.deadline() <= now {
                timer.as_mut().reset(due);
            }
            ready!(timer.as_mut().poll(cx));
        }
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
        let milliseconds = self.received.saturating_mul(1000);
        let milliseconds = milliseconds.checked_div(u64::from(self.min_rate))?;
        let grace = match self.contention.is_contended() {
            true => self.grace.min(self.contended_grace),
            false => self.grace,
        };
        Some(grace.saturating_add(Duration::from_millis(milliseconds)))
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
        given_up_with(size, pause, bounds, &Contention::default()).await
    }

    async fn given_up_with(
        size: usize,
        pause: Duration,
        bounds: &Bounds,
        contention: &Contention,
    ) -> (u64, &'static str) {
        let body = Full::new(Bytes::from_static(b"x"));
        let mut timeouts = BodyTimeouts::for_body(&body, bounds, contention).unwrap();
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
    async fn a_slow_body_gives_way_to_requests_that_wait() {
        let (bounds, contention) = (Bounds::default(), Contention::default());
        let pause = Duration::from_millis(100);
        let after = |size| given_up_with(size, pause, &bounds, &contention);
        let waiting = contention.wait();
        assert_eq!(after(1).await, (0, "request_body_min_rate"));
        // A body at the lowest rate has its place as long as before.
        assert_eq!(after(24).await, (300, "request_timeout"));
        drop(waiting);
        assert_eq!(after(1).await, (31, "request_body_min_rate"));
        // Others begin to wait later.
        let late = async {
            tokio::time::sleep(Duration::from_millis(7500)).await;
            let _waiting = contention.wait();
            tokio::time::sleep(Duration::from_secs(60)).await;
        };
        let given_up = tokio::select! {
            given_up = given_up_with(1, Duration::from_secs(100), &bounds, &contention) => given_up,
            () = late => unreachable!("the body is given up first"),
        };
        assert!((7..=9).contains(&given_up.0), "{given_up:?}");
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
