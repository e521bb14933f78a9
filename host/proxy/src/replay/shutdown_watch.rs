//! How a stream in the body of a response ends where the gateway stops.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::HeaderMap;

use crate::handler::error_response;
pub(crate) use crate::handler::error_response::{Asks, ExchangeError};
use ouli_codec::grpc;
use ouli_net::drain::Stop;

/// Waits for the stop, and for its close.
pub(crate) struct Last {
    asks: Asks,
    seen: Seen,
    next: Option<Next>,
}

/// Gives back what it waits with, which waits for the close then.
type Next = Pin<Box<dyn Future<Output = Option<Stop>> + Send>>;

/// How far a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// There is none.
    Nothing,
    /// It has begun.
    Begun,
    /// What lasts ends now.
    Close,
}

impl Last {
    pub(crate) fn new(mut stop: Stop, asks: Asks) -> Self {
        let next = async move {
            stop.begun().await;
            Some(stop)
        };
        Self {
            asks,
            seen: Seen::Nothing,
            next: Some(Box::pin(next)),
        }
    }

    /// How far it has come. The task is woken where it goes further.
    pub(crate) fn look(&mut self, cx: &mut Context<'_>) -> Seen {
        while let Some(next) = &mut self.next {
            match next.as_mut().poll(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => {
                    self.seen = Seen::Close;
                    self.next = None;
                }
                Poll::Ready(Some(mut stop)) => {
                    self.seen = Seen::Begun;
                    self.next = Some(Box::pin(async move {
                        stop.closing().await;
                        None
                    }));
                }
            }
        }
        self.seen
    }

    /// The trailers of a call; other streams have no word for it.
    pub(crate) fn trailers(&self) -> Option<HeaderMap> {
        match self.asks {
            Asks::Http => None,
            Asks::Grpc => {
                let (code, message) = error_response::status(&ExchangeError::Stopping);
                Some(grpc::trailers(code, &message).to_map())
            }
        }
    }
}
