//! A WebSocket replayed: the gateway is the server, and says what the upstream said.

use bytes::{Bytes, BytesMut};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;

use super::cursor::Due;
use super::{Cursor, client_input};
use crate::handler::error_response;
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::session::Hold;
use ouli_codec::websocket::{Bounds, Decoder, Deflate, Encoder, Heard, Violation};
use ouli_config::Limits;
use ouli_message::stream::{Ending, Said, Side};
use ouli_net::drain::Stop;

/// One client's WebSocket.
pub(super) struct Socket {
    io: TokioIo<Upgraded>,
    input: BytesMut,
    decoder: Decoder,
    encoder: Encoder,
    cursor: Cursor,
    limits: Limits,
    /// What is held of the client's words.
    hold: Hold,
}

/// How a WebSocket ends.
enum Ended {
    /// A close frame was sent; the client's is waited for.
    Closing,
    /// Both have closed, or the client is gone.
    Closed,
    /// The connection is cut off, as it was.
    CutOff,
}

/// Whether recorded pauses are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// Only what is due by now is said.
    Kept,
    /// All but a close is said at once: the conversation is about to end.
    Hurried,
}

/// What happens next.
enum Next {
    /// A pause is over.
    Due,
    /// The client has sent something, or has ended.
    Input(std::io::Result<bool>),
    /// Nothing happened for too long.
    Idle,
    /// There is no memory for what the client says.
    Memory,
    /// The gateway stops.
    Stop,
}

impl Socket {
    pub(super) fn new(
        upgraded: Upgraded,
        deflate: Option<Deflate>,
        cursor: Cursor,
        (limits, hold): (Limits, Hold),
    ) -> Self {
        let bounds = Bounds {
            frame: limits.websocket_message as u64,
            message: limits.websocket_message as u64,
            ratio: limits.decoded_ratio as u64,
        };
        Self {
            io: TokioIo::new(upgraded),
            input: BytesMut::new(),
            decoder: Decoder::new(Side::Client, bounds, deflate),
            encoder: Encoder::new(Side::Server, deflate),
            cursor,
            limits,
            hold,
        }
    }

