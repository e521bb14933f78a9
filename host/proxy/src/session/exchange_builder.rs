//! From the bytes that crossed the gateway to an exchange: codings are removed, streams fall into
//! their units.

use bytes::Bytes;

use super::{CapturedExchange, Outcome, RecorderLimits};
use ouli_codec::content_coding::{self, CodingError};
use ouli_codec::websocket::{self, DeflateParams};
use ouli_codec::{chunks, grpc};
use ouli_message::stream::{Arrival, ChunkKind, Ending, Protocol, Side, Stream, StreamContent};
use ouli_message::{Content, Exchange, Fields, Request, Response};

/// How the bytes of an exchange came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamCapture {
    /// What they are.
    pub kind: StreamKind,
    /// When they came.
    pub arrivals: Vec<Arrival>,
    /// How the stream ended.
    pub ending: Ending,
}

impl StreamCapture {
    /// Of a body that broke off and was no stream.
    fn aborted_body() -> Self {
        Self {
            kind: StreamKind::Body(None),
            arrivals: Vec::new(),
            ending: Ending::ServerAborted,
        }
    }
}

/// What the bytes of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// A response's body of these units; none where they are not known.
    Body(Option<ChunkKind>),
    /// Messages of gRPC in both bodies.
    Grpc,
    /// Frames of a WebSocket: the bodies hold the bytes of both sides.
    WebSocket,
}

/// Where nothing tells the units of a body, chunks are kept apart by pauses of this many
/// microseconds. Shorter ones depend on the network more than on who sends.
const CHUNK_GAP_MICROS: u64 = 50_000;

/// The exchange that was captured.
///
/// # Errors
/// Where it cannot be decoded, so that its secrets cannot be found.
pub(super) fn decode_exchange(
    captured: CapturedExchange,
    limits: &RecorderLimits,
) -> Result<Exchange, Outcome> {
    let bounds = limits.decoded;
    let CapturedExchange {
        endpoint,
        mut request,
        mut response,
        stream: flow,
        failure,
    } = captured;
    let broke = failure.is_some_and(|failure| !failure.cause.is_before_response());
    let stream = match flow {
        None => {
            request.body = decode_body(&request.fields, request.body, bounds, "request")?;
            let whole = StreamCapture::aborted_body();
            if broke {
                decode_stream_body(&mut response, None, whole, bounds, broke)?;
            } else {
                response.body = decode_body(&response.fields, response.body, bounds, "response")?;
            }
            None
        }
        Some(flow) => match flow.kind {
            StreamKind::Body(unit) => {
                request.body = decode_body(&request.fields, request.body, bounds, "request")?;
                let stream = decode_stream_body(&mut response, unit, flow, bounds, broke)?;
                // Chunks of what broke off stand for nothing, and would keep its form apart.
                stream.filter(|_| !broke || unit.is_some())
            }
            StreamKind::Grpc => Some(decode_call(&mut request, &mut response, &flow, limits)?),
            StreamKind::WebSocket => Some(decode_websocket(
                &mut request,
                &mut response,
                &flow,
                limits,
            )?),
        },
    };
    Ok(Exchange {
        endpoint,
        request,
        response,
        stream,
        failure,
        tags: Vec::new(),
    })
}

/// The response's body in pieces; none where there is one only.
fn decode_stream_body(
    response: &mut Response,
    unit: Option<ChunkKind>,
    flow: StreamCapture,
    bounds: content_coding::Bounds,
    broke: bool,
) -> Result<Option<Stream>, Outcome> {
    let failed = |error| undecodable_body("response", &error);
    let codings = content_coding::of(&response.fields).map_err(failed)?;
    let raw = take_bytes(&mut response.body);
    let mut arrivals = flow.arrivals;
    let whole = if codings.is_empty() {
        raw
    } else if flow.ending == Ending::Complete || broke {
        let ends: Vec<_> = arrivals.iter().map(|arrival| arrival.end).collect();
        let decode = if broke {
            content_coding::decode_partial
        } else {
            content_coding::decode_with_offsets
        };
        let (whole, ends) = decode(&raw, &ends, &codings, bounds).map_err(failed)?;
        for (arrival, end) in arrivals.iter_mut().zip(ends) {
            arrival.end = end;
        }
        whole
    } else {
        let reason = "a stream with a content coding broke off, so it cannot be decoded";
        return Err(Outcome::Partial(reason.to_owned()));
    };
    let form = chunks::split_body(unit, &whole, &arrivals, CHUNK_GAP_MICROS);
    response.body = Content::Inline(whole);
    Ok(form.map(|form| Stream {
        content: form,
        ending: flow.ending,
    }))
}

