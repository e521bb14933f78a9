//! Text to turns: who said it, what it was, and its content in the forms of a body.

use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::body_reader::{self, ParsedBody, set_once};
use super::strict_json::Text;
use ouli_message::Content;
use ouli_message::stream::{MessageKind, Payload, Side};

/// A turn as it was read, still borrowed from the cassette where that can be.
pub(super) struct MessageMembers<'a> {
    /// Who said it.
    pub(super) side: Side,
    kind: MessageKindMembers<'a>,
}

enum MessageKindMembers<'a> {
    Text(bool, Option<ParsedBody<'a>>),
    Binary(bool, Option<ParsedBody<'a>>),
    /// What is no message is small, and is copied.
    Other(MessageKind),
}

impl MessageMembers<'_> {
    /// What was said, as a part of `whole`, the buffer from which it was read, where it stands
    /// there.
    pub(super) fn into_message_kind(self, whole: &Bytes) -> MessageKind {
        let words = |compressed, body: Option<ParsedBody<'_>>| Payload {
            content: body.map_or(Content::EMPTY, |body| body.into_content(whole)),
            compressed,
        };
        match self.kind {
            MessageKindMembers::Text(compressed, body) => {
                MessageKind::Text(words(compressed, body))
            }
            MessageKindMembers::Binary(compressed, body) => {
                MessageKind::Binary(words(compressed, body))
            }
            MessageKindMembers::Other(said) => said,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for MessageMembers<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct MessageVisitor;
        impl<'de> Visitor<'de> for MessageVisitor {
            type Value = MessageMembers<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::default();
                while let Some(Text(name)) = from.next_key()? {
                    match &*name {
                        "client" => set_once(&mut members.client, "client", &mut from)?,
                        "server" => set_once(&mut members.server, "server", &mut from)?,
                        "compressed" => set_once(&mut members.compressed, "compressed", &mut from)?,
                        "code" => set_once(&mut members.code, "code", &mut from)?,
                        other => members.body.read(other, &mut from)?,
                    }
                }
                members.into_message().map_err(Error::custom)
            }
        }
        from.deserialize_map(MessageVisitor)
    }
}

#[derive(Default)]
struct Members<'a> {
    client: Option<Text<'a>>,
    server: Option<Text<'a>>,
    compressed: Option<bool>,
    code: Option<u16>,
    body: body_reader::BodyMembers<'a>,
}

impl<'a> Members<'a> {
    fn into_message(self) -> Result<MessageMembers<'a>, &'static str> {
        let (side, Text(kind)) = match (self.client, self.server) {
            (Some(kind), None) => (Side::Client, kind),
            (None, Some(kind)) => (Side::Server, kind),
            _ => return Err("expected one of `client`, `server`"),
        };
        let body = self.body.into_body()?;
        let compressed = self.compressed.unwrap_or(false);
        let said = match &*kind {
            "text" if self.code.is_none() => MessageKindMembers::Text(compressed, body),
            "binary" if self.code.is_none() => MessageKindMembers::Binary(compressed, body),
            "text" | "binary" => return Err("expected no `code` but in a `close`"),
            _ if self.compressed.is_some() => {
                return Err("expected no `compressed` but in a `text` or `binary`");
            }
            kind => MessageKindMembers::Other(control_message(kind, self.code, body)?),
        };
        Ok(MessageMembers { side, kind: said })
    }
}

/// What is no message.
fn control_message(
    kind: &str,
    code: Option<u16>,
    body: Option<ParsedBody<'_>>,
) -> Result<MessageKind, &'static str> {
    let bytes = body.map_or(Ok(Vec::new()), ParsedBody::into_bytes)?;
    match (kind, code) {
        ("close", code) => String::from_utf8(bytes)
            .map(|reason| MessageKind::Close { code, reason })
            .map_err(|_| "expected UTF-8 as the reason of a `close`"),
        ("ping", None) => Ok(MessageKind::Ping(bytes.into())),
        ("pong", None) => Ok(MessageKind::Pong(bytes.into())),
        ("end", None) if bytes.is_empty() => Ok(MessageKind::End),
        ("end", None) => Err("expected an `end` without content"),
        ("ping" | "pong" | "end", Some(_)) => Err("expected no `code` but in a `close`"),
        _ => Err("expected `text`, `binary`, `ping`, `pong`, `close` or `end`"),
    }
}