    pub(super) async fn run(mut self, stop: Stop) {
        // A client that is gone needs no words.
        let ended = self.converse(stop).await.unwrap_or(Ended::Closed);
        let Self {
            mut io,
            limits,
            cursor,
            hold,
            ..
        } = self;
        drop(cursor);
        match ended {
            Ended::CutOff => {}
            Ended::Closed => {
                let _ = io.shutdown().await;
            }
            Ended::Closing => {
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

    async fn converse(&mut self, mut stop: Stop) -> std::io::Result<Ended> {
        loop {
            while let Some(heard) = self.decode().await? {
                match heard {
                    Ok(heard) => {
                        if let Some(ended) = self.hear(heard).await? {
                            return Ok(ended);
                        }
                        // What the client waits for may be asked for and waited for in one go.
                        if let Some(ended) = self.say_all(Pace::Kept).await? {
                            return Ok(ended);
                        }
                    }
                    Err(violation) => return self.broken(violation).await,
                }
            }
            let due = self.cursor.due();
            let is_over = due.is_none() && self.cursor.is_over();
            if is_over {
                match self.cursor.ending() {
                    Ending::Server => return Ok(Ended::CutOff),
                    // The last word was the client's, or it is for the client to leave.
                    Ending::Complete | Ending::Client => {}
                }
            }
            match self.next(due.as_ref(), is_over, &mut stop).await {
                Next::Due => {
                    if let Some(due) = due
                        && let Some(ended) = self.say(due).await?
                    {
                        return Ok(ended);
                    }
                }
                Next::Input(more) => {
                    if !more? {
                        return Ok(Ended::Closed);
                    }
                }
                Next::Memory => {
                    let reason = "as much is held in memory as may be (limits.memory)";
                    return self.close(Some(1013), reason).await;
                }
                Next::Idle => return self.close(Some(1001), "nothing came for too long").await,
                Next::Stop => return self.close(Some(1001), "the gateway stops").await,
            }
        }
    }

    /// Where the gateway stops, a conversation that is over ends at once, any other one as late as
    /// can be.
    async fn next(&mut self, due: Option<&Due>, is_over: bool, stop: &mut Stop) -> Next {
        if let Some(due) = due
            && due.at <= tokio::time::Instant::now()
        {
            return Next::Due;
        }
        let mut closing = stop.clone();
        let idle = tokio::time::Instant::now() + self.limits.stream_idle_timeout;
        let until = due.map_or(idle, |due| due.at);
        let patience = self.limits.memory_wait;
        let (hold, io, input) = (&self.hold, &mut self.io, &mut self.input);
        let read = async {
            if !hold.room(patience).await {
                return Next::Memory;
            }
            Next::Input(client_input::read(io, input).await)
        };
        tokio::select! {
            next = read => next,
            () = tokio::time::sleep_until(until) => {
                if due.is_some() { Next::Due } else { Next::Idle }
            }
            () = stop.begun(), if is_over => Next::Stop,
            () = closing.closing(), if !is_over => Next::Stop,
        }
    }

    /// The next unit of what has come. What was decoded leaves no buffer behind.
    async fn decode(&mut self) -> std::io::Result<Option<Result<Heard, Violation>>> {
        let decoded = self.decoder.decode(&mut self.input).transpose();
        if decoded.is_none() && self.input.is_empty() {
            self.input = BytesMut::new();
        }
        self.hold.set(self.input.len() + self.decoder.held());
        // Many small units must not keep other connections of this thread waiting.
        tokio::task::consume_budget().await;
        Ok(decoded)
    }

    async fn hear(&mut self, heard: Heard) -> std::io::Result<Option<Ended>> {
        match heard {
            Heard::Ping(payload) => {
                let pong = self.encoder.pong(&payload, None);
                self.send(pong).await?;
            }
            Heard::Pong(_) => {}
            Heard::Message { content, .. } => {
                if let Err(error) = self.cursor.hear(&content) {
                    return self.unheard(&error).await.map(Some);
                }
            }
            Heard::Close { code, .. } => return self.closed(code).await.map(Some),
        }
        Ok(None)
    }

    /// Says what is due, up to where the client is to say something.
    async fn say_all(&mut self, pace: Pace) -> std::io::Result<Option<Ended>> {
        while let Some(due) = self.cursor.due() {
            let early = pace == Pace::Kept && due.at > tokio::time::Instant::now();
            let last = pace == Pace::Hurried && matches!(due.said, Said::Close { .. });
            if early || last {
                return Ok(None);
            }
            if let Some(ended) = self.say(due).await? {
                return Ok(Some(ended));
            }
        }
        Ok(None)
    }

    /// The client closes. What the server said to that when it was recorded is said again; else the
    /// close is echoed (RFC 6455, section 5.5.1).
    async fn closed(&mut self, code: Option<u16>) -> std::io::Result<Ended> {
        self.say_all(Pace::Hurried).await?;
        self.cursor.hear_close();
        // What the server had still to say may have crossed the close.
        self.say_all(Pace::Hurried).await?;
        let answer = match (self.cursor.due(), self.cursor.ending()) {
            (Some(due), _) => match due.said {
                Said::Close { code, reason } => {
                    self.cursor.said();
                    self.encoder.close(code, &reason, None)
                }
                _ => self.encoder.close(code, "", None),
            },
            (None, Ending::Server) if self.cursor.is_over() => return Ok(Ended::CutOff),
            (None, _) => self.encoder.close(code, "", None),
        };
        self.send(answer).await?;
        Ok(Ended::Closed)
    }

    /// The client breaks the protocol. Where it did so when it was recorded, the server's answer to
    /// that is next.
    async fn broken(&mut self, violation: Violation) -> std::io::Result<Ended> {
        self.say_all(Pace::Hurried).await?;
        match (self.cursor.coming(), self.cursor.ending()) {
            (Some(Said::Close { code, reason }), _) => {
                let (code, reason) = (*code, reason.clone());
                self.close(code, &reason).await
            }
            (None, Ending::Server) => Ok(Ended::CutOff),
            (Some(_) | None, _) => {
                tracing::debug!("a WebSocket's client broke the protocol: {violation}");
                self.close(Some(violation.code), violation.reason).await
            }
        }
    }

    /// The client says what is not recorded.
    async fn unheard(&mut self, error: &ExchangeError) -> std::io::Result<Ended> {
        error_response::log(error);
        self.cursor.count_miss_of(error);
        let (code, reason) = match error {
            ExchangeError::Miss(miss) => (1008, format!("ouli miss: {}", miss.short())),
            other => (1011, other.to_string()),
        };
        self.close(Some(code), &reason).await
    }

    async fn close(&mut self, code: Option<u16>, reason: &str) -> std::io::Result<Ended> {
        let close = self.encoder.close(code, reason, None);
        self.send(close).await?;
        Ok(Ended::Closing)
    }

    async fn say(&mut self, due: Due) -> std::io::Result<Option<Ended>> {
        let frame = match &due.said {
            Said::Text(words) | Said::Binary(words) => {
                let bytes = self.cursor.bytes(words).await?;
                let text = matches!(due.said, Said::Text(_));
                self.encoder.message(text, &bytes, words.compressed, None)
            }
            Said::Ping(payload) => self.encoder.ping(payload, None),
            Said::Pong(payload) => self.encoder.pong(payload, None),
            Said::Close { code, reason } => {
                let (code, reason) = (*code, reason.clone());
                self.cursor.said();
                return self.close(code, &reason).await.map(Some);
            }
            Said::End => Bytes::new(),
        };
        self.cursor.said();
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