/// The messages of a call. An answer that is not gRPC's, such as a proxy's own, stays a body.
fn decode_call(
    request: &mut Request,
    response: &mut Response,
    flow: &StreamCapture,
    limits: &RecorderLimits,
) -> Result<Stream, Outcome> {
    let answered = response.is_grpc();
    let (client, server) = (
        take_bytes(&mut request.body),
        take_bytes(&mut response.body),
    );
    let server = if answered {
        server
    } else {
        let body = Content::Inline(server);
        response.body = decode_body(&response.fields, body, limits.decoded, "response")?;
        Bytes::new()
    };
    let encoding = |fields: &Fields| fields.get_str("grpc-encoding").map(str::to_owned);
    let (asked, given) = (encoding(&request.fields), encoding(&response.fields));
    let halves = grpc::CallBodies {
        client: &client,
        client_encoding: asked.as_deref(),
        server: &server,
        server_encoding: given.as_deref(),
    };
    let turns = grpc::read_messages(
        &halves,
        &flow.arrivals,
        limits.decoded,
        limits.decoded_stream,
    );
    let turns = turns.map_err(|error| {
        Outcome::Failed(format!(
            "the messages of a call cannot be read, so their secrets cannot be found: {error}"
        ))
    })?;
    Ok(Stream {
        content: StreamContent::Messages(Protocol::Grpc, turns),
        ending: flow.ending,
    })
}

/// The messages of a WebSocket.
fn decode_websocket(
    request: &mut Request,
    response: &mut Response,
    flow: &StreamCapture,
    bounds: &RecorderLimits,
) -> Result<Stream, Outcome> {
    let failed = |reason: String| {
        Outcome::Failed(format!(
            "the messages of a WebSocket cannot be read, so their secrets cannot be found: {reason}"
        ))
    };
    let deflate = DeflateParams::from_response(&response.fields.to_map());
    let deflate = deflate.map_err(|error| failed(error.to_string()))?;
    let (client, server) = (
        take_bytes(&mut request.body),
        take_bytes(&mut response.body),
    );
    let each = websocket::Bounds {
        frame: bounds.decoded.bytes,
        message: bounds.decoded.bytes,
        ratio: bounds.decoded.ratio,
    };
    let (arrivals, most) = (&flow.arrivals, bounds.decoded_stream);
    let heard = websocket::read_transcript(&client, &server, arrivals, deflate, each, most);
    for fault in &heard.violations {
        let (side, violation) = (fault.side.name(), fault.violation);
        if violation.code == MESSAGE_TOO_BIG {
            return Err(failed(format!(
                "{} (limits.decompressed_body, limits.decompression_ratio, limits.decompressed_stream)",
                violation.reason
            )));
        }
        tracing::debug!("a {side} of a WebSocket broke the protocol: {violation}");
    }
    // Where nobody closed, the side is to blame whose connection ended first.
    let ending = heard.ending.unwrap_or_else(|| match flow.ending {
        Ending::Complete => first_to_end(&flow.arrivals),
        other => other,
    });
    Ok(Stream {
        content: StreamContent::Messages(Protocol::WebSocket, heard.messages),
        ending,
    })
}

/// The close code for more than a receiver takes (RFC 6455, section 7.4.1).
const MESSAGE_TOO_BIG: u16 = 1009;

/// The side whose end was noted first: an arrival that adds no bytes.
fn first_to_end(arrivals: &[Arrival]) -> Ending {
    let mut ends = [0; 2];
    for arrival in arrivals {
        let (end, ending) = match arrival.side {
            Side::Client => (&mut ends[0], Ending::ClientAborted),
            Side::Server => (&mut ends[1], Ending::ServerAborted),
        };
        if *end == arrival.end {
            return ending;
        }
        *end = arrival.end;
    }
    Ending::ClientAborted
}

fn take_bytes(content: &mut Content) -> Bytes {
    // What was captured is in memory.
    std::mem::replace(content, Content::EMPTY).to_bytes()
}

fn decode_body(
    fields: &Fields,
    body: Content,
    bounds: content_coding::Bounds,
    whose: &str,
) -> Result<Content, Outcome> {
    let Content::Inline(bytes) = body else {
        return Ok(body);
    };
    if bytes.is_empty() {
        return Ok(Content::Inline(bytes));
    }
    let codings = content_coding::of(fields);
    let decoded = codings.and_then(|codings| content_coding::decode(bytes, &codings, bounds));
    let decoded = decoded.map_err(|error| undecodable_body(whose, &error))?;
    Ok(Content::Inline(decoded))
}

fn undecodable_body(whose: &str, error: &CodingError) -> Outcome {
    Outcome::Failed(format!(
        "the body of a {whose} cannot be decoded, so its secrets cannot be found: {error}"
    ))
}
