//! From the bytes that crossed the gateway to an exchange: codings are removed, streams fall into
//! their units.

use bytes::Bytes;

use super::{Captured, Outcome, RecorderBounds};
use ouli_codec::content_coding::{self, CodingError};
use ouli_codec::websocket::{self, Deflate};
use ouli_codec::{chunks, grpc};
use ouli_message::stream::{Arrival, Ending, Form, Protocol, Side, Stream, Unit};
use ouli_message::{Content, Exchange, Fields, Request, Response};

/// How the bytes of an exchange came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// What they are.
    pub kind: Kind,
    /// When they came.
    pub arrivals: Vec<Arrival>,
    /// How the stream ended.
    pub ending: Ending,
}

impl Flow {
    /// Of a body that broke off and was no stream.
    fn broken_off() -> Self {
        Self {
            kind: Kind::Body(None),
            arrivals: Vec::new(),
            ending: Ending::Server,
        }
    }
}

/// What the bytes of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A response's body of these units; none where they are not known.
    Body(Option<Unit>),
    /// Messages of gRPC in both bodies.
    Grpc,
    /// Frames of a WebSocket: the bodies hold the bytes of both sides.
    WebSocket,
}

/// Where nothing tells the units of a body, chunks are kept apart by pauses of this many
/// microseconds. Shorter ones depend on the network more than on who sends.
const PAUSE: u64 = 50_000;

/// The exchange that was captured.
///
/// # Errors
/// Where it cannot be decoded, so that its secrets cannot be found.
pub(super) fn exchange(captured: Captured, limits: &RecorderBounds) -> Result<Exchange, Outcome> {
    let bounds = limits.decoded;
    let Captured {
        endpoint,
        mut request,
        mut response,
        flow,
        failure,
    } = captured;
    let broke = failure.is_some_and(|failure| !failure.fault.is_unanswered());
    let stream = match flow {
        None => {
            request.body = decoded(&request.fields, request.body, bounds, "request")?;
            let whole = Flow::broken_off();
            if broke {
                body(&mut response, None, whole, bounds, broke)?;
            } else {
                response.body = decoded(&response.fields, response.body, bounds, "response")?;
            }
            None
        }
        Some(flow) => match flow.kind {
            Kind::Body(unit) => {
                request.body = decoded(&request.fields, request.body, bounds, "request")?;
                let stream = body(&mut response, unit, flow, bounds, broke)?;
                // Chunks of what broke off stand for nothing, and would keep its form apart.
                stream.filter(|_| !broke || unit.is_some())
            }
            Kind::Grpc => Some(call(&mut request, &mut response, &flow, limits)?),
            Kind::WebSocket => Some(socket(&mut request, &mut response, &flow, limits)?),
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
fn body(
    response: &mut Response,
    unit: Option<Unit>,
    flow: Flow,
    bounds: content_coding::Bounds,
    broke: bool,
) -> Result<Option<Stream>, Outcome> {
    let failed = |error| undecodable("response", &error);
    let codings = content_coding::of(&response.fields).map_err(failed)?;
    let raw = take(&mut response.body);
    let mut arrivals = flow.arrivals;
    let whole = if codings.is_empty() {
        raw
    } else if flow.ending == Ending::Complete || broke {
        let ends: Vec<_> = arrivals.iter().map(|arrival| arrival.end).collect();
        let decode = if broke {
            content_coding::part
        } else {
            content_coding::positions
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
    let form = chunks::pieces(unit, &whole, &arrivals, PAUSE);
    response.body = Content::Inline(whole);
    Ok(form.map(|form| Stream {
        form,
        ending: flow.ending,
    }))
}

/// The messages of a call. An answer that is not gRPC's, such as a proxy's own, stays a body.
fn call(
    request: &mut Request,
    response: &mut Response,
    flow: &Flow,
    limits: &RecorderBounds,
) -> Result<Stream, Outcome> {
    let answered = response.is_call();
    let (client, server) = (take(&mut request.body), take(&mut response.body));
    let server = if answered {
        server
    } else {
        let body = Content::Inline(server);
        response.body = decoded(&response.fields, body, limits.decoded, "response")?;
        Bytes::new()
    };
    let encoding = |fields: &Fields| fields.text("grpc-encoding").map(str::to_owned);
    let (asked, given) = (encoding(&request.fields), encoding(&response.fields));
    let halves = grpc::Halves {
        client: &client,
        client_encoding: asked.as_deref(),
        server: &server,
        server_encoding: given.as_deref(),
    };
    let turns = grpc::transcript(&halves, &flow.arrivals, limits.decoded, limits.stream);
    let turns = turns.map_err(|error| {
        Outcome::Failed(format!(
            "the messages of a call cannot be read, so their secrets cannot be found: {error}"
        ))
    })?;
    Ok(Stream {
        form: Form::Turns(Protocol::Grpc, turns),
        ending: flow.ending,
    })
}

/// The messages of a WebSocket.
fn socket(
    request: &mut Request,
    response: &mut Response,
    flow: &Flow,
    bounds: &RecorderBounds,
) -> Result<Stream, Outcome> {
    let failed = |reason: String| {
        Outcome::Failed(format!(
            "the messages of a WebSocket cannot be read, so their secrets cannot be found: {reason}"
        ))
    };
    let deflate = Deflate::agreed(&response.fields.to_map());
    let deflate = deflate.map_err(|error| failed(error.to_string()))?;
    let (client, server) = (take(&mut request.body), take(&mut response.body));
    let each = websocket::Bounds {
        frame: bounds.decoded.bytes,
        message: bounds.decoded.bytes,
        ratio: bounds.decoded.ratio,
    };
    let (arrivals, most) = (&flow.arrivals, bounds.stream);
    let heard = websocket::transcript(&client, &server, arrivals, deflate, each, most);
    for fault in &heard.faults {
        let (side, violation) = (fault.side.name(), fault.violation);
        if violation.code == TOO_LARGE {
            return Err(failed(format!(
                "{} (limits.decoded_body, limits.decoded_ratio, limits.decoded_stream)",
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
        form: Form::Turns(Protocol::WebSocket, heard.turns),
        ending,
    })
}

/// The close code for more than a receiver takes (RFC 6455, section 7.4.1).
const TOO_LARGE: u16 = 1009;

/// The side whose end was noted first: an arrival that adds no bytes.
fn first_to_end(arrivals: &[Arrival]) -> Ending {
    let mut ends = [0; 2];
    for arrival in arrivals {
        let (end, ending) = match arrival.side {
            Side::Client => (&mut ends[0], Ending::Client),
            Side::Server => (&mut ends[1], Ending::Server),
        };
        if *end == arrival.end {
            return ending;
        }
        *end = arrival.end;
    }
    Ending::Client
}

fn take(content: &mut Content) -> Bytes {
    // What was captured is in memory.
    std::mem::replace(content, Content::EMPTY).to_bytes()
}

fn decoded(
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
    let decoded = decoded.map_err(|error| undecodable(whose, &error))?;
    Ok(Content::Inline(decoded))
}

fn undecodable(whose: &str, error: &CodingError) -> Outcome {
    Outcome::Failed(format!(
        "the body of a {whose} cannot be decoded, so its secrets cannot be found: {error}"
    ))
}
