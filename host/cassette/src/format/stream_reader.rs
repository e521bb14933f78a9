//! Text to streams: what an exchange has in the member `stream`.

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error};

use super::chunk_sizes::{build_chunks, fit_times};
use super::message_reader::MessageMembers;
use super::stream_names;
use super::strict_json::{Object, Text};
use ouli_message::Content;
use ouli_message::stream::{ChunkKind, Ending, Message, Protocol, Stream, StreamContent};

/// A stream as it was read.
pub(super) struct StreamMembers<'a> {
    form: FormMembers<'a>,
    ending: Ending,
    times: Vec<u64>,
}

enum FormMembers<'a> {
    Chunks(ChunkKind, Option<Vec<u64>>),
    Messages(Protocol, Vec<MessageMembers<'a>>),
}

impl StreamMembers<'_> {
    /// The stream, with messages as parts of `whole`, the buffer from which it was read, and with
    /// pieces of `body`, that of the response.
    pub(super) fn into_stream(self, whole: &Bytes, body: &Content) -> Stream {
        let form = match self.form {
            FormMembers::Chunks(unit, sizes) => {
                StreamContent::Chunks(unit, build_chunks(unit, sizes, &self.times, body))
            }
            FormMembers::Messages(protocol, turns) => {
                let times = fit_times(&self.times, turns.len());
                let turns = turns.into_iter().zip(times).map(|(turn, at)| Message {
                    side: turn.side,
                    at,
                    kind: turn.into_message_kind(whole),
                });
                StreamContent::Messages(protocol, turns.collect())
            }
        };
        Stream {
            content: form,
            ending: self.ending,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for StreamMembers<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Object(members) = Object::<Members<'_>>::deserialize(from)?;
        let form = match (members.unit, members.sizes, members.protocol, members.turns) {
            (Some(unit), sizes, None, None) => FormMembers::Chunks(unit, sizes),
            (None, None, Some(protocol), Some(turns)) => FormMembers::Messages(protocol, turns),
            _ => return Err(Error::custom(NO_FORM)),
        };
        Ok(Self {
            form,
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

fn read_unit<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ChunkKind>, D::Error> {
    let Text(word) = Text::deserialize(from)?;
    [ChunkKind::Event, ChunkKind::Line, ChunkKind::Raw]
        .into_iter()
        .find(|it| stream_names::unit_name(*it) == word)
        .map(Some)
        .ok_or_else(|| Error::custom("expected `event`, `line` or `chunk`"))
}

fn read_protocol<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Protocol>, D::Error> {
    let Text(word) = Text::deserialize(from)?;
    [Protocol::WebSocket, Protocol::Grpc]
        .into_iter()
        .find(|it| stream_names::protocol_name(*it) == word)
        .map(Some)
        .ok_or_else(|| Error::custom("expected `websocket` or `grpc`"))
}

fn read_ending<'de, D: Deserializer<'de>>(from: D) -> Result<Ending, D::Error> {
    let Text(word) = Text::deserialize(from)?;
    [Ending::ClientAborted, Ending::ServerAborted]
        .into_iter()
        .find(|it| stream_names::ending_name(*it) == Some(&word))
        .ok_or_else(|| Error::custom("expected `client` or `server`"))
}

const NO_FORM: &str = "expected `unit`, or `protocol` with `turns`";
