//! Summaries of a cassette and of its exchanges, as data.

use std::collections::BTreeMap;

use crate::format::{Damage, LoadedCassette, RecordedExchange};
use ouli_message::Failure;
use ouli_message::stream::{ChunkKind, Ending, Protocol, Stream, StreamContent};

/// The totals of a cassette.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Number of exchanges.
    pub exchanges: usize,
    /// Number of edited exchanges.
    pub edited: usize,
    /// Number of exchanges by endpoint.
    pub endpoints: BTreeMap<String, usize>,
    /// Number of failed exchanges.
    pub failures: usize,
    /// Number of exchanges by response status.
    pub statuses: BTreeMap<u16, usize>,
    /// Size of all bodies and messages in bytes, including stored ones.
    pub body_bytes: u64,
    /// The parts that cannot be read; the torn tail is last.
    pub damage: Vec<Damage>,
}

/// A one-line summary of an exchange.
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
    /// The status of the response, if there is one.
    pub status: Option<u16>,
    /// The failure, if the exchange failed.
    pub failure: Option<Failure>,
    /// Size of the request body in bytes.
    pub request_bytes: u64,
    /// Size of the response body in bytes.
    pub response_bytes: u64,
    /// The stream, if the exchange was one.
    pub stream: Option<StreamSummary>,
    /// The tags of recording policies.
    pub tags: Vec<(String, String)>,
    /// True if it was changed after it was recorded.
    pub edited: bool,
}

/// The totals of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSummary {
    /// The kind of its parts.
    pub parts: StreamParts,
    /// Number of parts.
    pub count: usize,
    /// How it ended.
    pub ending: Ending,
}

/// The kind of the parts of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamParts {
    /// Chunks of the response body.
    Chunks(ChunkKind),
    /// Messages of a conversation.
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
            StreamContent::Chunks(unit, chunks) => (StreamParts::Chunks(*unit), chunks.len()),
            StreamContent::Messages(protocol, messages) => {
                (StreamParts::Messages(*protocol), messages.len())
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
    use crate::test_exchanges::{cassette, conversation, sample, streamed};

    #[test]
    fn summarizes_a_truncated_cassette() {
        let bytes = cassette(&[sample(1), sample(2)]);
        let truncated = Bytes::from(bytes).slice(..cassette(&[sample(1)]).len() + 5);
        let loaded = decode(&truncated).unwrap();
        let summary = Summary::from(&loaded);
        assert_eq!((summary.exchanges, summary.edited), (1, 0));
        assert_eq!(
            summary.endpoints,
            BTreeMap::from([("origin".to_owned(), 1)])
        );
        assert_eq!(summary.statuses, BTreeMap::from([(200, 1)]));
        assert_eq!(summary.body_bytes, 14 + 9);
        assert_eq!(summary.damage.len(), 1);
        let exchange = ExchangeSummary::from(&loaded.exchanges[0]);
        assert_eq!(
            (exchange.ordinal, &*exchange.method, exchange.status),
            (1, "POST", Some(200))
        );
        assert_eq!((exchange.request_bytes, exchange.response_bytes), (14, 9));
        assert_eq!(exchange.stream, None);
    }

    #[test]
    fn summarizes_streams() {
        let events = streamed(ChunkKind::Event, b"a\n\nb\n\n", &[3, 3]);
        let bytes = cassette(&[events, conversation(1)]);
        let loaded = decode(&Bytes::from(bytes)).unwrap();
        assert_eq!(Summary::from(&loaded).body_bytes, 14 + 6 + 5 + 13 + 2 + 7);
        let streams = loaded
            .exchanges
            .iter()
            .map(|it| ExchangeSummary::from(it).stream);
        let stream = |parts, count, ending| {
            Some(StreamSummary {
                parts,
                count,
                ending,
            })
        };
        let expected = [
            stream(StreamParts::Chunks(ChunkKind::Event), 2, Ending::Complete),
            stream(
                StreamParts::Messages(Protocol::WebSocket),
                10,
                Ending::ServerAborted,
            ),
        ];
        assert!(streams.eq(expected));
    }
}
