//! Builds an exchange from captured bytes: removes content codings, and splits streams into chunks
//! or messages.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::captured_exchange::{CapturedExchange, StreamCapture, StreamKind};
use super::coded_form::CodedForm;
use super::outcome::Outcome;
use super::recorder_limits::RecorderLimits;
use super::truncated_request;
use super::websocket_exchange;
use ouli_codec::content_coding::{self, CodingError};
use ouli_codec::{chunks, grpc};
use ouli_config::Defect;
use ouli_message::stream::{Arrival, ChunkKind, Ending, Protocol, Stream, StreamContent};
use ouli_message::{CodedBody, Content, Exchange, Fields, Request, Response};

/// If the kind of chunk is not known, a pause of this many microseconds separates two chunks.
/// Shorter pauses depend on the network more than on the sender.
const CHUNK_GAP_MICROS: u64 = 50_000;

/// Decodes a captured exchange. The second value tells how the body of the response was coded.
///
/// # Errors
/// If it cannot be decoded, so that its secrets cannot be found.
pub(super) fn decode_exchange(
    captured: CapturedExchange,
    limits: &RecorderLimits,
) -> Result<(Exchange, CodedForm), Outcome> {
    let bounds = limits.decoded;
    let CapturedExchange {
        endpoint,
        mut request,
        mut response,
        stream: capture,
        failure,
    } = captured;
    let is_truncated = failure.is_some_and(|failure| !failure.cause.is_before_response());
    let mut form = CodedForm::default();
    let stream = match capture {
        None => {
            decode_request(&mut request, bounds)?;
            if is_truncated {
                decode_truncated_body(&mut response, &mut [], bounds)?;
            } else {
                form = decode_response_body(&mut response, &mut [], bounds)?;
            }
            None
        }
        Some(capture) => match capture.kind {
            StreamKind::Body(unit) => {
                decode_request(&mut request, bounds)?;
                let mut arrivals = capture.arrivals;
                if is_truncated || capture.ending != Ending::Complete {
                    decode_truncated_body(&mut response, &mut arrivals, bounds)?;
                } else {
                    form = decode_response_body(&mut response, &mut arrivals, bounds)?;
                }
                let body = response.body.to_bytes();
                let stream = split_body(unit, &body, &arrivals, limits)?.map(|content| Stream {
                    content,
                    ending: capture.ending,
                });
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
    let exchange = Exchange {
        endpoint,
        request,
        response,
        stream,
        failure,
        tags: Vec::new(),
    };
    Ok((exchange, form))
}

/// The chunks of a body.
fn split_body(
    unit: Option<ChunkKind>,
    body: &Bytes,
    arrivals: &[Arrival],
    limits: &RecorderLimits,
) -> Result<Option<StreamContent>, Outcome> {
    let content = chunks::split_body(unit, body, arrivals, CHUNK_GAP_MICROS, limits.chunks);
    content.map_err(|error| {
        let reason = format!("{error} (limits.recorded_chunks)");
        Outcome::Failed(Defect::Partial, reason)
    })
}

/// Decodes the body of a request. The trailer fields of its coding become its own.
fn decode_request_body(
    request: &mut Request,
    bounds: content_coding::Bounds,
) -> Result<(), Outcome> {
    let failed = |error| undecodable_body("request", &error);
    let raw = take_bytes(&mut request.body);
    let received = content_coding::remove_codings(&raw, &request.fields, bounds);
    let received = received.map_err(failed)?;
    if !received.extra.has_padding_only() {
        let reason = "the content coding of a request ends before its body";
        return Err(Outcome::Failed(Defect::Undecodable, reason.to_owned()));
    }
    for (name, value) in &received.extra.trailers {
        let field = (HeaderName::try_from(name), HeaderValue::try_from(value));
        if let (Ok(name), Ok(value)) = field
            && name != SIGNATURE_TRAILER
        {
            request.trailers.push(name, value);
        }
    }
    request.body = Content::Inline(received.bytes);
    Ok(())
}

/// The trailer of `aws-chunked` that is a signature.
const SIGNATURE_TRAILER: &str = "x-amz-trailer-signature";

/// Decodes the complete body of a response, and moves the ends of arrivals to the decoded body.
fn decode_response_body(
    response: &mut Response,
    arrivals: &mut [Arrival],
    bounds: content_coding::Bounds,
) -> Result<CodedForm, Outcome> {
    let raw = take_bytes(&mut response.body);
    let received = content_coding::remove_codings(&raw, &response.fields, bounds);
    let received = received.map_err(|error| undecodable_body("response", &error))?;
    if !received.removed.is_empty() && !arrivals.is_empty() {
        let size = received.bytes.len() as u64;
        let ends = content_coding::decoded_offsets(&raw, &ends(arrivals), &received.removed, size);
        move_ends(arrivals, ends);
    }
    Ok(CodedForm::set_body(response, raw, received))
}

/// Decodes a body that broke off as far as possible. Its coded bytes are not kept: they may end
/// with data that could not be decoded.
fn decode_truncated_body(
    response: &mut Response,
    arrivals: &mut [Arrival],
    bounds: content_coding::Bounds,
) -> Result<(), Outcome> {
    let raw = take_bytes(&mut response.body);
    let (fields, ends) = (&response.fields, ends(arrivals));
    let received = content_coding::remove_codings_partially(&raw, &ends, fields, bounds);
    let (received, ends) = received.map_err(|error| undecodable_body("response", &error))?;
    move_ends(arrivals, ends);
    if received.is_mislabelled {
        response.coded = CodedBody::Undecoded;
    }
    response.body = Content::Inline(received.bytes);
    Ok(())
}

fn ends(arrivals: &[Arrival]) -> Vec<u64> {
    arrivals.iter().map(|arrival| arrival.end).collect()
}

fn move_ends(arrivals: &mut [Arrival], ends: Vec<u64>) {
    for (arrival, end) in arrivals.iter_mut().zip(ends) {
        arrival.end = end;
    }
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
        response.body = Content::Inline(server);
        decode_response_body(response, &mut [], limits.decoded)?;
        response.coded.forget_exact();
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
    let call = grpc::read_messages(
        &bodies,
        &capture.arrivals,
        limits.decoded,
        limits.decoded_stream,
    );
    let call = call.map_err(|error| {
        Outcome::Failed(
            Defect::Undecodable,
            format!(
                "the messages of a call cannot be read, so their secrets cannot be found: {error}"
            ),
        )
    })?;
    check_rest(&call, capture.ending)?;
    Ok(Stream {
        content: StreamContent::Messages(Protocol::Grpc, call.messages),
        ending: capture.ending,
    })
}

/// Checks that a side that has ended as its protocol defines did not end within a message: without
/// the incomplete message the call would be another one.
fn check_rest(call: &grpc::Transcript, ending: Ending) -> Result<(), Outcome> {
    let (side, rest) = if call.has_client_ended && call.client_rest > 0 {
        ("request", call.client_rest)
    } else if ending == Ending::Complete && call.server_rest > 0 {
        ("response", call.server_rest)
    } else {
        return Ok(());
    };
    let error = grpc::GrpcError::Incomplete(rest);
    let reason = format!("the {side} of a call is incomplete: {error}");
    Err(Outcome::Failed(Defect::Partial, reason))
}

fn take_bytes(content: &mut Content) -> Bytes {
    // A captured body is always inline.
    std::mem::replace(content, Content::EMPTY).to_bytes()
}

fn decode_request(request: &mut Request, bounds: content_coding::Bounds) -> Result<(), Outcome> {
    if request.truncated_at.is_none() {
        return decode_request_body(request, bounds);
    }
    let raw = take_bytes(&mut request.body);
    let part = truncated_request::decode(&request.fields, &raw, bounds);
    let part = part.map_err(|error| undecodable_body("request", &error))?;
    request.body = Content::Inline(part);
    if truncated_request::is_comparable(request) {
        return Ok(());
    }
    let reason =
        "the request is truncated within its first value, so others cannot be told from it";
    Err(Outcome::Failed(Defect::Partial, reason.to_owned()))
}

fn undecodable_body(message: &str, error: &CodingError) -> Outcome {
    let reason = format!(
        "the body of a {message} cannot be decoded, so its secrets cannot be found: {error}"
    );
    Outcome::Failed(Defect::Undecodable, reason)
}
