//! From a body and the times at which its bytes came to the pieces of a stream.

use bytes::Bytes;

use crate::event_stream;
use ouli_message::stream::{Arrival, Chunk, ChunkKind, Side, StreamContent};

/// The units that a body of this type is made of; none where the type does not tell.
pub fn chunk_kind(content_type: &str) -> Option<ChunkKind> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is = |name: &&str| essence.eq_ignore_ascii_case(name);
    if essence.eq_ignore_ascii_case("text/event-stream") {
        Some(ChunkKind::Event)
    } else if LINE_TYPES.iter().any(is) {
        Some(ChunkKind::Line)
    } else {
        None
    }
}

/// Types of bodies in which each line is a value. A text sequence begins its values with a mark and
/// ends them with a line end (RFC 7464).
const LINE_TYPES: [&str; 8] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/jsonlines",
    "application/json-seq",
    "application/stream+json",
    "application/x-json-stream",
];

/// The pieces of a decoded body, each with the time of the arrival that brought its last byte.
///
/// Where the units are not known, what came in pauses of at least `pause` microseconds is a chunk
/// each. None where the body is a single chunk: then it is no stream.
pub fn split_body(
    unit: Option<ChunkKind>,
    body: &Bytes,
    arrivals: &[Arrival],
    pause: u64,
) -> Option<StreamContent> {
    let came: Vec<_> = arrivals
        .iter()
        .filter(|arrival| arrival.side == Side::Server)
        .copied()
        .collect();
    let (unit, sizes) = match unit {
        Some(ChunkKind::Event) => (ChunkKind::Event, event_stream::event_sizes(body)),
        Some(ChunkKind::Line) => (ChunkKind::Line, event_stream::line_sizes(body)),
        Some(ChunkKind::Raw) | None => (ChunkKind::Raw, sizes_between_pauses(&came, pause)),
    };
    if unit == ChunkKind::Raw && sizes.len() < 2 {
        return None;
    }
    let (mut end, mut place) = (0, 0);
    let timed = sizes.into_iter().map(|size| {
        end += size as u64;
        while came.get(place).is_some_and(|arrival| arrival.end < end) {
            place += 1;
        }
        let arrival = came.get(place).or(came.last());
        Chunk {
            at: arrival.map_or(0, |arrival| arrival.at),
            size: size as u64,
        }
    });
    Some(StreamContent::Chunks(unit, timed.collect()))
}

/// A body in its pieces, without a copy. What the sizes leave over belongs to none.
pub fn chunk_bodies(body: Bytes, pieces: &[Chunk]) -> impl Iterator<Item = Bytes> {
    let mut rest = body;
    pieces.iter().map(move |piece| {
        let size = usize::try_from(piece.size).unwrap_or(usize::MAX);
        rest.split_to(size.min(rest.len()))
    })
}

/// The sizes of what came between pauses.
fn sizes_between_pauses(arrivals: &[Arrival], pause: u64) -> Vec<usize> {
    let mut ends: Vec<(u64, u64)> = Vec::new();
    for arrival in arrivals {
        match ends.last_mut() {
            Some((end, at)) if arrival.at.saturating_sub(*at) < pause => {
                (*end, *at) = (arrival.end, arrival.at);
            }
            Some((end, _)) if *end == arrival.end => {}
            Some(_) | None => ends.push((arrival.end, arrival.at)),
        }
    }
    let mut start = 0;
    let sizes = ends.into_iter().map(|(end, _)| {
        let size = end.saturating_sub(start);
        start = end;
        usize::try_from(size).unwrap_or(usize::MAX)
    });
    sizes.filter(|size| *size > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(arrivals: &[(u64, u64)]) -> Vec<Arrival> {
        let side = Side::Server;
        let arrival = |(end, at): &(u64, u64)| Arrival {
            side,
            end: *end,
            at: *at,
        };
        arrivals.iter().map(arrival).collect()
    }

    fn found(
        unit: Option<ChunkKind>,
        body: &'static str,
        arrivals: &[(u64, u64)],
    ) -> Vec<(u64, u64)> {
        let body = Bytes::from_static(body.as_bytes());
        match split_body(unit, &body, &came(arrivals), 50) {
            Some(StreamContent::Chunks(_, pieces)) => {
                pieces.iter().map(|it| (it.size, it.at)).collect()
            }
            Some(StreamContent::Messages(..)) | None => Vec::new(),
        }
    }

    #[test]
    fn an_event_comes_with_its_last_byte() {
        let body = "data: a\n\ndata: b\n\ndata";
        let pieces = found(Some(ChunkKind::Event), body, &[(4, 10), (12, 20), (22, 30)]);
        assert_eq!(pieces, [(9, 20), (9, 30), (4, 30)]);
        assert_eq!(found(Some(ChunkKind::Event), "", &[]), []);
    }

    #[test]
    fn lines_that_come_together_have_one_time() {
        let pieces = found(Some(ChunkKind::Line), "{}\n[]\n", &[(6, 7), (6, 9)]);
        assert_eq!(pieces, [(3, 7), (3, 7)]);
    }

    #[test]
    fn chunks_are_what_pauses_keep_apart() {
        let body = "abcdef";
        let close = [(2, 0), (3, 40), (6, 89)];
        assert_eq!(found(None, body, &close), []);
        let apart = [(2, 0), (3, 40), (6, 90), (6, 500)];
        assert_eq!(found(None, body, &apart), [(3, 40), (3, 90)]);
    }

    #[test]
    fn a_body_is_cut_by_the_sizes_that_there_is_room_for() {
        let piece = |size| Chunk { at: 0, size };
        let body = Bytes::from_static(b"abcdef");
        let sizes = [piece(2), piece(0), piece(u64::MAX), piece(1)];
        let parts = chunk_bodies(body, &sizes);
        assert_eq!(parts.collect::<Vec<_>>(), ["ab", "", "cdef", ""]);
    }

    #[test]
    fn types_tell_their_units() {
        for (content_type, expected) in [
            ("text/event-stream", Some(ChunkKind::Event)),
            ("Text/Event-Stream; charset=utf-8", Some(ChunkKind::Event)),
            ("application/x-ndjson", Some(ChunkKind::Line)),
            ("application/json", None),
            ("text/plain", None),
        ] {
            assert_eq!(chunk_kind(content_type), expected, "{content_type}");
        }
    }
}
