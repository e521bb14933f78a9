//! Text to turns: who said it, what it was, and its content in the forms of a body.

use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::body_reader::{self, Body, once};
use super::strict_json::Text;
use ouli_message::Content;
use ouli_message::stream::{Said, Side, Words};

/// A turn as it was read, still borrowed from the cassette where that can be.
pub(super) struct TurnMembers<'a> {
    /// Who said it.
    pub(super) side: Side,
    said: SaidMembers<'a>,
}

enum SaidMembers<'a> {
    Text(bool, Option<Body<'a>>),
    Binary(bool, Option<Body<'a>>),
    /// What is no message is small, and is copied.
    Other(Said),
}

impl TurnMembers<'_> {
    /// What was said, as a part of `whole`, the buffer from which it was read, where it stands
    /// there.
    pub(super) fn into_said(self, whole: &Bytes) -> Said {
        let words = |compressed, body: Option<Body<'_>>| Words {
            content: body.map_or(Content::EMPTY, |body| body.content(whole)),
            compressed,
        };
        match self.said {
            SaidMembers::Text(compressed, body) => Said::Text(words(compressed, body)),
            SaidMembers::Binary(compressed, body) => Said::Binary(words(compressed, body)),
            SaidMembers::Other(said) => said,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for TurnMembers<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Whole;
        impl<'de> Visitor<'de> for Whole {
            type Value = TurnMembers<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::default();
                while let Some(Text(name)) = from.next_key()? {
                    match &*name {
                        "client" => once(&mut members.client, "client", &mut from)?,
                        "server" => once(&mut members.server, "server", &mut from)?,
                        "compressed" => once(&mut members.compressed, "compressed", &mut from)?,
                        "code" => once(&mut members.code, "code", &mut from)?,
                        other => members.body.read(other, &mut from)?,
                    }
                }
                members.into_turn().map_err(Error::custom)
            }
        }
        from.deserialize_map(Whole)
    }
}

#[derive(Default)]
struct Members<'a> {
    client: Option<Text<'a>>,
    server: Option<Text<'a>>,
    compressed: Option<bool>,
    code: Option<u16>,
    body: body_reader::Members<'a>,
}

impl<'a> Members<'a> {
    fn into_turn(self) -> Result<TurnMembers<'a>, &'static str> {
        let (side, Text(kind)) = match (self.client, self.server) {
            (Some(kind), None) => (Side::Client, kind),
            (None, Some(kind)) => (Side::Server, kind),
            _ => return Err("expected one of `client`, `server`"),
        };
        let body = self.body.into_body()?;
        let compressed = self.compressed.unwrap_or(false);
        let said = match &*kind {
            "text" if self.code.is_none() => SaidMembers::Text(compressed, body),
            "binary" if self.code.is_none() => SaidMembers::Binary(compressed, body),
            "text" | "binary" => return Err("expected no `code` but in a `close`"),
            _ if self.compressed.is_some() => {
                return Err("expected no `compressed` but in a `text` or `binary`");
            }
            kind => SaidMembers::Other(other(kind, self.code, body)?),
        };
        Ok(TurnMembers { side, said })
    }
}

/// What is no message.
fn other(kind: &str, code: Option<u16>, body: Option<Body<'_>>) -> Result<Said, &'static str> {
    let bytes = body.map_or(Ok(Vec::new()), Body::into_bytes)?;
    match (kind, code) {
        ("close", code) => String::from_utf8(bytes)
            .map(|reason| Said::Close { code, reason })
            .map_err(|_| "expected UTF-8 as the reason of a `close`"),
        ("ping", None) => Ok(Said::Ping(bytes.into())),
        ("pong", None) => Ok(Said::Pong(bytes.into())),
        ("end", None) if bytes.is_empty() => Ok(Said::End),
        ("end", None) => Err("expected an `end` without content"),
        ("ping" | "pong" | "end", Some(_)) => Err("expected no `code` but in a `close`"),
        _ => Err("expected `text`, `binary`, `ping`, `pong`, `close` or `end`"),
    }
}
