//! A call of gRPC replayed: messages of the server come when the client has sent what came before
//! them, and the status at the end.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, sleep_until, timeout};

use super::response_frames::{Frames, Gone, Pen};
use super::{Cast, Cursor, look_up, script};
use crate::handler::context::Asked;
use crate::handler::error_response;
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::handler::response_body::Outgoing;
use crate::record::failed_exchange;
use crate::record::forward::{self, Head};
use crate::record::relay::{self, ask_and_record};
use crate::record::tee_body::Upward;
use crate::replay::answer::{self, LookedUp, Wanted};
use crate::session::{Chosen, Entry, Hold, Line};
use ouli_codec::content_coding;
use ouli_codec::grpc::{self, Splitter};
use ouli_config::Limits;
use ouli_message::stream::{Ending, Protocol, Said, Words};
use ouli_net::drain::Stop;
use ouli_net::server::Arriving;

/// Replays a call, or says why there is none to replay.
pub(crate) async fn call(
    asked: &Asked<'_>,
    request: Request<Arriving>,
) -> Result<Response<Outgoing>, ExchangeError> {
    let head = forward::head(asked, &request, true);
    let looked_up = look_up(asked, head.recorded(&asked.endpoint.authority)).await?;
    match Cast::of(asked, &looked_up) {
        Cast::Chosen(line, chosen) => {
            let early = heads_are_one(&line);
            let call = Call::new(asked, &head, request, (looked_up, line, chosen)).await?;
            if early {
                return Ok(call.answer_now(asked));
            }
            call.answer(asked).await.map_err(Unheard::counted)
        }
        Cast::Spent(count) => Err(answer::miss(asked, &looked_up, Some(count))),
        Cast::Nothing => Err(answer::miss(asked, &looked_up, None)),
    }
}

/// Replays a call; where nothing like it is recorded, asks the upstream and records it.
pub(crate) async fn call_or_ask(
    asked: &Asked<'_>,
    request: Request<Arriving>,
) -> Result<Response<Outgoing>, ExchangeError> {
    let head = forward::head(asked, &request, true);
    let looked_up = look_up(asked, head.recorded(&asked.endpoint.authority)).await?;
    let key = looked_up.keyed.key.hash();
    asked.session.settled(key).await;
    let body = match Cast::of(asked, &looked_up) {
        Cast::Chosen(line, chosen) => {
            let mut call = Call::new(asked, &head, request, (looked_up, line, chosen)).await?;
            call.heard = Some(BytesMut::new());
            match call.answer(asked).await {
                Ok(response) => return Ok(response),
                Err(unheard) => match unheard.resume() {
                    Ok(body) => body,
                    Err(unheard) => return Err(unheard.counted()),
                },
            }
        }
        Cast::Spent(_) | Cast::Nothing => Upward::from(request.into_body()),
    };
    let (body, sent) = relay::sending(asked, &head, body);
    ask_and_record(asked, head, body, sent, Some(key)).await
}

/// True where all in line begin in the same way, so that the head of the response can be sent
/// before the client has said anything: some clients wait for it.
fn heads_are_one(line: &Line) -> bool {
    let Some(first) = line.entries().first() else {
        return false;
    };
    let trailers_only = first.response.fields.text("grpc-status").is_some();
    first.response.is_call()
        && !trailers_only
        && line.entries().iter().all(|entry| {
            entry.response.status == first.response.status
                && entry.response.fields == first.response.fields
        })
}

/// A call under way.
struct Call {
    cursor: Cursor,
    body: Arriving,
    /// None where it goes no other way.
    heard: Option<BytesMut>,
    splitter: Splitter,
    /// Of the client's messages.
    encoding: Option<String>,
    /// What the client takes of the server's.
    accepted: Option<String>,
    limits: Limits,
    /// What is held of the client's words.
    hold: Hold,
    stop: Stop,
}

/// The client says what is not recorded.
struct Unheard {
    error: ExchangeError,
    call: Box<Call>,
}

