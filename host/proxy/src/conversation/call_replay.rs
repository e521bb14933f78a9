//! The replay of one gRPC call: server messages are sent after the client messages that preceded
//! them, and the status at the end.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, Version};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::Instrument as _;

use super::cursor::ConversationCursor;
use super::response_frames::{ClientGone, FrameReceiver, FrameSender};
use super::selection::load_expected_keys;
use crate::handler::{
    AccessOutcome, ExchangeError, OutgoingBody, RequestBody, RequestContext, RequestTrace,
    grpc_status,
};
use crate::record::{PrefixedBody, RequestHead};
use crate::replay::{self, ClientCapabilities, Lookup};
use crate::session::{ClaimedEntry, Entry, MemoryReservation, ReplayQueue};
use ouli_codec::content_coding;
use ouli_codec::grpc::{self, LengthPrefixedMessage, MessageSplitter};
use ouli_config::Limits;
use ouli_message::stream::{Ending, MessageKind, Payload, Protocol};
use ouli_net::drain::DrainSignal;
use ouli_net::server::IncomingBodyError;

/// A call in progress.
pub(super) struct CallReplay {
    cursor: ConversationCursor,
    /// The client understands a status after a response that is incomplete.
    is_http2: bool,
    /// The client has reset its stream.
    has_left: bool,
    body: RequestBody,
    /// The bytes that were read of the body; none if the request cannot be forwarded any more.
    pub(super) consumed: Option<BytesMut>,
    splitter: MessageSplitter,
    /// The encoding of the client's messages.
    request_encoding: Option<String>,
    /// The encodings that the client accepts.
    accept_encoding: Option<String>,
    limits: Limits,
    /// The memory of buffered client messages.
    reservation: MemoryReservation,
    stop: DrainSignal,
    trace: RequestTrace,
}

/// A call whose messages match no recorded conversation, or that failed.
pub(super) struct UnmatchedCall {
    error: ExchangeError,
    call: Box<CallReplay>,
}

impl UnmatchedCall {
    /// The request body to forward, if the call is a miss and the client has received nothing yet.
    pub(super) fn into_request_body(self) -> Result<PrefixedBody, Self> {
        let Self { error, mut call } = self;
        let received = call.consumed.take();
        match (received, &error) {
            (Some(received), ExchangeError::Miss(_)) if call.cursor.can_switch() => {
                call.cursor.release();
                Ok(PrefixedBody::with_prefix(received.freeze(), call.body))
            }
            (_, _) => Err(Self { error, call }),
        }
    }

    /// The error that the client receives.
    pub(super) fn into_error(mut self) -> ExchangeError {
        self.call.cursor.fail(&self.error);
        self.error
    }
}

