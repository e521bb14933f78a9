//! Reads a message of a conversation: its side, its kind, and its content.

use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::body_reader::{BodyMembers, ParsedBody, set_once};
use super::strict_json::Text;
use ouli_codec::websocket;
use ouli_message::Content;
use ouli_message::stream::{MessageKind, Payload, Side};

/// A parsed message, borrowed from the cassette if possible.
pub(super) struct MessageMembers<'a> {
    /// The side that sent it.
    pub(super) side: Side,
    kind: ParsedKind<'a>,
}

enum ParsedKind<'a> {
    Text(ParsedPayload<'a>),
    Binary(ParsedPayload<'a>),
    /// A control frame, the end of a side, or a violation. It is small, so it is copied.
    Control(MessageKind),
}

struct ParsedPayload<'a> {
    compressed: bool,
    body: Option<ParsedBody<'a>>,
}

impl ParsedPayload<'_> {
    fn into_payload(self, buffer: &Bytes) -> Payload {
        let content = self.body.map(|body| body.into_content(buffer));
        Payload {
            content: content.unwrap_or(Content::EMPTY),
            compressed: self.compressed,
        }
    }
}

impl MessageMembers<'_> {
    /// True for a message that a gRPC call can have.
    pub(super) fn is_of_grpc(&self) -> bool {
        matches!(
            &self.kind,
            ParsedKind::Binary(_) | ParsedKind::Control(MessageKind::End)
        )
    }

    /// The kind of the message. Its content is a slice of `buffer`, from which it was parsed, if
    /// possible.
    pub(super) fn into_message_kind(self, buffer: &Bytes) -> MessageKind {
        match self.kind {
            ParsedKind::Text(payload) => MessageKind::Text(payload.into_payload(buffer)),
            ParsedKind::Binary(payload) => MessageKind::Binary(payload.into_payload(buffer)),
            ParsedKind::Control(kind) => kind,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for MessageMembers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MessageVisitor;
        impl<'de> Visitor<'de> for MessageVisitor {
            type Value = MessageMembers<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::default();
                while let Some(Text(name)) = map.next_key()? {
                    match &*name {
                        "client" => set_once(&mut members.client, "client", &mut map)?,
                        "server" => set_once(&mut members.server, "server", &mut map)?,
                        "compressed" => set_once(&mut members.compressed, "compressed", &mut map)?,
                        "code" => set_once(&mut members.code, "code", &mut map)?,
                        other => members.body.read(other, &mut map)?,
                    }
                }
                members.into_message().map_err(Error::custom)
            }
        }
        deserializer.deserialize_map(MessageVisitor)
    }
}

#[derive(Default)]
struct Members<'a> {
    client: Option<Text<'a>>,
    server: Option<Text<'a>>,
    compressed: Option<bool>,
    code: Option<u16>,
    body: BodyMembers<'a>,
}

impl<'a> Members<'a> {
    fn into_message(self) -> Result<MessageMembers<'a>, &'static str> {
        let (side, Text(kind)) = match (self.client, self.server) {
            (Some(kind), None) => (Side::Client, kind),
            (None, Some(kind)) => (Side::Server, kind),
            _ => return Err("expected one of `client`, `server`"),
        };
        let payload = ParsedPayload {
            compressed: self.compressed.unwrap_or(false),
            body: self.body.into_body()?,
        };
        let kind = match &*kind {
            "text" | "binary" if self.code.is_some() => return Err(MISPLACED_CODE),
            "text" => ParsedKind::Text(payload),
            "binary" => ParsedKind::Binary(payload),
            _ if self.compressed.is_some() => {
                return Err("`compressed` is only allowed in a `text` or `binary`");
            }
            "invalid" if side == Side::Server => {
                return Err("`invalid` is only allowed for the `client`");
            }
            control => ParsedKind::Control(control_message(control, self.code, payload.body)?),
        };
        Ok(MessageMembers { side, kind })
    }
}

/// A control frame, the end of a side, or a violation.
fn control_message(
    kind: &str,
    code: Option<u16>,
    body: Option<ParsedBody<'_>>,
) -> Result<MessageKind, &'static str> {
    let bytes = body.map_or(Ok(Vec::new()), ParsedBody::into_bytes)?;
    match (kind, code) {
        ("close", Some(_)) if bytes.len() > websocket::MAX_CLOSE_REASON => {
            Err("expected a reason of a `close` of at most 123 bytes (RFC 6455, section 5.5)")
        }
        ("ping" | "pong", None) if bytes.len() > websocket::MAX_CONTROL => {
            Err("expected a `ping` or `pong` of at most 125 bytes (RFC 6455, section 5.5)")
        }
        ("close", None) if !bytes.is_empty() => Err("expected a `code` in a `close` with a reason"),
        ("close", code) => String::from_utf8(bytes)
            .map(|reason| MessageKind::Close { code, reason })
            .map_err(|_| "expected UTF-8 as the reason of a `close`"),
        ("invalid", Some(code)) => String::from_utf8(bytes)
            .map(|reason| MessageKind::Invalid { code, reason })
            .map_err(|_| "expected UTF-8 as the reason of an `invalid`"),
        ("invalid", None) => Err("expected a `code` in an `invalid`"),
        ("ping", None) => Ok(MessageKind::Ping(bytes.into())),
        ("pong", None) => Ok(MessageKind::Pong(bytes.into())),
        ("end", None) if bytes.is_empty() => Ok(MessageKind::End),
        ("end", None) => Err("expected an `end` without content"),
        ("ping" | "pong" | "end", Some(_)) => Err(MISPLACED_CODE),
        _ => Err("expected `text`, `binary`, `ping`, `pong`, `close`, `end` or `invalid`"),
    }
}

const MISPLACED_CODE: &str = "`code` is only allowed in a `close` or an `invalid`";
