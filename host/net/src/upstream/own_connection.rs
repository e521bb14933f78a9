//! Requests on HTTP/1.1 connections that are not in the pool: the connection of one client with a
//! login (NTLM, Negotiate), and a connection that may be upgraded.

use std::pin::pin;

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Method, Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::body_timeout::{Body, UpstreamBody};
use super::client::UpstreamClient;
use super::continue_gate::ContinueGate;
use super::error::UpstreamError;
use super::interim_responses::{InterimLimiter, TooManyInterim};
use super::request_body::{LastWrite, TimedRequestBody};
use super::resendable_body::ResendableBody;
use crate::http::authority::to_origin_form;

/// The upstream connection of one client connection. What is logged in is a connection (RFC 4559,
/// section 6), so no other client may use it.
#[derive(Debug, Default)]
pub struct PinnedConnection(Mutex<Option<Pinned>>);

#[derive(Debug)]
struct Pinned {
    /// The upstream that it is connected to. A reload can change it.
    target: String,
    sender: SendRequest<Body>,
}

impl PinnedConnection {
    /// Takes the connection to this upstream. A request that comes meanwhile, on HTTP/2, gets a
    /// connection of its own.
    fn take(&self, target: &str) -> Option<SendRequest<Body>> {
        let pinned = self.0.lock().take();
        let pinned = pinned.filter(|pinned| pinned.target == target);
        pinned.map(|pinned| pinned.sender)
    }

    fn put(&self, target: &str, sender: SendRequest<Body>) {
        let target = target.to_owned();
        self.0.lock().get_or_insert(Pinned { target, sender });
    }
}

/// A request whose body reports its progress.
struct TimedRequest {
    request: Request<Body>,
    interim: InterimLimiter,
    last_write: Option<LastWrite>,
    is_head: bool,
    gate: Option<ContinueGate>,
}

/// Why there is no response.
enum SendError {
    /// The connection was closed before anything was written.
    Unsent(Box<Request<Body>>, hyper::Error),
    Failed(UpstreamError),
}

/// The outcome of a request that needs HTTP/1.1.
pub enum Http1Outcome {
    /// The response.
    Response(Box<Response<UpstreamBody>>),
    /// The upstream only speaks HTTP/2, so the request was not sent.
    NotSupported(Box<Request<Body>>),
}

impl UpstreamClient {
    /// Sends a request on the connection of its client. Returns once the response head has arrived.
    /// An upstream that only speaks HTTP/2 has no such logins, and gets it like any other request.
    ///
    /// # Errors
    /// If there is no response, or it is malformed.
    pub async fn send_pinned(
        &self,
        pinned: &PinnedConnection,
        request: Request<Body>,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        match self.send_http1(Some(pinned), request).await? {
            Http1Outcome::Response(response) => Ok(*response),
            Http1Outcome::NotSupported(request) => self.send(*request).await,
        }
    }

