//! Text to streams: what an exchange has in the member `stream`.

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error};

use super::chunk_sizes::{pieces, times};
use super::message_reader::TurnMembers;
use super::stream_names;
use super::strict_json::{Object, Text};
use ouli_message::Content;
use ouli_message::stream::{Ending, Form, Protocol, Stream, Turn, Unit};

/// A stream as it was read.
pub(super) struct StreamMembers<'a> {
    form: FormMembers<'a>,
    ending: Ending,
    at: Vec<u64>,
}

enum FormMembers<'a> {
    Pieces(Unit, Option<Vec<u64>>),
    Turns(Protocol, Vec<TurnMembers<'a>>),
}

impl StreamMembers<'_> {
    /// The stream, with messages as parts of `whole`, the buffer from which it was read, and with
    /// pieces of `body`, that of the response.
    pub(super) fn into_stream(self, whole: &Bytes, body: &Content) -> Stream {
        let form = match self.form {
            FormMembers::Pieces(unit, sizes) => {
                Form::Pieces(unit, pieces(unit, sizes, &self.at, body))
            }
            FormMembers::Turns(protocol, turns) => {
                let times = times(&self.at, turns.len());
                let turns = turns.into_iter().zip(times).map(|(turn, at)| Turn {
                    side: turn.side,
                    at,
                    said: turn.into_said(whole),
                });
                Form::Turns(protocol, turns.collect())
            }
        };
        Stream {
            form,
            ending: self.ending,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for StreamMembers<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Object(members) = Object::<Members<'_>>::deserialize(from)?;
        let form = match (members.unit, members.sizes, members.protocol, members.turns) {
            (Some(unit), sizes, None, None) => FormMembers::Pieces(unit, sizes),
            (None, None, Some(protocol), Some(turns)) => FormMembers::Turns(protocol, turns),
            _ => return Err(Error::custom(NO_FORM)),
        };
        Ok(Self {
            form,
            ending: members.ended,
            at: members.at,
        })
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Members<'a> {
    #[serde(default, deserialize_with = "unit")]
    unit: Option<Unit>,
    #[serde(default)]
    sizes: Option<Vec<u64>>,
    #[serde(default, deserialize_with = "protocol")]
    protocol: Option<Protocol>,
    #[serde(borrow, default)]
    turns: Option<Vec<TurnMembers<'a>>>,
    #[serde(default, deserialize_with = "ended")]
    ended: Ending,
    #[serde(default)]
    at: Vec<u64>,
}

fn unit<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Unit>, D::Error> {
    let Text(word) = Text::deserialize(from)?;
    [Unit::Event, Unit::Line, Unit::Chunk]
        .into_iter()
        .find(|it| stream_names::unit(*it) == word)
        .map(Some)
        .ok_or_else(|| Error::custom("expected `event`, `line` or `chunk`"))
}

fn protocol<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Protocol>, D::Error> {
    let Text(word) = Text::deserialize(from)?;
    [Protocol::WebSocket, Protocol::Grpc]
        .into_iter()
        .find(|it| stream_names::protocol(*it) == word)
        .map(Some)
        .ok_or_else(|| Error::custom("expected `websocket` or `grpc`"))
}

fn ended<'de, D: Deserializer<'de>>(from: D) -> Result<Ending, D::Error> {
    let Text(word) = Text::deserialize(from)?;
    [Ending::Client, Ending::Server]
        .into_iter()
        .find(|it| stream_names::ended(*it) == Some(&word))
        .ok_or_else(|| Error::custom("expected `client` or `server`"))
}

const NO_FORM: &str = "expected `unit`, or `protocol` with `turns`";
