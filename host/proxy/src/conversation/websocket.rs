//! A WebSocket replayed: the gateway is the server, and says what the upstream said.

use bytes::{Bytes, BytesMut};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;

use super::cursor::DueMessage;
use super::{ConversationCursor, client_input};
use crate::handler::error_response;
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::session::MemoryReservation;
use ouli_codec::websocket::{Bounds, Decoder, DeflateParams, Encoder, ReceivedMessage, Violation};
use ouli_config::Limits;
use ouli_message::stream::{Ending, MessageKind, Side};
use ouli_net::drain::DrainSignal;

/// One client's WebSocket.
pub(super) struct WebSocketReplay {
    io: TokioIo<Upgraded>,
    input: BytesMut,
    decoder: Decoder,
    encoder: Encoder,
    cursor: ConversationCursor,
    limits: Limits,
    /// What is held of the client's words.
    reservation: MemoryReservation,
}

/// How a WebSocket ends.
enum ConversationEnd {
    /// A close frame was sent; the client's is waited for.
    CloseSent,
    /// Both have closed, or the client is gone.
    Closed,
    /// The connection is cut off, as it was.
    Aborted,
}

/// Whether recorded pauses are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pacing {
    /// Only what is due by now is said.
    Recorded,
    /// All but a close is said at once: the conversation is about to end.
    Immediate,
}

/// What happens next.
enum Event {
    /// A pause is over.
    MessageDue,
    /// The client has sent something, or has ended.
    Input(std::io::Result<bool>),
    /// Nothing happened for too long.
    Idle,
    /// There is no memory for what the client says.
    MemoryLimit,
    /// The gateway stops.
    Shutdown,
}

impl WebSocketReplay {
    pub(super) fn new(
        upgraded: Upgraded,
        deflate: Option<DeflateParams>,
        cursor: ConversationCursor,
        (limits, hold): (Limits, MemoryReservation),
    ) -> Self {
        let bounds = Bounds {
            frame: limits.websocket_message as u64,
            message: limits.websocket_message as u64,
            ratio: limits.decompression_ratio as u64,
        };
        Self {
            io: TokioIo::new(upgraded),
            input: BytesMut::new(),
            decoder: Decoder::new(Side::Client, bounds, deflate),
            encoder: Encoder::new(Side::Server, deflate),
            cursor,
            limits,
            reservation: hold,
        }
    }

