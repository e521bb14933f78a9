//! Reading a large cassette on several threads, each from one boundary to another.

use std::num::NonZero;
use std::ops::Range;
use std::thread;

use bytes::Bytes;
use memchr::memmem;

use crate::format::decode::{BOUNDARY, ParseResult, RecordedExchange, parse_exchange};

/// Reads the exchanges from `start` on into `exchanges`, up to the end or to the first that does
/// not read well; says where it stopped.
///
/// Where a hand has put a boundary into a body, the part before it does not read to its end, and
/// all after it is left to the caller.
pub(crate) fn decode_parallel(
    bytes: &Bytes,
    start: usize,
    exchanges: &mut Vec<RecordedExchange>,
) -> usize {
    let chunks = split(bytes, start);
    let parts = thread::scope(|scope| {
        let (first, others) = chunks
            .split_first()
            .expect("split gives at least one chunk");
        let others: Vec<_> = others
            .iter()
            .map(|chunk| {
                thread::Builder::new().spawn_scoped(scope, || decode_chunk(bytes, chunk.clone()))
            })
            .collect();
        let mut parts = vec![decode_chunk(bytes, first.clone())];
        for (thread, chunk) in others.into_iter().zip(&chunks[1..]) {
            parts.push(match thread.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(part)) => part,
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                Err(_) => decode_chunk(bytes, chunk.clone()),
            });
        }
        parts
    });
    join(parts, &chunks, exchanges)
}

fn join(
    parts: Vec<(Vec<RecordedExchange>, usize)>,
    chunks: &[Range<usize>],
    exchanges: &mut Vec<RecordedExchange>,
) -> usize {
    exchanges.reserve_exact(parts.iter().map(|(read, _)| read.len()).sum());
    let mut stop = chunks[0].start;
    for ((read, end), chunk) in parts.into_iter().zip(chunks) {
        exchanges.extend(read);
        stop = end;
        if end < chunk.end {
            break;
        }
    }
    stop
}

/// The exchanges of a chunk, and where the first stands that does not read well.
fn decode_chunk(bytes: &Bytes, chunk: Range<usize>) -> (Vec<RecordedExchange>, usize) {
    let mut exchanges = Vec::with_capacity(chunk.len() / 2048);
    let mut at = chunk.start;
    loop {
        match parse_exchange(bytes, at..chunk.end) {
            ParseResult::Exchange(recorded, end) => {
                exchanges.push(*recorded);
                at = end;
            }
            ParseResult::End => return (exchanges, chunk.end),
            ParseResult::Invalid(_, start) => return (exchanges, start),
        }
    }
}

/// About equal parts that end at boundaries.
fn split(bytes: &[u8], start: usize) -> Vec<Range<usize>> {
    let rest = bytes.len() - start;
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let wanted = cores.min(MAX_THREADS).min(rest / MIN_CHUNK_BYTES).max(1);
    let mut chunks = Vec::with_capacity(wanted);
    let mut from = start;
    for part in 1..wanted {
        let aim = (start + rest / wanted * part).max(from);
        let Some(found) = memmem::find(&bytes[aim..], BOUNDARY) else {
            break;
        };
        chunks.push(from..aim + found + 1);
        from = aim + found + 1;
    }
    chunks.push(from..bytes.len());
    chunks
}

/// Beyond these, memory is what takes the time.
const MAX_THREADS: usize = 8;

/// Bytes that are worth a thread.
const MIN_CHUNK_BYTES: usize = 256 * 1024;
