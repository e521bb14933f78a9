//! The replay of one WebSocket: the gateway sends the recorded messages of the server.

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use hyper::upgrade::Upgraded;
use tokio::io::AsyncWriteExt as _;

use super::client_input;
use super::cursor::{ConversationCursor, DueMessage};
use super::message_encoder::MessageEncoder;
use crate::handler::{ExchangeError, RequestTrace};
use crate::session::{MemoryReservation, Outcome};
use crate::tunnel::ClientIo;
use ouli_codec::websocket::{Bounds, Decoder, DeflateParams, ReceivedMessage, Violation};
use ouli_config::Limits;
use ouli_message::stream::{Ending, MessageKind, Side};
use ouli_net::drain::DrainSignal;

/// One client's WebSocket.
pub(super) struct WebSocketReplay {
    io: ClientIo,
    trace: RequestTrace,
    input: BytesMut,
    decoder: Decoder,
    encoder: MessageEncoder,
    cursor: ConversationCursor,
    limits: Limits,
    /// The memory of buffered client messages.
    reservation: MemoryReservation,
}

/// How the conversation has ended.
enum ConversationEnd {
    /// A close frame is sent; the client's is expected.
    CloseSent,
    /// Both sides have closed, or the client has disconnected.
    Closed,
    /// The connection is aborted, as recorded.
    Aborted,
    /// The server reads no more, as recorded. The client leaves.
    Ignored,
}

/// Whether recorded delays are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pacing {
    /// Only messages that are due are sent.
    Recorded,
    /// All messages but a close are sent at once, because the conversation is about to end.
    Immediate,
}

/// The next event of a conversation.
enum Event {
    /// The delay of the next message has passed.
    MessageDue,
    /// The client has sent bytes; false at the end of its input.
    Input(std::io::Result<bool>),
    /// The idle timeout has passed.
    Idle,
    /// The memory limit is reached.
    MemoryLimit,
    /// The gateway stops.
    Shutdown,
}

impl WebSocketReplay {
    pub(super) fn new(
        upgraded: Upgraded,
        trace: RequestTrace,
        deflate: Option<DeflateParams>,
        cursor: ConversationCursor,
        (limits, reservation): (Limits, MemoryReservation),
    ) -> Self {
        let bounds = Bounds {
            frame: limits.websocket_message as u64,
            message: limits.websocket_message as u64,
            ratio: limits.decompression_ratio as u64,
        };
        Self {
            io: ClientIo::new(upgraded, trace.clone()),
            trace,
            input: BytesMut::new(),
            decoder: Decoder::new(Side::Client, bounds, deflate).with_step(limits.offload_size),
            encoder: MessageEncoder::new(deflate),
            cursor,
            limits,
            reservation,
        }
    }

    pub(super) async fn run(mut self, shutdown: DrainSignal) {
        // After an I/O error the client has disconnected: no close frame is sent.
        let mut stopping = shutdown.clone();
        let end = self
            .run_conversation(shutdown)
            .await
            .unwrap_or(ConversationEnd::Closed);
        let Self {
            mut io,
            limits,
            cursor,
            reservation,
            ..
        } = self;
        drop(cursor);
        match end {
            ConversationEnd::Aborted => {}
            ConversationEnd::Ignored => {
                let mut leaves = pin!(client_input::drain(&mut io));
                let wait = limits.stream_idle_timeout;
                tokio::select! {
                    _ = tokio::time::timeout(wait, &mut leaves) => {}
                    () = stopping.closing() => {}
                }
            }
            ConversationEnd::Closed => {
                let _ = io.shutdown().await;
            }
            ConversationEnd::CloseSent => {
                let wait = limits.websocket_close_timeout;
                // The client answers the close, then the server closes the connection (RFC 6455,
                // section 7.1.1). After the timeout the connection is dropped.
                let _ = tokio::time::timeout(wait, async {
                    let unread = (self.input, self.decoder);
                    let closed =
                        client_input::drain_until_close(&mut io, unread, reservation).await;
                    let _ = io.shutdown().await;
                    if closed {
                        let _ = client_input::drain(&mut io).await;
                    }
                })
                .await;
            }
        }
    }

