//! What is said about a cassette where it is listed or shown: data, no words.

use std::collections::BTreeMap;

use crate::format::decode::{LoadedCassette, RecordedExchange};
use crate::format::format_error::Damage;
use ouli_message::Failure;
use ouli_message::stream::{ChunkKind, Ending, Protocol, Stream, StreamContent};

/// A cassette in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many exchanges there are.
    pub exchanges: usize,
    /// How many of them were edited.
    pub edited: usize,
    /// How many there are of each endpoint.
    pub endpoints: BTreeMap<String, usize>,
    /// How many of them failed.
    pub failures: usize,
    /// How many there are of each response status.
    pub statuses: BTreeMap<u16, usize>,
    /// Size of all bodies and messages, in bytes, stored ones too.
    pub body_bytes: u64,
    /// What could not be read, the torn end last.
    pub damage: Vec<Damage>,
}

/// An exchange on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeSummary {
    /// Its number.
    pub ordinal: u64,
    /// Name of the endpoint.
    pub endpoint: String,
    /// The method.
    pub method: String,
    /// Host and port of the upstream.
    pub authority: String,
    /// Path and query.
    pub target: String,
    /// The status of the response; none where none came.
    pub status: Option<u16>,
    /// How it failed, where it did.
    pub failure: Option<Failure>,
    /// Size of the request's body, in bytes.
    pub request_bytes: u64,
    /// Size of the response's body, in bytes.
    pub response_bytes: u64,
    /// What it was a stream of, where it was one.
    pub stream: Option<StreamSummary>,
    /// What recording policies added.
    pub tags: Vec<(String, String)>,
    /// True where it is not as it was recorded.
    pub edited: bool,
}

/// A stream in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSummary {
    /// What it was made of.
    pub parts: StreamParts,
    /// How many of them there are.
    pub count: usize,
    /// How it ended.
    pub ending: Ending,
}

/// What a stream was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamParts {
    /// Pieces of the response's body.
    Chunks(ChunkKind),
    /// Turns of a conversation.
    Messages(Protocol),
}

impl From<&LoadedCassette> for Summary {
    fn from(loaded: &LoadedCassette) -> Self {
        let mut summary = Self {
            damage: loaded
                .damage
                .iter()
                .chain(&loaded.torn_tail)
                .cloned()
                .collect(),
            ..Self::default()
        };
        for recorded in &loaded.exchanges {
            summary.count(recorded);
        }
        summary
    }
}

impl Summary {
    fn count(&mut self, recorded: &RecordedExchange) {
        let exchange = &recorded.exchange;
        self.exchanges += 1;
        self.edited += usize::from(recorded.edited);
        let endpoint = self.endpoints.entry(exchange.endpoint.clone());
        *endpoint.or_default() += 1;
        self.failures += usize::from(exchange.failure.is_some());
        if exchange.has_response() {
            let status = exchange.response.status.as_u16();
            *self.statuses.entry(status).or_default() += 1;
        }
        for body in exchange.contents() {
            self.body_bytes = self.body_bytes.saturating_add(body.size());
        }
    }
}

impl From<&RecordedExchange> for ExchangeSummary {
    fn from(recorded: &RecordedExchange) -> Self {
        let exchange = &recorded.exchange;
        let status = exchange.has_response().then_some(exchange.response.status);
        Self {
            ordinal: recorded.ordinal,
            endpoint: exchange.endpoint.clone(),
            method: exchange.request.method.to_string(),
            authority: exchange.request.authority.clone(),
            target: exchange.request.target.clone(),
            status: status.map(|it| it.as_u16()),
            failure: exchange.failure,
            request_bytes: exchange.request.body.size(),
            response_bytes: exchange.response.body.size(),
            stream: exchange.stream.as_ref().map(StreamSummary::from),
            tags: exchange.tags.clone(),
            edited: recorded.edited,
        }
    }
}

impl From<&Stream> for StreamSummary {
    fn from(stream: &Stream) -> Self {
        let (parts, count) = match &stream.content {
            StreamContent::Chunks(unit, pieces) => (StreamParts::Chunks(*unit), pieces.len()),
            StreamContent::Messages(protocol, turns) => {
                (StreamParts::Messages(*protocol), turns.len())
            }
        };
        Self {
            parts,
            count,
            ending: stream.ending,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::decode;
    use crate::tests::{cassette, conversation, sample, streamed};

    #[test]
    fn totals_add_up() {
        let bytes = cassette(&[sample(1), sample(2)]);
        let cut = Bytes::from(bytes).slice(..cassette(&[sample(1)]).len() + 5);
        let loaded = decode(&cut).unwrap();
        let summary = Summary::from(&loaded);
        assert_eq!((summary.exchanges, summary.edited), (1, 0));
        assert_eq!(
            summary.endpoints,
            BTreeMap::from([("origin".to_owned(), 1)])
        );
        assert_eq!(summary.statuses, BTreeMap::from([(200, 1)]));
        assert_eq!(summary.body_bytes, 14 + 9);
        assert_eq!(summary.damage.len(), 1);
        let row = ExchangeSummary::from(&loaded.exchanges[0]);
        assert_eq!(
            (row.ordinal, &*row.method, row.status),
            (1, "POST", Some(200))
        );
        assert_eq!((row.request_bytes, row.response_bytes), (14, 9));
        assert_eq!(row.stream, None);
    }

    #[test]
    fn streams_have_totals() {
        let events = streamed(ChunkKind::Event, b"a\n\nb\n\n", &[3, 3]);
        let bytes = cassette(&[events, conversation(1)]);
        let loaded = decode(&Bytes::from(bytes)).unwrap();
        assert_eq!(Summary::from(&loaded).body_bytes, 14 + 6 + 5 + 13 + 2 + 7);
        let streams = loaded
            .exchanges
            .iter()
            .map(|it| ExchangeSummary::from(it).stream);
        let figures = |parts, count, ending| {
            Some(StreamSummary {
                parts,
                count,
                ending,
            })
        };
        let expected = [
            figures(StreamParts::Chunks(ChunkKind::Event), 2, Ending::Complete),
            figures(
                StreamParts::Messages(Protocol::WebSocket),
                10,
                Ending::ServerAborted,
            ),
        ];
        assert!(streams.eq(expected));
    }
}
