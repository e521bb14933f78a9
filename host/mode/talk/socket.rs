//! A WebSocket replayed: the gateway is the server, and says what the upstream said.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;

use super::agree::agree;
use super::cursor::Due;
use super::{Cast, Cursor, input, look_up, script};
use crate::config::Limits;
use crate::drain::Stop;
use crate::exchange::stream::Side;
use crate::exchange::stream::{Ending, Protocol, Said};
use crate::exchange::websocket::{self, Bounds, Decoder, Deflate, Encoder, Heard, Violation};
use crate::mode::body::Outgoing;
use crate::mode::context::Asked;
use crate::mode::replay::{self, LookedUp, Wanted};
use crate::mode::tunnel::{self, Asking, Held, Keep};
use crate::mode::{ExchangeError, respond};

/// Replays a WebSocket, or says why there is none to replay.
pub(crate) async fn socket(
    asked: &Asked<'_>,
    request: Request<Incoming>,
    held: Held,
) -> Result<Response<Outgoing>, ExchangeError> {
    let looked_up = recorded(asked, &request).await?;
    match Cast::of(asked, &looked_up) {
        Cast::Chosen(line, chosen) => begin(asked, request, held, (looked_up, line, chosen)).await,
        Cast::Spent(count) => Err(replay::miss(asked, &looked_up, Some(count))),
        Cast::Nothing => Err(replay::miss(asked, &looked_up, None)),
    }
}

/// Replays a WebSocket where one is recorded; else asks the upstream for it and records it.
pub(crate) async fn socket_or_tunnel(
    asked: &Asked<'_>,
    request: Request<Incoming>,
    held: Held,
) -> Result<Response<Outgoing>, ExchangeError> {
    let looked_up = recorded(asked, &request).await?;
    let key = looked_up.keyed.key.hash();
    asked.session.settled(key).await;
    match Cast::of(asked, &looked_up) {
        Cast::Chosen(line, chosen) => begin(asked, request, held, (looked_up, line, chosen)).await,
        Cast::Spent(_) | Cast::Nothing => {
            tunnel::serve(asked, request, held, Keep::Recording(Some(key))).await
        }
    }
}

async fn recorded(
    asked: &Asked<'_>,
    request: &Request<Incoming>,
) -> Result<Arc<LookedUp>, ExchangeError> {
    let checked = if Asking::of(request).is_http2() {
        websocket::check_connect_request(request.method(), request.headers())
    } else {
        websocket::check_request(request.method(), request.headers())
    };
    checked.map_err(|error| ExchangeError::Handshake(error.to_string()))?;
    let head = tunnel::head(asked, request, true);
    look_up(asked, tunnel::recorded(&head, &asked.endpoint.authority)).await
}

type Found = (Arc<LookedUp>, crate::session::Line, crate::session::Chosen);

async fn begin(
    asked: &Asked<'_>,
    mut request: Request<Incoming>,
    held: Held,
    (looked_up, line, chosen): Found,
) -> Result<Response<Outgoing>, ExchangeError> {
    let entry = Arc::clone(chosen.entry());
    if entry.turns(Protocol::WebSocket).is_none() {
        // The upstream refused the handshake when it was recorded.
        return replay::hit(asked, &entry, &Wanted::of(&request)).await;
    }
    let script = script(&looked_up, &chosen, Protocol::WebSocket).await?;
    let (fields, deflate) = agree(&entry.response.fields, request.headers());
    let answer = Asking::of(&request).agree(fields);
    let chosen = (line, chosen, script);
    let cursor = Cursor::new(asked, looked_up, Protocol::WebSocket, chosen);
    let below = hyper::upgrade::on(&mut request);
    let limits = asked.snapshot.config.limits.clone();
    let drain = &asked.gate.live.drain;
    let stop = drain.stop();
    drain.spawn(async move {
        let _held = held;
        // Who is gone before the tunnel stands sees so itself.
        if let Ok(upgraded) = below.await {
            let socket = Socket::new(upgraded, deflate, cursor, limits);
            socket.run(stop).await;
        }
    });
    Ok(answer)
}

/// One client's WebSocket.
struct Socket {
    io: TokioIo<Upgraded>,
    input: BytesMut,
    decoder: Decoder,
    encoder: Encoder,
    cursor: Cursor,
    limits: Limits,
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
    /// The gateway stops.
    Stop,
}

impl Socket {
    fn new(upgraded: Upgraded, deflate: Option<Deflate>, cursor: Cursor, limits: Limits) -> Self {
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
        }
    }

    async fn run(mut self, stop: Stop) {
        // A client that is gone needs no words.
        let ended = self.converse(stop).await.unwrap_or(Ended::Closed);
        let Self {
            mut io,
            limits,
            cursor,
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
                    let closed = input::drain_until_close(&mut io, self.input, self.decoder).await;
                    let _ = io.shutdown().await;
                    if closed {
                        let _ = input::drain(&mut io).await;
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
            if due.is_none() && self.cursor.is_over() {
                match self.cursor.ending() {
                    Ending::Server => return Ok(Ended::CutOff),
                    // The last word was the client's, or it is for the client to leave.
                    Ending::Complete | Ending::Client => {}
                }
            }
            match self.next(due.as_ref(), &mut stop).await {
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
                Next::Idle => return self.close(Some(1001), "nothing came for too long").await,
                Next::Stop => return self.close(Some(1001), "the gateway stops").await,
            }
        }
    }

    async fn next(&mut self, due: Option<&Due>, stop: &mut Stop) -> Next {
        if let Some(due) = due
            && due.at <= tokio::time::Instant::now()
        {
            return Next::Due;
        }
        let idle = tokio::time::Instant::now() + self.limits.stream_idle_timeout;
        let until = due.map_or(idle, |due| due.at);
        tokio::select! {
            more = input::read(&mut self.io, &mut self.input) => Next::Input(more),
            () = tokio::time::sleep_until(until) => {
                if due.is_some() { Next::Due } else { Next::Idle }
            }
            () = stop.begun() => Next::Stop,
        }
    }

    /// The next unit of what has come. What was decoded leaves no buffer behind.
    async fn decode(&mut self) -> std::io::Result<Option<Result<Heard, Violation>>> {
        let decoded = self.decoder.decode(&mut self.input).transpose();
        if decoded.is_none() && self.input.is_empty() {
            self.input = BytesMut::new();
        }
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
        respond::log(error);
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
