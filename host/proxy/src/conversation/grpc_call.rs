//! A call of gRPC replayed: messages of the server come when the client has sent what came before
//! them, and the status at the end.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, sleep_until, timeout};

use super::response_frames::{ClientGone, FrameReceiver, FrameSender};
use super::{ConversationCursor, Selection, load_expected_keys, look_up};
use crate::handler::context::RequestContext;
use crate::handler::error_response;
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::handler::response_body::OutgoingBody;
use crate::record::failed_exchange;
use crate::record::forward::{self, RequestHead};
use crate::record::relay::{self, forward_and_record};
use crate::record::tee_body::PrefixedBody;
use crate::replay::answer::{self, ClientCapabilities, Lookup};
use crate::session::{ClaimedEntry, Entry, MemoryReservation, ReplayQueue};
use ouli_codec::content_coding;
use ouli_codec::grpc::{self, MessageSplitter};
use ouli_config::Limits;
use ouli_message::stream::{Ending, MessageKind, Payload, Protocol};
use ouli_net::drain::DrainSignal;
use ouli_net::server::IncomingBody;

/// Replays a call, or says why there is none to replay.
pub(crate) async fn replay_call(
    asked: &RequestContext<'_>,
    request: Request<IncomingBody>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let head = forward::request_head(asked, &request, true);
    let looked_up = look_up(asked, head.to_recorded_request(&asked.endpoint.authority)).await?;
    match Selection::of(asked, &looked_up) {
        Selection::Found(line, chosen) => {
            let early = have_same_response_head(&line);
            let call = CallReplay::new(asked, &head, request, (looked_up, line, chosen)).await?;
            if early {
                return Ok(call.respond_now(asked));
            }
            call.respond(asked)
                .await
                .map_err(UnmatchedCall::into_counted_error)
        }
        Selection::Exhausted(count) => Err(answer::miss_error(asked, &looked_up, Some(count))),
        Selection::NotFound => Err(answer::miss_error(asked, &looked_up, None)),
    }
}

/// Replays a call; where nothing like it is recorded, asks the upstream and records it.
pub(crate) async fn replay_call_or_forward(
    asked: &RequestContext<'_>,
    request: Request<IncomingBody>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let head = forward::request_head(asked, &request, true);
    let looked_up = look_up(asked, head.to_recorded_request(&asked.endpoint.authority)).await?;
    let key = looked_up.match_key.key.hash();
    asked.session.wait_until_written(key).await;
    let body = match Selection::of(asked, &looked_up) {
        Selection::Found(line, chosen) => {
            let mut call =
                CallReplay::new(asked, &head, request, (looked_up, line, chosen)).await?;
            call.consumed = Some(BytesMut::new());
            match call.respond(asked).await {
                Ok(response) => return Ok(response),
                Err(unheard) => match unheard.into_request_body() {
                    Ok(body) => body,
                    Err(unheard) => return Err(unheard.into_counted_error()),
                },
            }
        }
        Selection::Exhausted(_) | Selection::NotFound => PrefixedBody::from(request.into_body()),
    };
    let (body, sent) = relay::tee_request(asked, &head, body);
    forward_and_record(asked, head, body, sent, Some(key)).await
}

/// True where all in line begin in the same way, so that the head of the response can be sent
/// before the client has said anything: some clients wait for it.
fn have_same_response_head(line: &ReplayQueue) -> bool {
    let Some(first) = line.entries().first() else {
        return false;
    };
    let trailers_only = first.response.fields.get_str("grpc-status").is_some();
    first.response.is_grpc()
        && !trailers_only
        && line.entries().iter().all(|entry| {
            entry.response.status == first.response.status
                && entry.response.fields == first.response.fields
        })
}

/// A call under way.
struct CallReplay {
    cursor: ConversationCursor,
    body: IncomingBody,
    /// None where it goes no other way.
    consumed: Option<BytesMut>,
    splitter: MessageSplitter,
    /// Of the client's messages.
    request_encoding: Option<String>,
    /// What the client takes of the server's.
    accept_encoding: Option<String>,
    limits: Limits,
    /// What is held of the client's words.
    reservation: MemoryReservation,
    stop: DrainSignal,
}

/// The client says what is not recorded.
struct UnmatchedCall {
    error: ExchangeError,
    call: Box<CallReplay>,
}

impl UnmatchedCall {
    /// The body of the request for another way, where it is a miss and nothing was answered yet.
    fn into_request_body(self) -> Result<PrefixedBody, Self> {
        let Self { error, mut call } = self;
        let heard = call.consumed.take();
        match (heard, &error) {
            (Some(heard), ExchangeError::Miss(_)) if call.cursor.can_switch() => {
                call.cursor.release();
                Ok(PrefixedBody::with_prefix(heard.freeze(), call.body))
            }
            (_, _) => Err(Self { error, call }),
        }
    }