    async fn run_conversation(
        &mut self,
        mut shutdown: DrainSignal,
    ) -> std::io::Result<ConversationEnd> {
        loop {
            while let Some(message) = self.decode().await? {
                match message {
                    Ok(message) => {
                        if let Some(end) = self.handle_message(message).await? {
                            return Ok(end);
                        }
                        // The client may wait for this reply before it sends more.
                        if let Some(end) = self.send_due(Pacing::Recorded).await? {
                            return Ok(end);
                        }
                    }
                    Err(violation) => return self.handle_violation(violation).await,
                }
            }
            let due = self.cursor.due_message();
            let is_over = due.is_none() && self.cursor.is_over();
            if is_over {
                match self.cursor.ending() {
                    Ending::ServerAborted => return Ok(ConversationEnd::Aborted),
                    // The client closes or disconnects.
                    Ending::Complete | Ending::ClientAborted => {}
                }
            }
            match self.next(due.as_ref(), is_over, &mut shutdown).await {
                Event::MessageDue => {
                    if let Some(due) = due
                        && let Some(end) = self.send_message(due).await?
                    {
                        return Ok(end);
                    }
                }
                Event::Input(more) => {
                    if !more? {
                        return Ok(ConversationEnd::Closed);
                    }
                }
                Event::MemoryLimit => {
                    let error = ExchangeError::MemoryLimit;
                    self.cursor.count_error(&error);
                    return self.close(Some(1013), &error.to_string()).await;
                }
                Event::Idle => return self.handle_idle().await,
                Event::Shutdown => return self.close(Some(1001), "the gateway stops").await,
            }
        }
    }

    /// Waits for the next event. When the gateway stops, a conversation that is over ends at once,
    /// any other at the end of the drain timeout.
    async fn next(
        &mut self,
        due: Option<&DueMessage>,
        is_over: bool,
        shutdown: &mut DrainSignal,
    ) -> Event {
        if let Some(due) = due
            && due.send_at <= tokio::time::Instant::now()
        {
            return Event::MessageDue;
        }
        let mut closing = shutdown.clone();
        let idle = tokio::time::Instant::now() + self.limits.stream_idle_timeout;
        let until = due.map_or(idle, |due| due.send_at);
        let max_wait = self.limits.memory_wait_timeout;
        let (reservation, io, input) = (&self.reservation, &mut self.io, &mut self.input);
        let read = async {
            if !reservation.wait_below_soft_limit(max_wait).await {
                return Event::MemoryLimit;
            }
            Event::Input(client_input::read(io, input).await)
        };
        tokio::select! {
            next = read => next,
            () = tokio::time::sleep_until(until) => {
                if due.is_some() { Event::MessageDue } else { Event::Idle }
            }
            () = shutdown.draining(), if is_over => Event::Shutdown,
            () = closing.closing(), if !is_over => Event::Shutdown,
        }
    }

    /// Decodes the next message. An empty input buffer is released.
    async fn decode(&mut self) -> std::io::Result<Option<Result<ReceivedMessage, Violation>>> {
        let unread = (&mut self.input, &mut self.decoder);
        let decoded = self.cursor.decode(unread).await?;
        if decoded.is_none() && self.input.is_empty() {
            self.input = BytesMut::new();
        }
        self.reservation
            .resize(self.input.len() + self.decoder.buffered());
        // Yields, so that many small messages do not starve other connections of the thread.
        tokio::task::consume_budget().await;
        Ok(decoded)
    }

    async fn handle_message(
        &mut self,
        message: ReceivedMessage,
    ) -> std::io::Result<Option<ConversationEnd>> {
        match message {
            ReceivedMessage::Ping(payload) => {
                let pong = self.encoder.control().pong(&payload, None);
                self.send(pong).await?;
            }
            ReceivedMessage::Pong(_) => {}
            ReceivedMessage::Data { content, text, .. } => {
                if let Err(error) = self.cursor.receive(&content, !text).await {
                    return self.handle_miss(&error).await.map(Some);
                }
            }
            ReceivedMessage::Close { code, .. } => return self.handle_close(code).await.map(Some),
        }
        Ok(None)
    }

