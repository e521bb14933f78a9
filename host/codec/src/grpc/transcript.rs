//! Decodes the bodies of a call into its messages.

use bytes::Bytes;

use super::GrpcError;
use super::framing::{LengthPrefixedMessage, PREFIX, decode, next_message_len};
use crate::content_coding::Bounds;
use ouli_message::Content;
use ouli_message::stream::{Arrival, Message, MessageKind, Payload, Side};

/// Both bodies of a call with their encodings.
#[derive(Clone, Copy, Debug)]
pub struct CallBodies<'a> {
    /// The body of the request.
    pub client: &'a Bytes,
    /// The `grpc-encoding` of the request.
    pub client_encoding: Option<&'a str>,
    /// The body of the response.
    pub server: &'a Bytes,
    /// The `grpc-encoding` of the response.
    pub server_encoding: Option<&'a str>,
}

/// The messages of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// The messages in the order in which their last bytes arrived. An incomplete one is left out.
    pub messages: Vec<Message>,
    /// The client has ended its side.
    pub has_client_ended: bool,
    /// The bytes of an incomplete message at the end of the request body.
    pub client_rest: usize,
    /// The bytes of an incomplete message at the end of the response body.
    pub server_rest: usize,
}

/// Reads the messages of a call.
///
/// An arrival of the client without bytes ends its stream. `limit` is the maximum memory of all
/// messages together.
///
/// # Errors
/// If a message cannot be decoded, or the messages exceed the limit.
pub fn read_messages(
    bodies: &CallBodies<'_>,
    arrivals: &[Arrival],
    bounds: Bounds,
    limit: u64,
) -> Result<Transcript, GrpcError> {
    let body = |bytes: &Bytes, encoding| BodyReader {
        unread: bytes.clone(),
        size: bytes.len() as u64,
        received: 0,
        encoding,
    };
    let mut client = body(bodies.client, bodies.client_encoding);
    let mut server = body(bodies.server, bodies.server_encoding);
    let mut messages = Vec::new();
    let mut left = limit;
    let mut ended = false;
    for arrival in arrivals {
        let body = match arrival.side {
            Side::Client => &mut client,
            Side::Server => &mut server,
        };
        let before = body.received;
        body.received = arrival.end.min(body.size);
        while let Some((bytes, compressed)) = body.next_message(bounds)? {
            let size = bytes.len() as u64 + size_of::<Message>() as u64;
            left = left
                .checked_sub(size)
                .ok_or(GrpcError::TotalTooLarge(limit))?;
            let content = Content::Inline(bytes);
            let kind = MessageKind::Binary(Payload {
                content,
                compressed,
            });
            messages.push(message_at(arrival, kind));
        }
        if arrival.side == Side::Client && arrival.end == before && !ended {
            ended = true;
            messages.push(message_at(arrival, MessageKind::End));
        }
    }
    Ok(Transcript {
        messages,
        has_client_ended: ended,
        client_rest: client.unread.len(),
        server_rest: server.unread.len(),
    })
}

fn message_at(arrival: &Arrival, kind: MessageKind) -> Message {
    Message {
        side: arrival.side,
        at: arrival.at,
        kind,
    }
}

/// The received part of one body.
struct BodyReader<'a> {
    unread: Bytes,
    size: u64,
    received: u64,
    encoding: Option<&'a str>,
}