impl Unheard {
    /// The body of the request for another way, where it is a miss and nothing was answered yet.
    fn resume(self) -> Result<Upward, Self> {
        let Self { error, mut call } = self;
        let heard = call.heard.take();
        match (heard, &error) {
            (Some(heard), ExchangeError::Miss(_)) if call.cursor.is_open() => {
                call.cursor.give_back();
                Ok(Upward::resumed(heard.freeze(), call.body))
            }
            (_, _) => Err(Self { error, call }),
        }
    }

    /// The error, which nothing else follows.
    fn counted(self) -> ExchangeError {
        self.call.cursor.count_miss_of(&self.error);
        self.error
    }
}

impl Call {
    async fn new(
        asked: &Asked<'_>,
        head: &Head,
        request: Request<Arriving>,
        (looked_up, line, chosen): (Arc<LookedUp>, Line, Chosen),
    ) -> Result<Self, ExchangeError> {
        let script = script(&looked_up, &chosen, Protocol::Grpc).await?;
        let limits = asked.snapshot.config.limits.clone();
        let text = |name: &str| {
            let value = head.headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        Ok(Self {
            cursor: Cursor::new(asked, looked_up, Protocol::Grpc, (line, chosen, script)),
            body: request.into_body(),
            heard: None,
            splitter: Splitter::new(limits.grpc_message as u64),
            encoding: text("grpc-encoding"),
            accepted: text("grpc-accept-encoding"),
            limits,
            hold: asked.gate.live.budget.hold_to_answer(),
            stop: asked.gate.live.drain.stop(),
        })
    }

    /// Listens to the client until the server has something to say, and answers with that.
    async fn answer(mut self, asked: &Asked<'_>) -> Result<Response<Outgoing>, Unheard> {
        while self.cursor.due().is_none() && !self.cursor.is_over() {
            if let Err(error) = self.listen().await {
                let call = Box::new(self);
                return Err(Unheard { error, call });
            }
        }
        let Some(entry) = self.cursor.entry().cloned() else {
            let error = ExchangeError::Gateway("a call lost its recording".to_owned());
            let call = Box::new(self);
            return Err(Unheard { error, call });
        };
        if let Some(failure) = entry.unanswered() {
            self.cursor.commit();
            failed_exchange::pause(asked, failure).await;
            let error = ExchangeError::Recorded(failure.fault);
            let call = Box::new(self);
            return Err(Unheard { error, call });
        }
        let call = entry.response.is_call();
        let complete = self.cursor.is_over() && self.cursor.ending() == Ending::Complete;
        let bare = entry.response.trailers.is_empty();
        if complete && (bare || !call) {
            self.cursor.commit();
            return match answer::answer(asked, &entry, &Wanted::as_it_was()).await {
                Ok(response) => Ok(response),
                Err(error) => {
                    let call = Box::new(self);
                    Err(Unheard { error, call })
                }
            };
        }
        self.cursor.commit();
        Ok(self.answer_now(asked))
    }

    /// Answers with the recorded head; the rest follows.
    fn answer_now(mut self, asked: &Asked<'_>) -> Response<Outgoing> {
        self.heard = None;
        let entry = self.cursor.entry().cloned();
        let (pen, frames) = Frames::new();
        let mut response = Response::new(Outgoing::talk(frames));
        if let Some(entry) = entry {
            *response.status_mut() = entry.response.status;
            *response.headers_mut() = self.head(&entry);
        }
        asked.gate.live.drain.spawn(async move {
            // Who is gone hears no more.
            let _ = self.converse(&pen).await;
        });
        response
    }

    /// The recorded head, without an encoding that this client does not take.
    fn head(&self, entry: &Entry) -> HeaderMap {
        let mut headers = entry.response.fields.to_map();
        if let Some(encoding) = entry.response.fields.text("grpc-encoding")
            && !grpc::accepts(self.accepted.as_deref(), encoding)
        {
            headers.remove("grpc-encoding");
        }
        headers
    }

    async fn converse(mut self, pen: &Pen) -> Result<(), Gone> {
        loop {
            while let Some(due) = self.cursor.due() {
                if due.at > Instant::now() {
                    tokio::select! {
                        () = sleep_until(due.at) => {}
                        () = pen.gone() => return Err(Gone),
                        () = self.stop.closing() => {
                            return self.fail(pen, &ExchangeError::Stopping).await;
                        }
                    }
                }
                if let Said::Text(words) | Said::Binary(words) = &due.said {
                    match self.frame(words).await {
                        Ok(frame) => pen.data(frame).await?,
                        Err(error) => return self.fail(pen, &error).await,
                    }
                }
                self.cursor.said();
            }
            if self.cursor.is_over() {
                return self.finish(pen).await;
            }
            let heard = tokio::select! {
                heard = self.listen() => heard,
                () = pen.gone() => return Err(Gone),
            };
            if let Err(error) = heard {
                self.cursor.count_miss_of(&error);
                return self.fail(pen, &error).await;
            }
        }
    }

    /// Takes in what the client sends next.
    async fn listen(&mut self) -> Result<(), ExchangeError> {
        if !self.hold.room(self.limits.memory_wait).await {
            return Err(ExchangeError::Memory);
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
            None => return self.cursor.hear_end(),
            Some(Err(error)) => return Err(ExchangeError::Downstream(error.to_string())),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        if let Some(heard) = &mut self.heard {
            let most = self.limits.request_body;
            if heard.len() + data.len() > most {
                return Err(ExchangeError::TooLarge { most });
            }
            heard.extend_from_slice(&data);
        }
        let bad = |error: grpc::GrpcError| ExchangeError::Undecodable(error.to_string());
        for message in self.splitter.feed(&data).map_err(bad)? {
            let bytes = grpc::decode(&message, self.encoding.as_deref(), self.bounds());
            self.cursor.hear(&bytes.map_err(bad)?)?;
        }
        let heard = self.heard.as_ref().map_or(0, BytesMut::capacity);
        self.hold.set(heard + self.splitter.held());
        Ok(())
    }

    fn bounds(&self) -> content_coding::Bounds {
        content_coding::Bounds {
            bytes: self.limits.grpc_message as u64,
            ratio: self.limits.decoded_ratio as u64,
        }
    }

    async fn frame(&self, words: &Words) -> Result<Bytes, ExchangeError> {
        let failed = |reason: String| {
            ExchangeError::Gateway(format!("a recorded message cannot be sent: {reason}"))
        };
        let bytes = self.cursor.bytes(words).await;
        let bytes = bytes.map_err(|error| failed(error.to_string()))?;
        let entry = self.cursor.entry();
        let encoding = entry.and_then(|entry| entry.response.fields.text("grpc-encoding"));
        let encoding = encoding.filter(|encoding| {
            words.compressed && grpc::accepts(self.accepted.as_deref(), encoding)
        });
        if encoding.is_none() {
            return Ok(grpc::frame(&bytes, false));
        }
        let encoded = grpc::encode(&bytes, encoding);
        let encoded = encoded.map_err(|error| failed(error.to_string()))?;
        Ok(grpc::frame(&encoded, true))
    }

    /// The end as it was: the status, a break, or nothing until the client leaves.
    async fn finish(mut self, pen: &Pen) -> Result<(), Gone> {
        let trailers = self
            .cursor
            .entry()
            .map(|entry| entry.response.trailers.to_map());
        match self.cursor.ending() {
            Ending::Complete => pen.trailers(trailers.unwrap_or_default()).await,
            Ending::Server => {
                pen.break_off().await;
                Ok(())
            }
            Ending::Client => {
                // The client ended it, so it is for the client to do so again.
                let left = tokio::select! {
                    left = timeout(self.limits.stream_idle_timeout, pen.gone()) => left.is_ok(),
                    // Nothing more will be said, so a stop need not wait for the client.
                    () = self.stop.begun() => {
                        return self.fail(pen, &ExchangeError::Stopping).await;
                    }
                };
                if !left {
                    pen.break_off().await;
                }
                Ok(())
            }
        }
    }

    async fn fail(self, pen: &Pen, error: &ExchangeError) -> Result<(), Gone> {
        error_response::log(error);
        let (code, message) = error_response::status(error);
        let mut trailers = grpc::trailers(code, &message).to_map();
        trailers.insert(
            error_response::MARK,
            HeaderValue::from_static(error_response::kind(error)),
        );
        pen.trailers(trailers).await
    }
}
