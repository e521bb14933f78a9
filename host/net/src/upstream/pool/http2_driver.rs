//! Runs an HTTP/2 connection: tells the pool what the upstream allows, and when it takes no more
//! requests.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use tokio::time::Sleep;

use super::state::{Attempt, EXPECTED_STREAMS, Pool};
use crate::upstream::dial::Socket;
use crate::upstream::error::BoxError;
use crate::upstream::request_body::TimedRequestBody;
use crate::upstream::tasks::{Deferred, DeferredExecutor};

/// An HTTP/2 connection ended before it had taken a request, for example because the upstream shuts
/// down. Another connection may be accepted.
#[derive(Debug, thiserror::Error)]
#[error("the connection ended before it had taken a request")]
pub(in crate::upstream) struct EndedUnused(#[source] BoxError);

type Dispatcher = http2::Connection<TokioIo<Box<dyn Socket>>, TimedRequestBody, DeferredExecutor>;

/// The limit of streams that h2 starts with, which no upstream announces: the pool counts streams
/// itself, and notices by it that the settings have arrived.
pub(super) const BEFORE_SETTINGS: usize = usize::MAX - 1;

/// Time for the settings of the upstream, which are the first that it sends (RFC 9113, section
/// 3.4). Then as many streams are opened as most upstreams allow.
const SETTINGS_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection and its place in the pool.
pub(super) struct Driver {
    /// Weak: a connection must not keep its pool, which keeps the connection.
    pool: Weak<Pool>,
    number: u64,
    /// Fails if the connection ends before it has taken a request.
    attempt: Arc<Attempt>,
    /// Sends requests. None once the connection takes no more.
    dispatcher: Option<Dispatcher>,
    /// Reads and writes.
    transport: Deferred,
    allowed: usize,
    settings_timer: Option<Pin<Box<Sleep>>>,
}

impl Driver {
    pub(super) fn new(
        pool: &Arc<Pool>,
        number: u64,
        attempt: &Arc<Attempt>,
        dispatcher: Dispatcher,
        transport: Deferred,
    ) -> Self {
        Self {
            pool: Arc::downgrade(pool),
            number,
            attempt: Arc::clone(attempt),
            dispatcher: Some(dispatcher),
            transport,
            allowed: BEFORE_SETTINGS,
            settings_timer: Some(Box::pin(tokio::time::sleep(SETTINGS_TIMEOUT))),
        }
    }

    pub(super) async fn run(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
        self.end("the connection was closed".into());
    }

    /// Ready once the connection is closed. What was read is polled first: only the dispatcher
    /// notices it.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let closed = self.transport.poll(cx);
        let allowed = self.dispatcher.as_ref();
        if let Some(allowed) = allowed.map(Dispatcher::current_max_send_streams) {
            self.on_allowed(cx, allowed);
        }
        match self.dispatcher.as_mut().map(|it| Pin::new(it).poll(cx)) {
            Some(Poll::Ready(Ok(()))) => self.end("the connection was closed".into()),
            Some(Poll::Ready(Err(error))) => self.end(error.into()),
            Some(Poll::Pending) | None => {}
        }
        closed
    }

    fn on_allowed(&mut self, cx: &mut Context<'_>, allowed: usize) {
        if allowed != self.allowed {
            self.allowed = allowed;
            self.settings_timer = None;
            self.on_settings(allowed);
        } else if let Some(timer) = &mut self.settings_timer
            && timer.as_mut().poll(cx).is_ready()
        {
            self.settings_timer = None;
            self.on_settings(EXPECTED_STREAMS);
        }
    }

    fn on_settings(&self, allowed: usize) {
        if let Some(pool) = self.pool.upgrade() {
            pool.on_settings(self.number, allowed);
        }
    }

    /// The connection takes no more requests. Those that it has not begun are returned.
    fn end(&mut self, error: BoxError) {
        if self.dispatcher.take().is_some()
            && let Some(pool) = self.pool.upgrade()
            && !pool.end(self.number)
        {
            let has_settings = self.allowed != BEFORE_SETTINGS;
            self.attempt.fail(match has_settings {
                true => EndedUnused(error).into(),
                false => error,
            });
        }
    }
}
