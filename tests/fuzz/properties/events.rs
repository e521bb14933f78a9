//! Event streams and lines: the chunks equal those of a simple reference implementation.

use bytes::Bytes;
use ouli_codec::chunks::{chunk_bodies, split_body};
use ouli_codec::event_stream;
use ouli_message::stream::{Arrival, ChunkKind, Side, StreamContent};

use super::choices::Dice;

const MARK: &[u8] = b"\xef\xbb\xbf";

/// The input is the body of a response.
pub(super) fn check(input: &[u8]) {
    let sizes = event_stream::event_sizes(input).collect::<Vec<_>>();
    assert_eq!(sizes, plain_events(input));
    let mut start = 0;
    for size in &sizes {
        data_is_in_lines(&input[start..start + size]);
        start += size;
    }
    let lines: Vec<_> = input
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::len)
        .collect();
    assert!(event_stream::line_sizes(input).eq(lines));
    in_pieces(input);
}

/// The lines of a text with their ends: LF, CRLF or CR.
fn plain_lines(text: &[u8]) -> Vec<(&[u8], usize)> {
    let mut lines = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let rest = &text[start..];
        let length = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let length = length.unwrap_or(rest.len());
        let end = match rest[length..] {
            [b'\r', b'\n', ..] => 2,
            [] => 0,
            _ => 1,
        };
        lines.push((&rest[..length], end));
        start += length + end;
    }
    lines
}

fn plain_events(body: &[u8]) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mark = if body.starts_with(MARK) {
        MARK.len()
    } else {
        0
    };
    let mut size = mark;
    for (line, end) in plain_lines(&body[mark..]) {
        size += line.len() + end;
        if line.is_empty() {
            sizes.push(size);
            size = 0;
        }
    }
    sizes.extend(Some(size).filter(|size| *size > 0));
    sizes
}

fn data_is_in_lines(event: &[u8]) {
    let text = event.strip_prefix(MARK).unwrap_or(event);
    let values = plain_lines(text).into_iter().filter_map(|(line, _)| {
        let value = line.strip_prefix(b"data:")?;
        Some(value.strip_prefix(b" ").unwrap_or(value))
    });
    let found = event_stream::data_ranges(event)
        .into_iter()
        .map(|range| &event[range]);
    assert!(found.eq(values), "{event:?}");
}

/// With any arrival times, the chunks make up the body, and their times do not decrease.
fn in_pieces(input: &[u8]) {
    let mut dice = Dice::of(input);
    let body = Bytes::copy_from_slice(input);
    let (mut end, mut at) = (0, 0);
    let arrivals: Vec<_> = dice
        .cut(input, 30)
        .into_iter()
        .map(|piece| {
            end += piece.len() as u64;
            at += piece.len() as u64 * 7 % 11;
            let side = Side::Server;
            Arrival { side, end, at }
        })
        .collect();
    for unit in [None, Some(ChunkKind::Event), Some(ChunkKind::Line)] {
        let Some(StreamContent::Chunks(_, pieces)) =
            split_body(unit, &body, &arrivals, 5, usize::MAX).unwrap()
        else {
            continue;
        };
        assert!(pieces.is_sorted_by_key(|piece| piece.at));
        assert!(pieces.iter().all(|piece| piece.size > 0));
        let joined: Vec<_> = chunk_bodies(body.clone(), &pieces).flatten().collect();
        assert_eq!(joined, input);
    }
}
