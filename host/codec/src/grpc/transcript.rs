//! From the bytes of both bodies of a call to its turns.

use bytes::Bytes;

use super::GrpcError;
use super::framing::{LengthPrefixedMessage, PREFIX, decode, next_message_len};
use crate::content_coding::Bounds;
use ouli_message::Content;
use ouli_message::stream::{Arrival, Message, MessageKind, Payload, Side};

/// Both bodies of a call, and how their messages are compressed.
#[derive(Clone, Copy, Debug)]
pub struct CallBodies<'a> {
    /// What the client sent.
    pub client: &'a Bytes,
    /// The `grpc-encoding` of the request.
    pub client_encoding: Option<&'a str>,
    /// What the server sent.
    pub server: &'a Bytes,
    /// The `grpc-encoding` of the response.
    pub server_encoding: Option<&'a str>,
}

/// The turns of a call in the order in which their last bytes came. A message that is not whole at
/// the end is dropped.
///
/// An arrival of the client that brings no bytes says that it sends nothing more. `most` bounds the
/// bytes of all turns together.
///
/// # Errors
/// Where a message cannot be read, or all are too large.
pub fn read_messages(
    halves: &CallBodies<'_>,
    arrivals: &[Arrival],
    bounds: Bounds,
    most: u64,
) -> Result<Vec<Message>, GrpcError> {
    let half = |bytes: &Bytes, encoding| BodyReader {
        unread: bytes.clone(),
        size: bytes.len() as u64,
        received: 0,
        encoding,
    };
    let mut client = half(halves.client, halves.client_encoding);
    let mut server = half(halves.server, halves.server_encoding);
    let mut turns = Vec::new();
    let mut room = most;
    let mut ended = false;
    for arrival in arrivals {
        let half = match arrival.side {
            Side::Client => &mut client,
            Side::Server => &mut server,
        };
        let before = half.received;
        half.received = arrival.end.min(half.size);
        while let Some((bytes, compressed)) = half.next_message(bounds)? {
            let size = bytes.len() as u64 + size_of::<Message>() as u64;
            room = room
                .checked_sub(size)
                .ok_or(GrpcError::TotalTooLarge(most))?;
            let content = Content::Inline(bytes);
            let said = MessageKind::Binary(Payload {
                content,
                compressed,
            });
            turns.push(message_at(arrival, said));
        }
        if arrival.side == Side::Client && arrival.end == before && !ended {
            ended = true;
            turns.push(message_at(arrival, MessageKind::End));
        }
    }
    Ok(turns)
}

fn message_at(arrival: &Arrival, said: MessageKind) -> Message {
    Message {
        side: arrival.side,
        at: arrival.at,
        kind: said,
    }
}

/// One body as far as it has come.
struct BodyReader<'a> {
    unread: Bytes,
    size: u64,
    received: u64,
    encoding: Option<&'a str>,
}

impl BodyReader<'_> {
    /// The next message that has come whole.
    fn next_message(&mut self, bounds: Bounds) -> Result<Option<(Bytes, bool)>, GrpcError> {
        let taken = self.size - self.unread.len() as u64;
        let here = usize::try_from(self.received.saturating_sub(taken)).unwrap_or(usize::MAX);
        let here = here.min(self.unread.len());
        let Some(size) = next_message_len(&self.unread[..here], bounds.bytes)? else {
            return Ok(None);
        };
        let whole = self.unread.split_to(PREFIX + size);
        let message = LengthPrefixedMessage {
            compressed: whole[0] == 1,
            bytes: whole.slice(PREFIX..),
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

    fn shown(turns: &[Message]) -> Vec<(Side, u64, String)> {
        let text = |said: &MessageKind| match said {
            MessageKind::Binary(words) => {
                let text = String::from_utf8_lossy(words.content.inline()).into_owned();
                if words.compressed { text + "*" } else { text }
            }
            other => format!("{other:?}"),
        };
        turns
            .iter()
            .map(|turn| (turn.side, turn.at, text(&turn.kind)))
            .collect()
    }

    #[test]
    fn turns_come_in_the_order_of_their_last_bytes() {
        let packed = encode(&Bytes::from_static(b"two"), Some("gzip")).unwrap();
        let client =
            Bytes::from([encode_frame(b"one", false), encode_frame(&packed, true)].concat());
        let server = Bytes::from([encode_frame(b"1", false), encode_frame(b"2", false)].concat());
        let halves = CallBodies {
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
        let turns = read_messages(&halves, &arrivals, BOUNDS, 1 << 20).unwrap();
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
        assert_eq!(shown(&turns), expected);
        assert!(matches!(
            read_messages(&halves, &arrivals, BOUNDS, 100),
            Err(GrpcError::TotalTooLarge(100))
        ));
    }

    #[test]
    fn a_call_without_messages_ends_all_the_same() {
        let (client, server) = (Bytes::new(), Bytes::from_static(b"\0\0"));
        let halves = CallBodies {
            client: &client,
            client_encoding: None,
            server: &server,
            server_encoding: None,
        };
        let arrivals = [arrival(Side::Client, 0, 1), arrival(Side::Server, 2, 2)];
        let turns = read_messages(&halves, &arrivals, BOUNDS, 1 << 20).unwrap();
        assert_eq!(shown(&turns), [(Side::Client, 1, "End".to_owned())]);
    }

    #[test]
    fn noise_is_no_danger_and_cuts_change_nothing() {
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
            let halves = CallBodies {
                client: &body,
                client_encoding: [None, Some("gzip"), Some("odd")][noise.below(3) as usize],
                server: &body,
                server_encoding: None,
            };
            // Borders may stand anywhere, also behind the end and in the wrong order.
            let side = |at: u64| if at == 0 { Side::Client } else { Side::Server };
            let cuts = (0..noise.below(9)).map(|at| Arrival {
                side: side(noise.below(2)),
                end: noise.below(90),
                at,
            });
            let cuts: Vec<_> = cuts.collect();
            let _ = read_messages(&halves, &cuts, BOUNDS, 1 << 20);
            let cut = noise.below(body.len() as u64 + 1) as usize;
            let mut splitter = MessageSplitter::new(30);
            let whole = MessageSplitter::new(30).feed(&body);
            let parts = splitter.feed(&body[..cut]).and_then(|mut first| {
                first.extend(splitter.feed(&body[cut..])?);
                Ok(first)
            });
            assert_eq!(parts.ok(), whole.ok(), "{body:?}, {cut}");
        }
    }
}