    /// Sends the messages that are due, up to the next client message.
    async fn send_due(&mut self, pacing: Pacing) -> std::io::Result<Option<ConversationEnd>> {
        while let Some(due) = self.cursor.due_message() {
            let is_early = pacing == Pacing::Recorded && due.send_at > tokio::time::Instant::now();
            let is_last =
                pacing == Pacing::Immediate && matches!(due.kind, MessageKind::Close { .. });
            if is_early || is_last {
                return Ok(None);
            }
            if let Some(end) = self.send_message(due).await? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    /// The client closes. The gateway sends the recorded reply; without one it echoes the close
    /// (RFC 6455, section 5.5.1).
    async fn handle_close(&mut self, code: Option<u16>) -> std::io::Result<ConversationEnd> {
        self.send_due(Pacing::Immediate).await?;
        self.cursor.receive_close();
        // Messages of the server may have crossed the close.
        self.send_due(Pacing::Immediate).await?;
        let close = match (self.cursor.due_message(), self.cursor.ending()) {
            (Some(due), _) => match due.kind {
                MessageKind::Close { code, reason } => {
                    self.cursor.mark_sent();
                    self.encoder.control().close(code, &reason, None)
                }
                _ => self.encoder.control().close(code, "", None),
            },
            (None, Ending::ServerAborted) if self.cursor.is_over() => {
                return Ok(ConversationEnd::Aborted);
            }
            (None, _) => self.encoder.control().close(code, "", None),
        };
        self.send(close).await?;
        Ok(ConversationEnd::Closed)
    }

    /// The client violates the protocol. If it did so at this place when it was recorded, the
    /// server reacts as recorded.
    async fn handle_violation(&mut self, violation: Violation) -> std::io::Result<ConversationEnd> {
        self.send_due(Pacing::Immediate).await?;
        if let Some(end) = self.send_close_that_is_due().await? {
            return Ok(end);
        }
        if let Err(error) = self.cursor.receive_violation(&violation).await {
            self.trace.log_error(&error);
            self.cursor.count_error(&error);
            return self.close(Some(violation.code), violation.reason).await;
        }
        self.send_due(Pacing::Immediate).await?;
        if let Some(end) = self.send_close_that_is_due().await? {
            return Ok(end);
        }
        Ok(match self.cursor.ending() {
            Ending::ServerAborted => ConversationEnd::Aborted,
            Ending::Complete | Ending::ClientAborted => ConversationEnd::Ignored,
        })
    }

    /// Sends the recorded close frame if nothing precedes it.
    async fn send_close_that_is_due(&mut self) -> std::io::Result<Option<ConversationEnd>> {
        match self.cursor.due_message() {
            Some(due) => self.send_message(due).await,
            None => Ok(None),
        }
    }

    /// The client does nothing. If it sent more messages when it was recorded, this is a miss.
    async fn handle_idle(&mut self) -> std::io::Result<ConversationEnd> {
        let Err(error) = self.cursor.check_complete().await else {
            return self.close(Some(1001), "idle timeout").await;
        };
        self.trace.log_error(&error);
        self.cursor.count_error(&error);
        let limit = self.limits.stream_idle_timeout;
        let reason = format!("ouli miss: no message for {limit:?} (limits.stream_idle_timeout)");
        self.close(Some(1011), &reason).await
    }

    /// The client sends a message that is not recorded.
    async fn handle_miss(&mut self, error: &ExchangeError) -> std::io::Result<ConversationEnd> {
        self.trace.log_error(error);
        self.cursor.count_error(error);
        let (code, reason) = match error {
            ExchangeError::Miss(miss) => (1008, format!("ouli miss: {}", miss.close_reason())),
            ExchangeError::MemoryLimit => (1013, error.to_string()),
            other => (1011, other.to_string()),
        };
        self.close(Some(code), &reason).await
    }

    async fn close(&mut self, code: Option<u16>, reason: &str) -> std::io::Result<ConversationEnd> {
        let close = self.encoder.control().close(code, reason, None);
        self.send(close).await?;
        Ok(ConversationEnd::CloseSent)
    }

    async fn send_message(&mut self, due: DueMessage) -> std::io::Result<Option<ConversationEnd>> {
        let frame = match &due.kind {
            MessageKind::Text(payload) | MessageKind::Binary(payload) => {
                let bytes = self.cursor.payload_bytes(payload).await;
                // What cannot be read was not found.
                let bytes = bytes.inspect_err(|_| self.cursor.count_failure(Outcome::Miss))?;
                let text = matches!(due.kind, MessageKind::Text(_));
                let encoded = self
                    .encoder
                    .message(&self.cursor, (text, bytes), payload.compressed);
                match encoded.await {
                    Ok(frame) => frame,
                    Err(error) => return self.handle_miss(&error).await.map(Some),
                }
            }
            MessageKind::Ping(payload) => self.encoder.control().ping(payload, None),
            MessageKind::Pong(payload) => self.encoder.control().pong(payload, None),
            MessageKind::Close { code, reason } => {
                let (code, reason) = (*code, reason.clone());
                self.cursor.mark_sent();
                return self.close(code, &reason).await.map(Some);
            }
            // Of a client only.
            MessageKind::End | MessageKind::Invalid { .. } => Bytes::new(),
        };
        self.cursor.mark_sent();
        self.send(frame).await?;
        Ok(None)
    }

    async fn send(&mut self, frame: Bytes) -> std::io::Result<()> {
        let sent = async {
            self.io.write_all(&frame).await?;
            self.io.flush().await
        };
        let limit = self.limits.stream_idle_timeout;
        match tokio::time::timeout(limit, sent).await {
            Ok(result) => result,
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        }
    }
}