    /// The error, which nothing else follows.
    fn into_counted_error(self) -> ExchangeError {
        self.call.cursor.count_if_miss(&self.error);
        self.error
    }
}

impl CallReplay {
    async fn new(
        asked: &RequestContext<'_>,
        head: &RequestHead,
        request: Request<IncomingBody>,
        (looked_up, line, chosen): (Arc<Lookup>, ReplayQueue, ClaimedEntry),
    ) -> Result<Self, ExchangeError> {
        let script = load_expected_keys(&looked_up, &chosen, Protocol::Grpc).await?;
        let limits = asked.snapshot.config.limits.clone();
        let text = |name: &str| {
            let value = head.headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        Ok(Self {
            cursor: ConversationCursor::new(
                asked,
                looked_up,
                Protocol::Grpc,
                (line, chosen, script),
            ),
            body: request.into_body(),
            consumed: None,
            splitter: MessageSplitter::new(limits.grpc_message as u64),
            request_encoding: text("grpc-encoding"),
            accept_encoding: text("grpc-accept-encoding"),
            limits,
            reservation: asked.handler.shared.budget.request_reservation(),
            stop: asked.handler.shared.drain.signal(),
        })
    }

    /// Listens to the client until the server has something to say, and answers with that.
    async fn respond(
        mut self,
        asked: &RequestContext<'_>,
    ) -> Result<Response<OutgoingBody>, UnmatchedCall> {
        while self.cursor.due_message().is_none() && !self.cursor.is_over() {
            if let Err(error) = self.read_next().await {
                let call = Box::new(self);
                return Err(UnmatchedCall { error, call });
            }
        }
        let Some(entry) = self.cursor.entry().cloned() else {
            let error = ExchangeError::Internal("a call lost its recording".to_owned());
            let call = Box::new(self);
            return Err(UnmatchedCall { error, call });
        };
        if let Some(failure) = entry.failure_without_response() {
            self.cursor.commit();
            failed_exchange::wait_until_due(asked, failure).await;
            let error = ExchangeError::RecordedFailure(failure.cause);
            let call = Box::new(self);
            return Err(UnmatchedCall { error, call });
        }
        let call = entry.response.is_grpc();
        let complete = self.cursor.is_over() && self.cursor.ending() == Ending::Complete;
        let bare = entry.response.trailers.is_empty();
        if complete && (bare || !call) {
            self.cursor.commit();
            return match answer::recorded_response(
                asked,
                &entry,
                &ClientCapabilities::unrestricted(),
            )
            .await
            {
                Ok(response) => Ok(response),
                Err(error) => {
                    let call = Box::new(self);
                    Err(UnmatchedCall { error, call })
                }
            };
        }
        self.cursor.commit();
        Ok(self.respond_now(asked))
    }

    /// Answers with the recorded head; the rest follows.
    fn respond_now(mut self, asked: &RequestContext<'_>) -> Response<OutgoingBody> {
        self.consumed = None;
        let entry = self.cursor.entry().cloned();
        let (pen, frames) = FrameReceiver::new();
        let mut response = Response::new(OutgoingBody::conversation(frames));
        if let Some(entry) = entry {
            *response.status_mut() = entry.response.status;
            *response.headers_mut() = self.response_headers(&entry);
        }
        asked.handler.shared.drain.spawn(async move {
            // Who is gone hears no more.
            let _ = self.run(&pen).await;
        });
        response
    }

    /// The recorded head, without an encoding that this client does not take.
    fn response_headers(&self, entry: &Entry) -> HeaderMap {
        let mut headers = entry.response.fields.to_map();
        if let Some(encoding) = entry.response.fields.get_str("grpc-encoding")
            && !grpc::accepts(self.accept_encoding.as_deref(), encoding)
        {
            headers.remove("grpc-encoding");
        }
        headers
    }

    async fn run(mut self, pen: &FrameSender) -> Result<(), ClientGone> {
        loop {
            while let Some(due) = self.cursor.due_message() {
                if due.send_at > Instant::now() {
                    tokio::select! {
                        () = sleep_until(due.send_at) => {}
                        () = pen.closed() => return Err(ClientGone),
                        () = self.stop.closing() => {
                            return self.end_with_error(pen, &ExchangeError::Stopping).await;
                        }
                    }
                }
                if let MessageKind::Text(words) | MessageKind::Binary(words) = &due.kind {
                    match self.encode_message(words).await {
                        Ok(frame) => pen.data(frame).await?,
                        Err(error) => return self.end_with_error(pen, &error).await,
                    }
                }
                self.cursor.mark_sent();
            }
            if self.cursor.is_over() {
                return self.finish(pen).await;
            }
            let heard = tokio::select! {
                heard = self.read_next() => heard,
                () = pen.closed() => return Err(ClientGone),
            };
            if let Err(error) = heard {
                self.cursor.count_if_miss(&error);
                return self.end_with_error(pen, &error).await;
            }
        }
    }

    /// Takes in what the client sends next.
    async fn read_next(&mut self) -> Result<(), ExchangeError> {
        if !self
            .reservation
            .wait_below_soft_limit(self.limits.memory_wait_timeout)
            .await
        {
            return Err(ExchangeError::MemoryLimit);
        }
        let wait = self.limits.stream_idle_timeout;
        let frame = tokio::select! {
            frame = timeout(wait, self.body.frame()) => frame,
            () = self.stop.closing() => return Err(ExchangeError::Stopping),
        };
        let Ok(frame) = frame else {
            let reason = format!("nothing came for {wait:?} (limits.stream_idle_timeout)");
            return Err(ExchangeError::Downstream(reason));
        };
        let data = match frame {
            None => return self.cursor.receive_end(),
            Some(Err(error)) => return Err(ExchangeError::Downstream(error.to_string())),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        if let Some(heard) = &mut self.consumed {
            let most = self.limits.request_body;
            if heard.len() + data.len() > most {
                return Err(ExchangeError::RequestBodyTooLarge { most });
            }
            heard.extend_from_slice(&data);
        }
        let bad = |error: grpc::GrpcError| ExchangeError::Undecodable(error.to_string());
        for message in self.splitter.feed(&data).map_err(bad)? {
            let bytes = grpc::decode(&message, self.request_encoding.as_deref(), self.bounds());
            self.cursor.receive(&bytes.map_err(bad)?)?;
        }
        let heard = self.consumed.as_ref().map_or(0, BytesMut::capacity);
        self.reservation.resize(heard + self.splitter.buffered());
        Ok(())
    }

    fn bounds(&self) -> content_coding::Bounds {
        content_coding::Bounds {
            bytes: self.limits.grpc_message as u64,
            ratio: self.limits.decompression_ratio as u64,
        }
    }

    async fn encode_message(&self, words: &Payload) -> Result<Bytes, ExchangeError> {
        let failed = |reason: String| {
            ExchangeError::Internal(format!("a recorded message cannot be sent: {reason}"))
        };
        let bytes = self.cursor.payload_bytes(words).await;
        let bytes = bytes.map_err(|error| failed(error.to_string()))?;
        let entry = self.cursor.entry();
        let encoding = entry.and_then(|entry| entry.response.fields.get_str("grpc-encoding"));
        let encoding = encoding.filter(|encoding| {
            words.compressed && grpc::accepts(self.accept_encoding.as_deref(), encoding)
        });
        if encoding.is_none() {
            return Ok(grpc::encode_frame(&bytes, false));
        }
        let encoded = grpc::encode(&bytes, encoding);
        let encoded = encoded.map_err(|error| failed(error.to_string()))?;
        Ok(grpc::encode_frame(&encoded, true))
    }

    /// The end as it was: the status, a break, or nothing until the client leaves.
    async fn finish(mut self, pen: &FrameSender) -> Result<(), ClientGone> {
        let trailers = self
            .cursor
            .entry()
            .map(|entry| entry.response.trailers.to_map());
        match self.cursor.ending() {
            Ending::Complete => pen.trailers(trailers.unwrap_or_default()).await,
            Ending::ServerAborted => {
                pen.abort().await;
                Ok(())
            }
            Ending::ClientAborted => {
                // The client ended it, so it is for the client to do so again.
                let left = tokio::select! {
                    left = timeout(self.limits.stream_idle_timeout, pen.closed()) => left.is_ok(),
                    // Nothing more will be said, so a stop need not wait for the client.
                    () = self.stop.draining() => {
                        return self.end_with_error(pen, &ExchangeError::Stopping).await;
                    }
                };
                if !left {
                    pen.abort().await;
                }
                Ok(())
            }
        }
    }

    async fn end_with_error(
        self,
        pen: &FrameSender,
        error: &ExchangeError,
    ) -> Result<(), ClientGone> {
        error_response::log_error(error);
        let (code, message) = error_response::grpc_status(error);
        let mut trailers = grpc::trailers(code, &message).to_map();
        trailers.insert(
            error_response::ERROR_HEADER,
            HeaderValue::from_static(error_response::error_kind(error)),
        );
        pen.trailers(trailers).await
    }
}