impl BodyReader<'_> {
    /// The next complete message.
    fn next_message(&mut self, bounds: Bounds) -> Result<Option<(Bytes, bool)>, GrpcError> {
        let taken = self.size - self.unread.len() as u64;
        let available = usize::try_from(self.received.saturating_sub(taken)).unwrap_or(usize::MAX);
        let available = available.min(self.unread.len());
        let Some(size) = next_message_len(&self.unread[..available], bounds.bytes)? else {
            return Ok(None);
        };
        let prefixed = self.unread.split_to(PREFIX + size);
        let message = LengthPrefixedMessage {
            compressed: prefixed[0] == 1,
            bytes: prefixed.slice(PREFIX..),
        };
        let bytes = decode(&message, self.encoding, bounds)?;
        Ok(Some((bytes, message.compressed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::sample_schema::Noise;
    use crate::grpc::{MessageSplitter, encode, encode_frame};

    const BOUNDS: Bounds = Bounds {
        bytes: 1 << 20,
        ratio: 100,
    };

    fn arrival(side: Side, end: usize, at: u64) -> Arrival {
        let end = end as u64;
        Arrival { side, end, at }
    }

    fn shown(messages: &[Message]) -> Vec<(Side, u64, String)> {
        let text = |kind: &MessageKind| match kind {
            MessageKind::Binary(words) => {
                let text = String::from_utf8_lossy(words.content.inline()).into_owned();
                if words.compressed { text + "*" } else { text }
            }
            other => format!("{other:?}"),
        };
        messages
            .iter()
            .map(|turn| (turn.side, turn.at, text(&turn.kind)))
            .collect()
    }

    #[test]
    fn orders_messages_by_their_last_bytes() {
        let packed = encode(&Bytes::from_static(b"two"), Some("gzip")).unwrap();
        let client =
            Bytes::from([encode_frame(b"one", false), encode_frame(&packed, true)].concat());
        let server = Bytes::from([encode_frame(b"1", false), encode_frame(b"2", false)].concat());
        let bodies = CallBodies {
            client: &client,
            client_encoding: Some("gzip"),
            server: &server,
            server_encoding: None,
        };
        let arrivals = [
            arrival(Side::Client, 10, 1),
            arrival(Side::Server, 6, 2),
            arrival(Side::Client, client.len(), 3),
            arrival(Side::Client, client.len(), 4),
            arrival(Side::Server, 12, 5),
        ];
        let read = read_messages(&bodies, &arrivals, BOUNDS, 1 << 20).unwrap();
        assert_eq!((read.client_rest, read.server_rest), (0, 0));
        let expected = [
            (Side::Client, 1, "one"),
            (Side::Server, 2, "1"),
            (Side::Client, 3, "two*"),
            (Side::Client, 4, "End"),
            (Side::Server, 5, "2"),
        ];
        let expected: Vec<_> = expected
            .map(|(side, at, text)| (side, at, text.into()))
            .into();
        assert_eq!(shown(&read.messages), expected);
        assert!(matches!(
            read_messages(&bodies, &arrivals, BOUNDS, 100),
            Err(GrpcError::TotalTooLarge(100))
        ));
    }

    #[test]
    fn a_call_without_messages_has_an_end() {
        let (client, server) = (Bytes::new(), Bytes::from_static(b"\0\0"));
        let bodies = CallBodies {
            client: &client,
            client_encoding: None,
            server: &server,
            server_encoding: None,
        };
        let arrivals = [arrival(Side::Client, 0, 1), arrival(Side::Server, 2, 2)];
        let read = read_messages(&bodies, &arrivals, BOUNDS, 1 << 20).unwrap();
        let end = (Side::Client, 1, "End".to_owned());
        assert_eq!(shown(&read.messages), [end]);
        assert!(read.has_client_ended);
        assert_eq!((read.client_rest, read.server_rest), (0, 2));
    }

    #[test]
    fn accepts_random_bytes_and_any_chunk_boundaries() {
        let mut noise = Noise(9);
        for round in 0..3000 {
            let mut body = Vec::new();
            for _ in 0..noise.below(4) {
                let size = noise.below(40) as usize;
                body.extend_from_slice(&encode_frame(
                    &vec![round as u8; size],
                    noise.below(9) == 0,
                ));
            }
            for _ in 0..noise.below(2) * noise.below(4) {
                body.push(noise.below(256) as u8);
            }
            let body = Bytes::from(body);
            let bodies = CallBodies {
                client: &body,
                client_encoding: [None, Some("gzip"), Some("odd")][noise.below(3) as usize],
                server: &body,
                server_encoding: None,
            };
            // Arrivals may end anywhere, also beyond the end and in the wrong order.
            let side = |at: u64| if at == 0 { Side::Client } else { Side::Server };
            let cuts = (0..noise.below(9)).map(|at| Arrival {
                side: side(noise.below(2)),
                end: noise.below(90),
                at,
            });
            let cuts: Vec<_> = cuts.collect();
            let _ = read_messages(&bodies, &cuts, BOUNDS, 1 << 20);
            let cut = noise.below(body.len() as u64 + 1) as usize;
            let mut splitter = MessageSplitter::new(30);
            let prefixed = MessageSplitter::new(30).feed(&body);
            let parts = splitter.feed(&body[..cut]).and_then(|mut first| {
                first.extend(splitter.feed(&body[cut..])?);
                Ok(first)
            });
            assert_eq!(parts.ok(), prefixed.ok(), "{body:?}, {cut}");
        }
    }
}
