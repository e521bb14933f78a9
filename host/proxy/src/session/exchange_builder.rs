//! Builds an exchange from captured bytes: removes content codings, and splits streams into chunks
//! or messages.

use bytes::Bytes;

use super::captured_exchange::{CapturedExchange, StreamCapture, StreamKind};
use super::outcome::Outcome;
use super::recorder_limits::RecorderLimits;
use super::websocket_exchange;
use ouli_codec::content_coding::{self, CodingError};
use ouli_codec::{chunks, grpc};
use ouli_message::stream::{ChunkKind, Ending, Protocol, Stream, StreamContent};
use ouli_message::{Content, Exchange, Fields, Request, Response};

/// If the kind of chunk is not known, a pause of this many microseconds separates two chunks.
/// Shorter pauses depend on the network more than on the sender.
const CHUNK_GAP_MICROS: u64 = 50_000;

/// Decodes a captured exchange.
///
/// # Errors
/// If it cannot be decoded, so that its secrets cannot be found.
pub(super) fn decode_exchange(
    captured: CapturedExchange,
    limits: &RecorderLimits,
) -> Result<Exchange, Outcome> {
    let bounds = limits.decoded;
    let CapturedExchange {
        endpoint,
        mut request,
        mut response,
        stream: capture,
        failure,
    } = captured;
    let is_truncated = failure.is_some_and(|failure| !failure.cause.is_before_response());
    let stream = match capture {
        None => {
            request.body = decode_body(&request.fields, request.body, bounds, "request")?;
            if is_truncated {
                let capture = aborted_body();
                decode_stream_body(&mut response, None, capture, bounds, is_truncated)?;
            } else {
                response.body = decode_body(&response.fields, response.body, bounds, "response")?;
            }
            None
        }
        Some(capture) => match capture.kind {
            StreamKind::Body(unit) => {
                request.body = decode_body(&request.fields, request.body, bounds, "request")?;
                let stream =
                    decode_stream_body(&mut response, unit, capture, bounds, is_truncated)?;
                // The raw chunks of a truncated body are arbitrary, and without them it is stored
                // as a plain body.
                stream.filter(|_| !is_truncated || unit.is_some())
            }
            StreamKind::Grpc => Some(decode_grpc_call(
                &mut request,
                &mut response,
                &capture,
                limits,
            )?),
            StreamKind::WebSocket => {
                let bytes = (
                    take_bytes(&mut request.body),
                    take_bytes(&mut response.body),
                );
                Some(websocket_exchange::decode(
                    bytes, &response, &capture, limits,
                )?)
            }
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

/// The capture of a truncated body that was not a stream.
fn aborted_body() -> StreamCapture {
    StreamCapture {
        kind: StreamKind::Body(None),
        arrivals: Vec::new(),
        ending: Ending::ServerAborted,
    }
}

/// Decodes the response body and splits it into chunks; `None` if it has a single chunk.
fn decode_stream_body(
    response: &mut Response,
    unit: Option<ChunkKind>,
    capture: StreamCapture,
    bounds: content_coding::Bounds,
    is_truncated: bool,
) -> Result<Option<Stream>, Outcome> {
    let failed = |error| undecodable_body("response", &error);
    let codings = content_coding::of(&response.fields).map_err(failed)?;
    let raw = take_bytes(&mut response.body);
    let mut arrivals = capture.arrivals;
    let body = if codings.is_empty() {
        raw
    } else if capture.ending == Ending::Complete || is_truncated {
        let ends: Vec<_> = arrivals.iter().map(|arrival| arrival.end).collect();
        let decode = if is_truncated {
            content_coding::decode_partial
        } else {
            content_coding::decode_with_offsets
        };
        let (body, ends) = decode(&raw, &ends, &codings, bounds).map_err(failed)?;
        for (arrival, end) in arrivals.iter_mut().zip(ends) {
            arrival.end = end;
        }
        body
    } else {
        let reason = "a stream with a content coding was aborted, so it cannot be decoded";
        return Err(Outcome::Partial(reason.to_owned()));
    };
    let content = chunks::split_body(unit, &body, &arrivals, CHUNK_GAP_MICROS);
    response.body = Content::Inline(body);
    Ok(content.map(|content| Stream {
        content,
        ending: capture.ending,
    }))
}

/// The messages of a gRPC call. A response that is not gRPC, such as one of a proxy, stays a body.
fn decode_grpc_call(
    request: &mut Request,
    response: &mut Response,
    capture: &StreamCapture,
    limits: &RecorderLimits,
) -> Result<Stream, Outcome> {
    let is_grpc = response.is_grpc();
    let (client, server) = (
        take_bytes(&mut request.body),
        take_bytes(&mut response.body),
    );
    let server = if is_grpc {
        server
    } else {
        let body = Content::Inline(server);
        response.body = decode_body(&response.fields, body, limits.decoded, "response")?;
        Bytes::new()
    };
    let encoding = |fields: &Fields| fields.get_str("grpc-encoding").map(str::to_owned);
    let (client_encoding, server_encoding) =
        (encoding(&request.fields), encoding(&response.fields));
    let bodies = grpc::CallBodies {
        client: &client,
        client_encoding: client_encoding.as_deref(),
        server: &server,
        server_encoding: server_encoding.as_deref(),
    };
    let messages = grpc::read_messages(
        &bodies,
        &capture.arrivals,
        limits.decoded,
        limits.decoded_stream,
    );
    let messages = messages.map_err(|error| {
        Outcome::Failed(format!(
            "the messages of a call cannot be read, so their secrets cannot be found: {error}"
        ))
    })?;
    Ok(Stream {
        content: StreamContent::Messages(Protocol::Grpc, messages),
        ending: capture.ending,
    })
}

fn take_bytes(content: &mut Content) -> Bytes {
    // A captured body is always inline.
    std::mem::replace(content, Content::EMPTY).to_bytes()
}

fn decode_body(
    fields: &Fields,
    body: Content,
    bounds: content_coding::Bounds,
    message: &str,
) -> Result<Content, Outcome> {
    let Content::Inline(bytes) = body else {
        return Ok(body);
    };
    if bytes.is_empty() {
        return Ok(Content::Inline(bytes));
    }
    let codings = content_coding::of(fields);
    let decoded = codings.and_then(|codings| content_coding::decode(bytes, &codings, bounds));
    let decoded = decoded.map_err(|error| undecodable_body(message, &error))?;
    Ok(Content::Inline(decoded))
}

fn undecodable_body(message: &str, error: &CodingError) -> Outcome {
    Outcome::Failed(format!(
        "the body of a {message} cannot be decoded, so its secrets cannot be found: {error}"
    ))
}
