//! An exchange that goes on if its client leaves before the response begins, so that it is recorded
//! whole.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use http::Response;

use super::background_read::{BackgroundRead, BackgroundReads, Interruption};
use crate::handler::{ExchangeError, OutgoingBody, RequestContext};

type Outcome = Result<Response<OutgoingBody>, ExchangeError>;

/// What an exchange borrows: it may outlive the request of its client.
pub(super) struct Owned {
    pub(super) context: RequestContext<'static>,
    /// Why the exchange ended before its response, after the client has left.
    pub(super) interruption: OnceLock<Interruption>,
}

/// An exchange up to its response head. Dropped before that, it goes on without its client, within
/// the limits of background reads.
pub(super) struct Detachable<F: Future<Output = Outcome> + Send + 'static> {
    owned: Arc<Owned>,
    exchange: Option<Pin<Box<F>>>,
}

impl<F: Future<Output = Outcome> + Send + 'static> Detachable<F> {
    pub(super) fn new(
        context: &RequestContext<'_>,
        exchange: impl FnOnce(Arc<Owned>) -> F,
    ) -> Self {
        let owned = Arc::new(Owned {
            context: context.to_owned(),
            interruption: OnceLock::new(),
        });
        Self {
            exchange: Some(Box::pin(exchange(Arc::clone(&owned)))),
            owned,
        }
    }
}

impl<F: Future<Output = Outcome> + Send + 'static> Future for Detachable<F> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let Some(exchange) = &mut self.exchange else {
            return Poll::Pending;
        };
        let outcome = ready!(exchange.as_mut().poll(cx));
        self.exchange = None;
        Poll::Ready(outcome)
    }
}

impl<F: Future<Output = Outcome> + Send + 'static> Drop for Detachable<F> {
    fn drop(&mut self) {
        let Some(exchange) = self.exchange.take() else {
            return;
        };
        let owned = Arc::clone(&self.owned);
        match BackgroundReads::new(&owned.context).try_begin() {
            Ok(read) => read.spawn(|read| go_on(owned, exchange, read)),
            // The exchange counts it when it is dropped.
            Err(interruption) => drop(owned.interruption.set(interruption)),
        }
    }
}

/// Awaits the response head, and then the end of the response.
async fn go_on(
    owned: Arc<Owned>,
    mut exchange: Pin<Box<impl Future<Output = Outcome>>>,
    read: BackgroundRead,
) {
    match read.read(exchange.as_mut()).await {
        Ok(Ok(response)) => response.into_body().read_in_background(read).await,
        Ok(Err(error)) => owned.context.count_error(&owned.context.cause(error)),
        Err(interruption) => drop(owned.interruption.set(interruption)),
    }
}
