//! Decodes the captured bytes of a WebSocket into messages. A conversation of which a part cannot
//! be told or redacted is not recorded: its replay would be another one.

use bytes::Bytes;

use super::captured_exchange::StreamCapture;
use super::outcome::Outcome;
use super::recorder_limits::RecorderLimits;
use ouli_codec::websocket::{self, DeflateParams, SideViolation, Transcript};
use ouli_config::Defect;
use ouli_message::stream::{
    Arrival, Ending, Message, MessageKind, Protocol, Side, Stream, StreamContent,
};
use ouli_message::{Exchange, Response};

/// The close code for a message that is too big (RFC 6455, section 7.4.1).
const MESSAGE_TOO_BIG: u16 = 1009;
/// The close codes that name no error: normal closure and going away.
const WITHOUT_ERROR: [u16; 2] = [1000, 1001];

/// The messages of the client's and the server's bytes.
///
/// # Errors
/// If the conversation cannot be recorded.
pub(super) fn decode(
    (client, server): (Bytes, Bytes),
    response: &Response,
    capture: &StreamCapture,
    limits: &RecorderLimits,
) -> Result<Stream, Outcome> {
    let deflate = DeflateParams::from_response(&response.fields.to_map());
    let deflate = deflate.map_err(|error| unreadable(&error.to_string()))?;
    let bounds = websocket::Bounds {
        frame: limits.decoded.bytes,
        message: limits.decoded.bytes,
        ratio: limits.decoded.ratio,
    };
    let (arrivals, max_total) = (&capture.arrivals, limits.decoded_stream);
    let transcript =
        websocket::read_transcript(&client, &server, arrivals, deflate, bounds, max_total);
    for it in &transcript.violations {
        check_violation(it, &transcript)?;
    }
    check_text(&transcript.messages)?;
    // Without a close frame, the side whose connection ended first aborted the conversation.
    let ending = transcript.ending.unwrap_or_else(|| match capture.ending {
        Ending::Complete => first_to_end(arrivals),
        other => other,
    });
    check_half_messages(&transcript, ending)?;
    Ok(Stream {
        content: StreamContent::Messages(Protocol::WebSocket, transcript.into_replay_order()),
        ending,
    })
}

fn unreadable(reason: &str) -> Outcome {
    Outcome::Failed(
        Defect::Undecodable,
        format!(
            "the messages of a WebSocket cannot be read, so their secrets cannot be found: {reason}"
        ),
    )
}

/// A violation of the client is recorded if the server answered it by an error or not at all. What
/// a server sends after its own violation cannot be read.
fn check_violation(it: &SideViolation, transcript: &Transcript) -> Result<(), Outcome> {
    let reason = it.violation.reason;
    if it.violation.code == MESSAGE_TOO_BIG {
        return Err(unreadable(&format!(
            "{reason} (limits.decompressed_body, limits.decompression_ratio, \
             limits.decompressed_stream)"
        )));
    }
    match it.side {
        Side::Server => Err(Outcome::Failed(
            Defect::Undecodable,
            format!("the server of a WebSocket violated the protocol: {reason}"),
        )),
        Side::Client if transcript.has_unread_turns || closed_without_error(transcript) => {
            Err(Outcome::Failed(
                Defect::Undecodable,
                format!(
                    "the server of a WebSocket went on after the client violated the protocol: \
                     {reason}"
                ),
            ))
        }
        Side::Client => Ok(()),
    }
}

/// True if the server closed the conversation as if there had been no violation.
fn closed_without_error(transcript: &Transcript) -> bool {
    transcript.messages.iter().any(|message| {
        matches!(&message.kind, MessageKind::Close { code, .. }
            if message.side == Side::Server
                && code.is_none_or(|code| WITHOUT_ERROR.contains(&code)))
    })
}

/// A placeholder may be longer than its secret: what no control frame can hold is not recorded.
pub(super) fn check_control_frames(exchange: &Exchange) -> Result<(), Outcome> {
    let is_too_long = |message: &Message| match &message.kind {
        MessageKind::Ping(body) | MessageKind::Pong(body) => body.len() > websocket::MAX_CONTROL,
        MessageKind::Close { reason, .. } => reason.len() > websocket::MAX_CLOSE_REASON,
        _ => false,
    };
    let messages = exchange.stream.iter().flat_map(Stream::messages);
    if messages.into_iter().any(is_too_long) {
        let reason = "with placeholders for its secrets, a ping, a pong or the reason of a close \
                      of a WebSocket is longer than a frame can be";
        return Err(Outcome::Failed(Defect::Undecodable, reason.to_owned()));
    }
    Ok(())
}

/// Text that is not UTF-8 is redacted as text. As JSON it has members that rules name, but cannot
/// be parsed.
fn check_text(messages: &[Message]) -> Result<(), Outcome> {
    let is_broken_json = |message: &Message| match &message.kind {
        MessageKind::Text(payload) => {
            let bytes = payload.content.inline();
            let start = bytes.trim_ascii_start().first();
            start.is_some_and(|byte| b"{[\"".contains(byte)) && std::str::from_utf8(bytes).is_err()
        }
        _ => false,
    };
    if messages.iter().any(is_broken_json) {
        return Err(unreadable("JSON that is not UTF-8"));
    }
    Ok(())
}

/// A message without its end is left out where that changes nothing: if the side left that waited
/// for the end. What else happened may depend on the part that was sent.
fn check_half_messages(transcript: &Transcript, ending: Ending) -> Result<(), Outcome> {
    if let Some(side) = transcript.failed_within {
        return Err(ended_within(side));
    }
    let messages = &transcript.messages;
    let left_first = first_to_leave(messages, ending);
    for half in &transcript.half_messages {
        let side = half.side;
        let is_answered = side == Side::Client && {
            let end = transcript.client_ended.unwrap_or(messages.len());
            let meanwhile = messages.get(half.position..end).unwrap_or_default();
            meanwhile.iter().any(is_server_turn)
        };
        if left_first == Side::Server || is_answered {
            return Err(ended_within(side));
        }
    }
    Ok(())
}

fn ended_within(side: Side) -> Outcome {
    let side = side.name();
    let reason = format!("a WebSocket ended within a message of the {side}");
    Outcome::Failed(Defect::Partial, reason)
}

fn is_server_turn(message: &Message) -> bool {
    let is_close = matches!(message.kind, MessageKind::Close { .. });
    message.side == Side::Server && (is_close || message.kind.payload().is_some())
}

/// The side that closed or violated the protocol first, or else disconnected.
fn first_to_leave(messages: &[Message], ending: Ending) -> Side {
    let mut ends = messages.iter().filter(|message| {
        matches!(
            message.kind,
            MessageKind::Close { .. } | MessageKind::Invalid { .. }
        )
    });
    ends.next().map_or(
        match ending {
            Ending::ServerAborted => Side::Server,
            Ending::Complete | Ending::ClientAborted => Side::Client,
        },
        |first| first.side,
    )
}

/// The side whose connection ended first. The end of a side is an arrival without new bytes.
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
