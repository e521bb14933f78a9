//! Splits a body into the chunks of a stream, with the times at which they arrived.

use bytes::Bytes;

use crate::event_stream;
use ouli_message::stream::{Arrival, Chunk, ChunkKind, Side, StreamContent};

/// The kind of chunks in a body of this content type. None if the type does not imply one.
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

/// Content types in which each line is a value. A JSON text sequence starts each value with a
/// record separator and ends it with a line feed (RFC 7464).
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

/// Events without data, and blank lines, of which each is a chunk of its own: as many as a server
/// sends in hours to keep a connection open.
const MAX_BLANKS: usize = 1024;

/// Further ones that follow each other are one chunk of up to so many bytes.
const BLANK_CHUNK: usize = 4096;

/// Splits a decoded body into chunks, each with the arrival time of its last byte.
///
/// If the kind of chunks is unknown, pauses of at least `pause` microseconds separate them. None if
/// the body is a single chunk: then it is not a stream. The chunks depend on the body alone if
/// their kind is known, so that two recordings of the same body have the same.
///
/// # Errors
/// If there are more than `most` chunks.
pub fn split_body(
    kind: Option<ChunkKind>,
    body: &Bytes,
    arrivals: &[Arrival],
    pause: u64,
    most: usize,
) -> Result<Option<StreamContent>, TooManyChunks> {
    let arrived = arrivals
        .iter()
        .filter(|arrival| arrival.side == Side::Server);
    let (kind, sizes): (_, Box<dyn Iterator<Item = usize>>) = match kind {
        Some(ChunkKind::Event) => {
            let events = event_stream::event_sizes(body);
            let is_blank = event_stream::is_without_data;
            (
                ChunkKind::Event,
                Box::new(JoinBlanks::new(body, events, is_blank)),
            )
        }
        Some(ChunkKind::Line) => {
            let lines = event_stream::line_sizes(body);
            let is_blank = |line: &[u8]| line.trim_ascii().is_empty();
            (
                ChunkKind::Line,
                Box::new(JoinBlanks::new(body, lines, is_blank)),
            )
        }
        Some(ChunkKind::Raw) | None => {
            let sizes = sizes_between_pauses(arrived.clone(), pause);
            if sizes.len() < 2 {
                return Ok(None);
            }
            (ChunkKind::Raw, Box::new(sizes.into_iter()))
        }
    };
    let mut end = 0;
    let (last, mut arrived) = (arrived.clone().next_back(), arrived.peekable());
    let timed = sizes.map(|size| {
        end += size as u64;
        while arrived.next_if(|arrival| arrival.end < end).is_some() {}
        let arrival = arrived.peek().copied().or(last);
        Chunk {
            at: arrival.map_or(0, |arrival| arrival.at),
            size: size as u64,
        }
    });
    let mut chunks: Vec<_> = timed.take(most.saturating_add(1)).collect();
    if chunks.len() > most {
        return Err(TooManyChunks(most));
    }
    chunks.shrink_to_fit();
    Ok(Some(StreamContent::Chunks(kind, chunks)))
}

/// A body has too many chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the response has more than {0} events, lines or chunks")]
pub struct TooManyChunks(usize);

/// Joins blank chunks that follow each other, beyond [`MAX_BLANKS`]. A body of line ends would
/// otherwise have a chunk for each byte.
struct JoinBlanks<'a, I, F> {
    rest: &'a [u8],
    sizes: I,
    is_blank: F,
    blanks: usize,
    /// A chunk that was read already.
    next: Option<(usize, bool)>,
}

impl<'a, I: Iterator<Item = usize>, F: Fn(&[u8]) -> bool> JoinBlanks<'a, I, F> {
    fn new(rest: &'a [u8], sizes: I, is_blank: F) -> Self {
        Self {
            rest,
            sizes,
            is_blank,
            blanks: 0,
            next: None,
        }
    }

    /// The size of the next chunk, and whether it is blank.
    fn read(&mut self) -> Option<(usize, bool)> {
        if let Some(next) = self.next.take() {
            return Some(next);
        }
        let size = self.sizes.next()?;
        let (chunk, rest) = self.rest.split_at_checked(size)?;
        self.rest = rest;
        Some((size, (self.is_blank)(chunk)))
    }
}

impl<I: Iterator<Item = usize>, F: Fn(&[u8]) -> bool> Iterator for JoinBlanks<'_, I, F> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let (mut joined, is_blank) = self.read()?;
        if !is_blank {
            return Some(joined);
        }
        self.blanks += 1;
        if self.blanks <= MAX_BLANKS {
            return Some(joined);
        }
        while let Some((size, is_blank)) = self.read() {
            if !is_blank || joined + size > BLANK_CHUNK {
                self.next = Some((size, is_blank));
                break;
            }
            joined += size;
        }
        Some(joined)
    }
}