    pub(super) async fn run(mut self, stop: DrainSignal) {
        // A client that is gone needs no words.
        let ended = self
            .run_conversation(stop)
            .await
            .unwrap_or(ConversationEnd::Closed);
        let Self {
            mut io,
            limits,
            cursor,
            reservation: hold,
            ..
        } = self;
        drop(cursor);
        match ended {
            ConversationEnd::Aborted => {}
            ConversationEnd::Closed => {
                let _ = io.shutdown().await;
            }
            ConversationEnd::CloseSent => {
                let wait = limits.websocket_close_timeout;
                // The client closes the handshake, then the server the connection (RFC 6455,
                // section 7.1.1). One that does neither is cut off.
                let _ = tokio::time::timeout(wait, async {
                    let said = (self.input, self.decoder);
                    let closed = client_input::drain_until_close(&mut io, said, hold).await;
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
        mut stop: DrainSignal,
    ) -> std::io::Result<ConversationEnd> {
        loop {
            while let Some(heard) = self.decode().await? {
                match heard {
                    Ok(heard) => {
                        if let Some(ended) = self.handle_message(heard).await? {
                            return Ok(ended);
                        }
                        // What the client waits for may be asked for and waited for in one go.
                        if let Some(ended) = self.send_due(Pacing::Recorded).await? {
                            return Ok(ended);
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
                    // The last word was the client's, or it is for the client to leave.
                    Ending::Complete | Ending::ClientAborted => {}
                }
            }
            match self.next(due.as_ref(), is_over, &mut stop).await {
                Event::MessageDue => {
                    if let Some(due) = due
                        && let Some(ended) = self.send_message(due).await?
                    {
                        return Ok(ended);
                    }
                }
                Event::Input(more) => {
                    if !more? {
                        return Ok(ConversationEnd::Closed);
                    }
                }
                Event::MemoryLimit => {
                    let reason = "as much is held in memory as may be (limits.memory)";
                    return self.close(Some(1013), reason).await;
                }
                Event::Idle => return self.close(Some(1001), "nothing came for too long").await,
                Event::Shutdown => return self.close(Some(1001), "the gateway stops").await,
            }
        }
    }

    /// Where the gateway stops, a conversation that is over ends at once, any other one as late as
    /// can be.
    async fn next(
        &mut self,
        due: Option<&DueMessage>,
        is_over: bool,
        stop: &mut DrainSignal,
    ) -> Event {
        if let Some(due) = due
            && due.send_at <= tokio::time::Instant::now()
        {
            return Event::MessageDue;
        }
        let mut closing = stop.clone();
        let idle = tokio::time::Instant::now() + self.limits.stream_idle_timeout;
        let until = due.map_or(idle, |due| due.send_at);
        let patience = self.limits.memory_wait_timeout;
        let (hold, io, input) = (&self.reservation, &mut self.io, &mut self.input);
        let read = async {
            if !hold.wait_below_soft_limit(patience).await {
                return Event::MemoryLimit;
            }
            Event::Input(client_input::read(io, input).await)
        };
        tokio::select! {
            next = read => next,
            () = tokio::time::sleep_until(until) => {
                if due.is_some() { Event::MessageDue } else { Event::Idle }
            }
            () = stop.draining(), if is_over => Event::Shutdown,
            () = closing.closing(), if !is_over => Event::Shutdown,
        }
    }

    /// The next unit of what has come. What was decoded leaves no buffer behind.
    async fn decode(&mut self) -> std::io::Result<Option<Result<ReceivedMessage, Violation>>> {
        let decoded = self.decoder.decode(&mut self.input).transpose();
        if decoded.is_none() && self.input.is_empty() {
            self.input = BytesMut::new();
        }
        self.reservation
            .resize(self.input.len() + self.decoder.buffered());
        // Many small units must not keep other connections of this thread waiting.
        tokio::task::consume_budget().await;
        Ok(decoded)
    }

    async fn handle_message(
        &mut self,
        heard: ReceivedMessage,
    ) -> std::io::Result<Option<ConversationEnd>> {
        match heard {
            ReceivedMessage::Ping(payload) => {
                let pong = self.encoder.pong(&payload, None);
                self.send(pong).await?;
            }
            ReceivedMessage::Pong(_) => {}
            ReceivedMessage::Data { content, .. } => {
                if let Err(error) = self.cursor.receive(&content) {
                    return self.handle_miss(&error).await.map(Some);
                }
            }
            ReceivedMessage::Close { code, .. } => return self.handle_close(code).await.map(Some),
        }
        Ok(None)
    }

    /// Says what is due, up to where the client is to say something.
    async fn send_due(&mut self, pace: Pacing) -> std::io::Result<Option<ConversationEnd>> {
        while let Some(due) = self.cursor.due_message() {
            let early = pace == Pacing::Recorded && due.send_at > tokio::time::Instant::now();
            let last = pace == Pacing::Immediate && matches!(due.kind, MessageKind::Close { .. });
            if early || last {
                return Ok(None);
            }
            if let Some(ended) = self.send_message(due).await? {
                return Ok(Some(ended));
            }
        }
        Ok(None)
    }

    /// The client closes. What the server said to that when it was recorded is said again; else the
    /// close is echoed (RFC 6455, section 5.5.1).
    async fn handle_close(&mut self, code: Option<u16>) -> std::io::Result<ConversationEnd> {
        self.send_due(Pacing::Immediate).await?;
        self.cursor.receive_close();
        // What the server had still to say may have crossed the close.
        self.send_due(Pacing::Immediate).await?;
        let answer = match (self.cursor.due_message(), self.cursor.ending()) {
            (Some(due), _) => match due.kind {
                MessageKind::Close { code, reason } => {
                    self.cursor.mark_sent();
                    self.encoder.close(code, &reason, None)
                }
                _ => self.encoder.close(code, "", None),
            },
            (None, Ending::ServerAborted) if self.cursor.is_over() => {
                return Ok(ConversationEnd::Aborted);
            }
            (None, _) => self.encoder.close(code, "", None),
        };
        self.send(answer).await?;
        Ok(ConversationEnd::Closed)
    }

    /// The client breaks the protocol. Where it did so when it was recorded, the server's answer to
    /// that is next.
    async fn handle_violation(&mut self, violation: Violation) -> std::io::Result<ConversationEnd> {
        self.send_due(Pacing::Immediate).await?;
        match (self.cursor.next_server_message(), self.cursor.ending()) {
            (Some(MessageKind::Close { code, reason }), _) => {
                let (code, reason) = (*code, reason.clone());
                self.close(code, &reason).await
            }
            (None, Ending::ServerAborted) => Ok(ConversationEnd::Aborted),
            (Some(_) | None, _) => {
                tracing::debug!("a WebSocket's client broke the protocol: {violation}");
                self.close(Some(violation.code), violation.reason).await
            }
        }
    }

    /// The client says what is not recorded.
    async fn handle_miss(&mut self, error: &ExchangeError) -> std::io::Result<ConversationEnd> {
        error_response::log_error(error);
        self.cursor.count_if_miss(error);
        let (code, reason) = match error {
            ExchangeError::Miss(miss) => (1008, format!("ouli miss: {}", miss.summary())),
            other => (1011, other.to_string()),
        };
        self.close(Some(code), &reason).await
    }

    async fn close(&mut self, code: Option<u16>, reason: &str) -> std::io::Result<ConversationEnd> {
        let close = self.encoder.close(code, reason, None);
        self.send(close).await?;
        Ok(ConversationEnd::CloseSent)
    }

    async fn send_message(&mut self, due: DueMessage) -> std::io::Result<Option<ConversationEnd>> {
        let frame = match &due.kind {
            MessageKind::Text(words) | MessageKind::Binary(words) => {
                let bytes = self.cursor.payload_bytes(words).await?;
                let text = matches!(due.kind, MessageKind::Text(_));
                self.encoder.message(text, &bytes, words.compressed, None)
            }
            MessageKind::Ping(payload) => self.encoder.ping(payload, None),
            MessageKind::Pong(payload) => self.encoder.pong(payload, None),
            MessageKind::Close { code, reason } => {
                let (code, reason) = (*code, reason.clone());
                self.cursor.mark_sent();
                return self.close(code, &reason).await.map(Some);
            }
            MessageKind::End => Bytes::new(),
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
