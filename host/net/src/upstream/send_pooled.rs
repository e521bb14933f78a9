//! Sends a request on connections of the pool, and again if the upstream has not processed it.

use std::sync::atomic::{AtomicU64, Ordering};

use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;

use super::body_timeout::UpstreamBody;
use super::client::UpstreamClient;
use super::continue_gate::ContinueGate;
use super::error::UpstreamError;
use super::interim_responses::InterimLimiter;
use super::pool::{Connection, EndedUnused, Http1Connection, Http2Stream};
use super::pooled_request::PooledRequest;
use super::request_body::TimedRequestBody;
use super::resend::{Loss, http2_loss};
use super::stream_permit::StreamPermit;
use crate::http::authority::to_origin_form;

/// Whether there is a response.
enum Outcome {
    Response(Box<Response<UpstreamBody>>),
    /// The request is sent again.
    Again,
    Failed(UpstreamError),
}

impl UpstreamClient {
    /// Sends a request until there is a response, or it cannot be sent again. `connection` is the
    /// number of its HTTP/2 connection.
    pub(super) async fn send_pooled(
        &self,
        mut request: PooledRequest,
        interim: &InterimLimiter,
        connection: &AtomicU64,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        loop {
            let free = match self.pool.checkout(request.needs_new).await {
                Ok(free) => free,
                Err(error) if error.is::<EndedUnused>() && request.is_allowed_again() => continue,
                Err(error) => return Err(self.explain(&**error, true)),
            };
            let outcome = match free {
                Connection::Http1(http1) => self.try_http1(http1, &mut request, interim).await,
                Connection::Http2(stream) => {
                    connection.store(stream.permit.connection(), Ordering::Relaxed);
                    self.try_http2(stream, &mut request).await
                }
            };
            match outcome {
                Outcome::Response(response) => return Ok(*response),
                Outcome::Failed(error) => return Err(error),
                Outcome::Again => tracing::debug!(
                    target: "ouli_net::upstream",
                    upstream = %self.target,
                    method = %request.method,
                    "the upstream has not processed a request, which is sent again",
                ),
            }
        }
    }

    async fn try_http1(
        &self,
        mut connection: Http1Connection,
        request: &mut PooledRequest,
        interim: &InterimLimiter,
    ) -> Outcome {
        // Only an idle connection can have been closed before the request arrived.
        let may_repeat =
            connection.is_reused && request.method.is_idempotent() && request.resends.may_repeat();
        let before = (connection.received.get(), interim.seen());
        let mut sent = request.begin(may_repeat, None);
        to_origin_form(&mut sent);
        let mut error = match connection.sender.try_send_request(sent).await {
            Ok(response) => {
                self.pool.give_back(connection);
                return self.finish(request, response, None);
            }
            Err(error) => error,
        };
        let is_silent = before == (connection.received.get(), interim.seen());
        let is_unsent = match error.take_message() {
            Some(unsent) => request.take_back(unsent) && connection.is_reused,
            None => false,
        };
        let loss = if is_unsent {
            Loss::Unprocessed
        } else if may_repeat && is_silent && request.can_resend() {
            Loss::Closed
        } else {
            Loss::Other
        };
        request.needs_new = true;
        self.after(request, loss, error)
    }

    async fn try_http2(&self, mut stream: Http2Stream, request: &mut PooledRequest) -> Outcome {
        // hyper hides the interim responses of HTTP/2.
        request.gate.iter().for_each(ContinueGate::open);
        request.detach();
        let mut sent = request.begin(true, Some(stream.permit.clone()));
        *sent.version_mut() = Version::HTTP_2;
        let number = stream.permit.connection();
        let mut error = match stream.sender.try_send_request(sent).await {
            Ok(response) => {
                if !stream.is_reused {
                    self.pool.on_answer(number);
                }
                let outcome = self.finish(request, response, Some(stream.permit));
                return self.await_bodiless(request, outcome).await;
            }
            Err(error) => error,
        };
        let loss = match error.take_message() {
            Some(_) => Loss::Unprocessed,
            None => http2_loss(error.error()),
        };
        match loss {
            Loss::Refused => self.pool.on_refused(number),
            Loss::Overloaded => self.pool.on_overloaded(number),
            Loss::Unprocessed | Loss::Failed | Loss::Closed => self.pool.retire(number),
            Loss::Other => {}
        }
        let is_idempotent = request.method.is_idempotent();
        let loss = match loss {
            Loss::Closed if !(stream.is_reused && is_idempotent) => Loss::Other,
            Loss::Overloaded if !is_idempotent => Loss::Other,
            _ if !request.can_resend() => Loss::Other,
            loss => loss,
        };
        self.after(request, loss, error)
    }

    fn finish(
        &self,
        request: &mut PooledRequest,
        response: Response<Incoming>,
        stream: Option<StreamPermit>,
    ) -> Outcome {
        request.finish();
        let is_head = request.method == Method::HEAD;
        let wrapped = self.wrap_response(response, is_head, request.gate.take());
        match wrapped {
            Ok(response) => Outcome::Response(Box::new(match stream {
                Some(stream) => response.map(|body| body.with_stream(stream)),
                None => response,
            })),
            Err(error) => Outcome::Failed(error),
        }
    }

    /// A response that has no body is complete before it is passed on: a client of HTTP/1.1 would
    /// not see that one follows.
    async fn await_bodiless(&self, request: &PooledRequest, outcome: Outcome) -> Outcome {
        let Outcome::Response(mut response) = outcome else {
            return outcome;
        };
        let status = response.status();
        let is_bodiless = request.method == Method::HEAD
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if is_bodiless && let Err(error) = response.body_mut().await_end().await {
            return Outcome::Failed(self.explain(&error, false));
        }
        Outcome::Response(response)
    }

    fn after(
        &self,
        request: &mut PooledRequest,
        loss: Loss,
        error: TrySendError<Request<TimedRequestBody>>,
    ) -> Outcome {
        if request.resends.allow(loss) {
            Outcome::Again
        } else {
            Outcome::Failed(self.explain(&error.into_error(), false))
        }
    }
}