/// Slices a body into its chunks without copying. Bytes after the last chunk are dropped.
pub fn chunk_bodies(body: Bytes, chunks: &[Chunk]) -> impl Iterator<Item = Bytes> {
    let mut rest = body;
    chunks.iter().map(move |chunk| {
        let size = usize::try_from(chunk.size).unwrap_or(usize::MAX);
        rest.split_to(size.min(rest.len()))
    })
}

/// The sizes of the chunks between pauses.
fn sizes_between_pauses<'a>(arrivals: impl Iterator<Item = &'a Arrival>, pause: u64) -> Vec<usize> {
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

    fn arrived(arrivals: &[(u64, u64)]) -> Vec<Arrival> {
        let side = Side::Server;
        let arrival = |(end, at): &(u64, u64)| Arrival {
            side,
            end: *end,
            at: *at,
        };
        arrivals.iter().map(arrival).collect()
    }

    fn split(
        kind: Option<ChunkKind>,
        body: &'static str,
        arrivals: &[(u64, u64)],
    ) -> Vec<(u64, u64)> {
        let body = Bytes::from_static(body.as_bytes());
        match split_body(kind, &body, &arrived(arrivals), 50, 100).unwrap() {
            Some(StreamContent::Chunks(_, chunks)) => {
                chunks.iter().map(|it| (it.size, it.at)).collect()
            }
            Some(StreamContent::Messages(..)) | None => Vec::new(),
        }
    }

    #[test]
    fn an_event_arrives_with_its_last_byte() {
        let body = "data: a\n\ndata: b\n\ndata";
        let chunks = split(Some(ChunkKind::Event), body, &[(4, 10), (12, 20), (22, 30)]);
        assert_eq!(chunks, [(9, 20), (9, 30), (4, 30)]);
        assert_eq!(split(Some(ChunkKind::Event), "", &[]), []);
    }

    #[test]
    fn many_blank_chunks_in_a_row_are_joined() {
        let count = |kind, body: String| {
            let body = Bytes::from(body);
            match split_body(Some(kind), &body, &[], 50, 5000).unwrap() {
                Some(StreamContent::Chunks(_, chunks)) => {
                    let sum: u64 = chunks.iter().map(|chunk| chunk.size).sum();
                    assert_eq!(sum, body.len() as u64);
                    chunks.len()
                }
                Some(StreamContent::Messages(..)) | None => 0,
            }
        };
        for (kind, blank, other) in [
            (ChunkKind::Event, "\n", "data: x\n\n"),
            (ChunkKind::Event, ": c\r\n\r\n", "data: x\r\n\r\n"),
            (ChunkKind::Line, "\n", "{}\n"),
        ] {
            assert_eq!(count(kind, blank.repeat(1000)), 1000);
            let per_chunk = BLANK_CHUNK / blank.len();
            let many = blank.repeat(MAX_BLANKS + 3 * per_chunk);
            assert_eq!(count(kind, many.clone()), MAX_BLANKS + 3);
            // What is not blank stays a chunk of its own.
            assert_eq!(
                count(kind, many + other + other + blank + blank),
                MAX_BLANKS + 6
            );
            assert_eq!(count(kind, other.repeat(3000)), 3000);
        }
    }

    #[test]
    fn chunks_are_counted() {
        let body = Bytes::from_static(b"1\n2\n3\n");
        let split = |most| split_body(Some(ChunkKind::Line), &body, &[], 50, most);
        assert!(split(3).is_ok());
        let error = split(2).unwrap_err();
        assert!(error.to_string().contains("more than 2"), "{error}");
    }

    #[test]
    fn lines_of_one_arrival_have_the_same_time() {
        let chunks = split(Some(ChunkKind::Line), "{}\n[]\n", &[(6, 7), (6, 9)]);
        assert_eq!(chunks, [(3, 7), (3, 7)]);
    }

    #[test]
    fn pauses_separate_raw_chunks() {
        let body = "abcdef";
        let close = [(2, 0), (3, 40), (6, 89)];
        assert_eq!(split(None, body, &close), []);
        let apart = [(2, 0), (3, 40), (6, 90), (6, 500)];
        assert_eq!(split(None, body, &apart), [(3, 40), (3, 90)]);
    }

    #[test]
    fn chunk_sizes_beyond_the_body_are_clamped() {
        let chunk = |size| Chunk { at: 0, size };
        let body = Bytes::from_static(b"abcdef");
        let sizes = [chunk(2), chunk(0), chunk(u64::MAX), chunk(1)];
        let parts = chunk_bodies(body, &sizes);
        assert_eq!(parts.collect::<Vec<_>>(), ["ab", "", "cdef", ""]);
    }

    #[test]
    fn content_types_imply_the_kind_of_chunks() {
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
