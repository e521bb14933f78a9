//! Reads the member `stream` of an exchange.

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error};

use super::chunk_sizes::{build_chunks, fit_times};
use super::message_reader::MessageMembers;
use super::stream_names;
use super::strict_json::{Object, Text};
use ouli_message::Content;
use ouli_message::stream::{ChunkKind, Ending, Message, Protocol, Stream, StreamContent};

/// A parsed stream.
pub(super) struct StreamMembers<'a> {
    content: ParsedContent<'a>,
    ending: Ending,
    times: Vec<u64>,
}

enum ParsedContent<'a> {
    Chunks {
        unit: ChunkKind,
        sizes: Option<Vec<u64>>,
    },
    Messages {
        protocol: Protocol,
        messages: Vec<MessageMembers<'a>>,
    },
}

impl StreamMembers<'_> {
    /// True for the messages of a WebSocket.
    pub(super) fn is_websocket(&self) -> bool {
        let ParsedContent::Messages { protocol, .. } = &self.content else {
            return false;
        };
        *protocol == Protocol::WebSocket
    }

    /// The stream. Its messages are slices of `buffer`, from which it was parsed; its chunks cover
    /// `body`, the body of the response.
    pub(super) fn into_stream(self, buffer: &Bytes, body: &Content) -> Stream {
        let content = match self.content {
            ParsedContent::Chunks { unit, sizes } => {
                StreamContent::Chunks(unit, build_chunks(unit, sizes, &self.times, body))
            }
            ParsedContent::Messages { protocol, messages } => {
                let times = fit_times(&self.times, messages.len());
                let messages = messages
                    .into_iter()
                    .zip(times)
                    .map(|(message, at)| Message {
                        side: message.side,
                        at,
                        kind: message.into_message_kind(buffer),
                    });
                StreamContent::Messages(protocol, messages.collect())
            }
        };
        Stream {
            content,
            ending: self.ending,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for StreamMembers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(members) = Object::<Members<'_>>::deserialize(deserializer)?;
        let content = match (members.unit, members.sizes, members.protocol, members.turns) {
            (Some(unit), sizes, None, None) => ParsedContent::Chunks { unit, sizes },
            (None, None, Some(protocol), Some(messages)) => {
                if protocol == Protocol::Grpc && !messages.iter().all(MessageMembers::is_of_grpc) {
                    return Err(Error::custom(INVALID_GRPC));
                }
                ParsedContent::Messages { protocol, messages }
            }
            _ => return Err(Error::custom(INVALID_FORM)),
        };
        Ok(Self {
            content,
            ending: members.ended,
            times: members.at,
        })
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Members<'a> {
    #[serde(default, deserialize_with = "read_unit")]
    unit: Option<ChunkKind>,
    #[serde(default)]
    sizes: Option<Vec<u64>>,
    #[serde(default, deserialize_with = "read_protocol")]
    protocol: Option<Protocol>,
    #[serde(borrow, default)]
    turns: Option<Vec<MessageMembers<'a>>>,
    #[serde(default, deserialize_with = "read_ending")]
    ended: Ending,
    #[serde(default)]
    at: Vec<u64>,
}

fn read_unit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ChunkKind>, D::Error> {
    let Text(name) = Text::deserialize(deserializer)?;
    [ChunkKind::Event, ChunkKind::Line, ChunkKind::Raw]
        .into_iter()
        .find(|unit| stream_names::unit_name(*unit) == name)
        .map(Some)
        .ok_or_else(|| Error::custom("expected `event`, `line` or `chunk`"))
}

fn read_protocol<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Protocol>, D::Error> {
    let Text(name) = Text::deserialize(deserializer)?;
    [Protocol::WebSocket, Protocol::Grpc]
        .into_iter()
        .find(|protocol| stream_names::protocol_name(*protocol) == name)
        .map(Some)
        .ok_or_else(|| Error::custom("expected `websocket` or `grpc`"))
}

fn read_ending<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ending, D::Error> {
    let Text(name) = Text::deserialize(deserializer)?;
    [Ending::ClientAborted, Ending::ServerAborted]
        .into_iter()
        .find(|ending| stream_names::ending_name(*ending) == Some(&name))
        .ok_or_else(|| Error::custom("expected `client` or `server`"))
}

const INVALID_GRPC: &str = "expected `binary`, or an `end`, in a stream of `grpc`";

const INVALID_FORM: &str = "expected `unit`, or `protocol` with `turns`";