impl CallReplay {
    pub(super) async fn new(
        context: &RequestContext<'_>,
        head: &RequestHead,
        request: Request<RequestBody>,
        (lookup, queue, claimed): (Arc<Lookup>, ReplayQueue, ClaimedEntry),
    ) -> Result<Self, ExchangeError> {
        let expected_keys = load_expected_keys(context, &lookup, &claimed, Protocol::Grpc).await?;
        let limits = context.snapshot.config.limits.clone();
        let text = |name: &str| {
            let value = head.headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        Ok(Self {
            cursor: ConversationCursor::new(
                context,
                lookup,
                Protocol::Grpc,
                (queue, claimed, expected_keys),
            ),
            is_http2: request.version() >= Version::HTTP_2,
            has_left: false,
            body: request.into_body(),
            consumed: None,
            splitter: MessageSplitter::new(limits.grpc_message as u64),
            request_encoding: text("grpc-encoding"),
            accept_encoding: text("grpc-accept-encoding"),
            limits,
            reservation: context.handler.shared.budget.request_reservation(),
            stop: context.handler.shared.drain.signal(),
            trace: context.trace.clone(),
        })
    }

    /// Reads client messages until the next message is one of the server, and then responds.
    pub(super) async fn respond(
        mut self,
        context: &RequestContext<'_>,
    ) -> Result<Response<OutgoingBody>, UnmatchedCall> {
        while self.cursor.due_message().is_none() && !self.cursor.is_over() {
            if let Err(error) = self.read_next().await {
                let call = Box::new(self);
                return Err(UnmatchedCall { error, call });
            }
        }
        let Some(entry) = self.cursor.entry().cloned() else {
            let error = ExchangeError::Internal("a call has no recorded conversation".to_owned());
            let call = Box::new(self);
            return Err(UnmatchedCall { error, call });
        };
        if let Some(failure) = entry.failure_without_response() {
            self.cursor.commit();
            replay::wait_until_due(context, failure).await;
            let error = ExchangeError::RecordedFailure(failure.cause);
            let call = Box::new(self);
            return Err(UnmatchedCall { error, call });
        }
        let is_grpc = entry.response.is_grpc();
        let complete = self.cursor.is_over() && self.cursor.ending() == Ending::Complete;
        let has_no_trailers = entry.response.trailers.is_empty();
        if complete && (has_no_trailers || !is_grpc) {
            self.cursor.commit();
            let client = ClientCapabilities::unrestricted();
            let own_ids = self.cursor.own_ids_of_heads();
            return match replay::recorded_response(context, &entry, &client, own_ids).await {
                Ok(response) => {
                    self.trace.set_outcome(AccessOutcome::Hit);
                    Ok(response)
                }
                Err(error) => {
                    let call = Box::new(self);
                    Err(UnmatchedCall { error, call })
                }
            };
        }
        self.cursor.commit();
        Ok(self.respond_now(context))
    }

    /// Responds with the recorded head. A task sends the messages.
    pub(super) fn respond_now(mut self, context: &RequestContext<'_>) -> Response<OutgoingBody> {
        self.consumed = None;
        self.trace.set_outcome(AccessOutcome::Hit);
        let entry = self.cursor.entry().cloned();
        let (sender, frames) = FrameReceiver::new();
        let mut response = Response::new(OutgoingBody::conversation(frames));
        if let Some(entry) = entry {
            *response.status_mut() = entry.response.status;
            *response.headers_mut() = self.response_headers(&entry);
        }
        let span = self.trace.span();
        let call = async move {
            // A client that has disconnected receives no more messages.
            let _ = self.run(&sender).await;
        };
        context.handler.shared.drain.spawn(call.instrument(span));
        response
    }

    /// The recorded head, without an encoding that this client does not accept.
    fn response_headers(&self, entry: &Entry) -> HeaderMap {
        let mut headers = entry.response.fields.to_map();
        let own_ids = self.cursor.own_ids_of_heads();
        own_ids.rename_fields(&mut headers);
        replay::add_renewed_fields(&mut headers, entry);
        own_ids.repeat_fields(&mut headers);
        if let Some(encoding) = entry.response.fields.get_str("grpc-encoding")
            && !grpc::accepts(self.accept_encoding.as_deref(), encoding)
        {
            headers.remove("grpc-encoding");
        }
        headers
    }

    async fn run(mut self, sender: &FrameSender) -> Result<(), ClientGone> {
        loop {
            while let Some(due) = self.cursor.due_message() {
                if due.send_at > Instant::now() {
                    tokio::select! {
                        () = sleep_until(due.send_at) => {}
                        () = sender.closed() => return Err(ClientGone),
                        () = self.stop.closing() => {
                            return self.end_with_error(sender, &ExchangeError::Stopping).await;
                        }
                    }
                }
                if let MessageKind::Text(payload) | MessageKind::Binary(payload) = &due.kind {
                    match self.encode_message(payload).await {
                        Ok(frame) => sender.data(frame).await?,
                        Err(error) => {
                            self.cursor.count_error(&error);
                            return self.end_with_error(sender, &error).await;
                        }
                    }
                }
                self.cursor.mark_sent();
            }
            if self.cursor.is_over() {
                return self.finish(sender).await;
            }
            let received = tokio::select! {
                received = self.read_next() => received,
                () = sender.closed() => return Err(ClientGone),
            };
            if let Err(error) = received {
                if self.has_left {
                    return Err(ClientGone);
                }
                self.cursor.count_error(&error);
                return self.end_with_error(sender, &error).await;
            }
        }
    }

    /// Reads the next frame of the request body.
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
            let reason = format!("no data for {wait:?} (limits.stream_idle_timeout)");
            return Err(ExchangeError::Downstream(reason));
        };
        let invalid = |error: grpc::GrpcError| ExchangeError::Undecodable(error.to_string());
        let data = match frame {
            None => {
                self.splitter.finish().map_err(invalid)?;
                return self.cursor.receive_end().await;
            }
            Some(Err(error)) => {
                self.has_left = self.is_http2 && matches!(error, IncomingBodyError::Transport(_));
                return Err(ExchangeError::Downstream(error.to_string()));
            }
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        if let Some(received) = &mut self.consumed {
            let max = self.limits.request_body;
            if received.len() + data.len() > max {
                return Err(ExchangeError::RequestBodyTooLarge { max });
            }
            received.extend_from_slice(&data);
        }
        for message in self.splitter.feed(&data).map_err(invalid)? {
            let decoded = self.decode(message).await?;
            self.cursor
                .receive(&decoded.map_err(invalid)?, false)
                .await?;
        }
        let received = self.consumed.as_ref().map_or(0, BytesMut::capacity);
        self.reservation.resize(received + self.splitter.buffered());
        Ok(())
    }

