//! What is done with a request: record, replay, auto or passthrough. Joins the doors below for one
//! exchange.

mod body;
mod capture;
mod context;
mod forward;
mod record;
mod replay;
mod respond;
mod select;

pub use body::Outgoing;
pub use context::{Endpoint, Gate, Live, Route, Snapshot};
pub use respond::ExchangeError;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use crate::config::Mode;
use crate::server::{Busy, Respond};
use context::Asked;

impl Respond for Gate {
    type Body = Outgoing;

    async fn respond(&self, request: Request<Incoming>, busy: Busy) -> Response<Outgoing> {
        let live = &self.live;
        let permit = match live.permit().await {
            Ok(permit) => permit,
            Err(error) => return respond::answer(&error).map(|body| body.holding(busy, None)),
        };
        let answer = self.serve(request).await;
        let answer = answer.unwrap_or_else(|error| {
            respond::log(&error);
            respond::answer(&error)
        });
        answer.map(|body| body.holding(busy, Some(permit)))
    }
}

impl Gate {
    async fn serve(&self, request: Request<Incoming>) -> Result<Response<Outgoing>, ExchangeError> {
        if *request.method() == Method::CONNECT {
            return Err(ExchangeError::Connect);
        }
        // One snapshot from here to the end of the exchange.
        let snapshot = self.live.snapshot.load_full();
        let endpoint = snapshot.endpoint(&self.endpoint)?;
        let chosen = select::select(&request)?;
        let name = chosen.session.as_deref().unwrap_or(&endpoint.session);
        let session = self.live.sessions.get(name)?;
        let asked = Asked {
            gate: self,
            snapshot,
            endpoint,
            session,
            target: chosen.target,
        };
        match asked.endpoint.configured.mode {
            Mode::Passthrough => record::pass(&asked, request).await,
            Mode::Record => record::record(&asked, request).await,
            Mode::Replay => replay::replay(&asked, request).await,
            Mode::Auto => replay::auto(&asked, request).await,
        }
    }
}

/// Reads a body whole, up to `most` bytes.
async fn whole(body: Incoming, most: usize) -> Result<Bytes, ExchangeError> {
    use http_body::Body as _;
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let collected = Limited::new(body, most).collect().await;
    let collected = collected.map_err(|error| {
        if error.is::<LengthLimitError>() {
            ExchangeError::TooLarge { most }
        } else {
            ExchangeError::Downstream(error.to_string())
        }
    })?;
    Ok(collected.to_bytes())
}