    /// Sends a request that offers to upgrade to `protocols`, on a connection that is not in the
    /// pool. To an upstream that only speaks HTTP/2, which has no upgrades, it is sent without the
    /// offer.
    ///
    /// # Errors
    /// If there is no response, or it is malformed.
    pub async fn send_upgrade(
        &self,
        pinned: Option<&PinnedConnection>,
        mut request: Request<Body>,
        protocols: HeaderValue,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, protocols);
        match self.send_http1(pinned, request).await? {
            Http1Outcome::Response(response) => Ok(*response),
            Http1Outcome::NotSupported(mut request) => {
                request.headers_mut().remove(CONNECTION);
                request.headers_mut().remove(UPGRADE);
                self.send(*request).await
            }
        }
    }

    /// Sends a request on HTTP/1.1: on the connection of its client, or on one that is used once.
    /// After a 101, `hyper::upgrade::on` takes the tunnel from the response.
    ///
    /// # Errors
    /// If there is no response, or it is malformed.
    pub async fn send_http1(
        &self,
        pinned: Option<&PinnedConnection>,
        request: Request<Body>,
    ) -> Result<Http1Outcome, UpstreamError> {
        let (mut sender, is_reused) = match self.reuse(pinned).await {
            Some(sender) => (sender, true),
            None => match self.connect_http1().await? {
                Some(sender) => (sender, false),
                None => return Ok(Http1Outcome::NotSupported(Box::new(request))),
            },
        };
        let mut timed = self.prepare(request);
        let response = match self.send_on(&mut sender, &mut timed).await {
            Err(SendError::Unsent(request, error)) => {
                // The upstream had just closed it. What was not written can be sent again.
                let reconnected = match is_reused {
                    true => self.connect_http1().await?,
                    false => None,
                };
                sender = reconnected.ok_or_else(|| self.explain(&error, false))?;
                timed.request = *request;
                self.send_on(&mut sender, &mut timed).await
            }
            sent => sent,
        };
        let response = response.map_err(|error| self.to_upstream_error(error))?;
        if let Some(pinned) = pinned {
            pinned.put(&self.target, sender);
        }
        Ok(Http1Outcome::Response(Box::new(response)))
    }

    /// A new connection, or none if the upstream only speaks HTTP/2.
    async fn connect_http1(&self) -> Result<Option<SendRequest<Body>>, UpstreamError> {
        let limit = self.response_header_timeout;
        match tokio::time::timeout(limit, self.tunnels.open_http1()).await {
            Ok(Ok(sender)) => Ok(sender),
            Ok(Err(error)) => Err(self.explain(&*error, true)),
            Err(_) => Err(self.timeout_error("a connection to")),
        }
    }

    /// The pinned connection, if it is still open. Waits for the end of the response before.
    async fn reuse(&self, pinned: Option<&PinnedConnection>) -> Option<SendRequest<Body>> {
        let mut sender = pinned?.take(&self.target)?;
        let limit = self.response_header_timeout;
        let ready = tokio::time::timeout(limit, sender.ready()).await;
        matches!(ready, Ok(Ok(()))).then_some(sender)
    }

    fn prepare(&self, mut request: Request<Body>) -> TimedRequest {
        to_origin_form(&mut request);
        let is_head = *request.method() == Method::HEAD;
        let gate = self.continue_gate(&request);
        let interim = InterimLimiter::attach(&mut request, self.interim_responses, gate.clone());
        let last_write = (!request.body().is_end_stream()).then(LastWrite::now);
        let request = request.map(|body| {
            let body = (!body.is_end_stream()).then(|| ResendableBody::new(body, 0).begin(false));
            let timed = TimedRequestBody {
                body,
                last_write: last_write.clone(),
                stream: None,
                gate: gate.clone().map(|gate| (gate, None)),
            };
            timed.boxed_unsync()
        });
        TimedRequest {
            request,
            interim,
            last_write,
            is_head,
            gate,
        }
    }

    /// While the request body is being sent, the time limit restarts with every part that the
    /// connection takes.
    async fn send_on(
        &self,
        sender: &mut SendRequest<Body>,
        timed: &mut TimedRequest,
    ) -> Result<Response<UpstreamBody>, SendError> {
        let start = Instant::now();
        let request = std::mem::take(&mut timed.request);
        let last_write = timed.last_write.as_ref();
        let mut response = pin!(timed.interim.enforce(sender.try_send_request(request)));
        loop {
            let since = last_write.map_or(start, LastWrite::get);
            let deadline = since + self.response_header_timeout;
            match tokio::time::timeout_at(deadline, &mut response).await {
                Ok(sent) => return self.to_response(sent, timed.is_head, timed.gate.clone()),
                Err(_) if last_write.is_some_and(|last| last.get() > since) => {}
                Err(_) => {
                    let error = self.timeout_error("response headers from");
                    return Err(SendError::Failed(error));
                }
            }
        }
    }

    fn to_response(
        &self,
        sent: Sent,
        is_head: bool,
        gate: Option<ContinueGate>,
    ) -> Result<Response<UpstreamBody>, SendError> {
        match sent {
            Ok(Ok(response)) => self
                .wrap_response(response, is_head, gate)
                .map_err(SendError::Failed),
            Ok(Err(mut error)) => Err(match error.take_message() {
                Some(request) => SendError::Unsent(Box::new(request), error.into_error()),
                None => SendError::Failed(self.explain(error.error(), false)),
            }),
            Err(too_many) => Err(SendError::Failed(self.too_many_interim(&too_many))),
        }
    }

    fn to_upstream_error(&self, error: SendError) -> UpstreamError {
        match error {
            SendError::Unsent(_, error) => self.explain(&error, false),
            SendError::Failed(error) => error,
        }
    }
}

type TrySendError = hyper::client::conn::TrySendError<Request<Body>>;
type Sent = Result<Result<Response<Incoming>, TrySendError>, TooManyInterim>;