    /// The bytes of a message, which may be that large.
    async fn decode(
        &self,
        message: LengthPrefixedMessage,
    ) -> Result<Result<Bytes, grpc::GrpcError>, ExchangeError> {
        if !message.compressed {
            return Ok(Ok(message.bytes));
        }
        let most = message.bytes.len();
        let most = most.saturating_mul(self.limits.decompression_ratio);
        let (encoding, bounds) = (self.request_encoding.clone(), self.bounds());
        let decode = move || grpc::decode(&message, encoding.as_deref(), bounds);
        let most = most.min(self.limits.grpc_message);
        self.cursor.work(most, decode).await
    }

    fn bounds(&self) -> content_coding::Bounds {
        content_coding::Bounds {
            bytes: self.limits.grpc_message as u64,
            ratio: self.limits.decompression_ratio as u64,
        }
    }

    async fn encode_message(&self, payload: &Payload) -> Result<Bytes, ExchangeError> {
        let failed = |reason: String| {
            ExchangeError::Internal(format!("a recorded message cannot be sent: {reason}"))
        };
        let bytes = self.cursor.payload_bytes(payload).await;
        let bytes = bytes.map_err(|error| failed(error.to_string()))?;
        let entry = self.cursor.entry();
        let encoding = entry.and_then(|entry| entry.response.fields.get_str("grpc-encoding"));
        let encoding = encoding.filter(|encoding| {
            payload.compressed && grpc::accepts(self.accept_encoding.as_deref(), encoding)
        });
        if encoding.is_none() {
            return Ok(grpc::encode_frame(&bytes, false));
        }
        let encoding = encoding.map(str::to_owned);
        let encode = {
            let bytes = bytes.clone();
            move || grpc::encode(&bytes, encoding.as_deref())
        };
        let encoded = self.cursor.work(bytes.len(), encode).await?;
        let encoded = encoded.map_err(|error| failed(error.to_string()))?;
        Ok(grpc::encode_frame(&encoded, true))
    }

    /// Ends the call as recorded: with its status, an abort, or by waiting for the client to leave.
    async fn finish(mut self, sender: &FrameSender) -> Result<(), ClientGone> {
        let entry = self.cursor.entry();
        let is_grpc = entry.is_some_and(|entry| entry.response.is_grpc());
        let mut trailers = entry.map(|entry| entry.response.trailers.to_map());
        if let Some(trailers) = &mut trailers {
            self.cursor.own_ids_of_heads().rename_fields(trailers);
        }
        match self.cursor.ending() {
            Ending::Complete => sender.trailers(trailers.unwrap_or_default()).await,
            // As live: a call whose upstream sent no status ends with one of the gateway.
            Ending::ServerAborted if is_grpc && self.is_http2 => {
                let reason = "the recorded call ended without a status";
                let failure = entry.and_then(|entry| entry.failure);
                let cause = failure.map(|failure| failure.cause);
                let trailers = grpc_status::aborted_call(cause.as_ref(), reason);
                sender.trailers(trailers).await
            }
            Ending::ServerAborted => {
                sender.abort().await;
                Ok(())
            }
            Ending::ClientAborted => {
                // The client ended the recorded call, so it is expected to end this one.
                let closed = timeout(self.limits.stream_idle_timeout, sender.closed());
                let disconnected = tokio::select! {
                    closed = closed => closed.is_ok(),
                    // No message is left, so a shutdown need not wait for the client.
                    () = self.stop.draining() => {
                        return self.end_with_error(sender, &ExchangeError::Stopping).await;
                    }
                };
                if !disconnected {
                    sender.abort().await;
                }
                Ok(())
            }
        }
    }

    async fn end_with_error(
        self,
        sender: &FrameSender,
        error: &ExchangeError,
    ) -> Result<(), ClientGone> {
        self.trace.log_error(error);
        sender.trailers(grpc_status::trailers(error)).await
    }
}
