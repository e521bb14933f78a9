//! Decodes a large cassette on several threads: each thread decodes a chunk of the file that ends
//! at a boundary.

use std::num::NonZero;
use std::ops::Range;
use std::thread;

use bytes::Bytes;

use super::boundary;
use super::exchange_reader::{ParseResult, RecordedExchange, parse_exchange};

/// More threads do not help: the memory bandwidth is the limit.
const MAX_THREADS: usize = 8;

/// A chunk of fewer bytes is not worth a thread.
const MIN_CHUNK_BYTES: usize = 256 * 1024;

/// Decodes the exchanges from `start` on into `exchanges`, and stops at the end or at the first
/// exchange that cannot be read. Returns the offset where it stopped.
///
/// If a user pasted a boundary into a body, the chunk that ends there cannot be read to its end.
/// The caller then decodes the rest.
pub(super) fn decode_parallel(
    bytes: &Bytes,
    start: usize,
    exchanges: &mut Vec<RecordedExchange>,
) -> usize {
    let chunks = split(bytes, start);
    let results = thread::scope(|scope| {
        let (first, others) = chunks
            .split_first()
            .expect("split returns at least one chunk");
        let threads: Vec<_> = others
            .iter()
            .map(|chunk| {
                thread::Builder::new().spawn_scoped(scope, || decode_chunk(bytes, chunk.clone()))
            })
            .collect();
        let mut results = vec![decode_chunk(bytes, first.clone())];
        for (thread, chunk) in threads.into_iter().zip(others) {
            results.push(match thread.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(result)) => result,
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                // The thread could not be started.
                Err(_) => decode_chunk(bytes, chunk.clone()),
            });
        }
        results
    });
    join(results, &chunks, exchanges)
}

/// Appends the results up to the first chunk that was not read to its end.
fn join(
    results: Vec<(Vec<RecordedExchange>, usize)>,
    chunks: &[Range<usize>],
    exchanges: &mut Vec<RecordedExchange>,
) -> usize {
    exchanges.reserve_exact(results.iter().map(|(decoded, _)| decoded.len()).sum());
    let mut stop = chunks[0].start;
    for ((decoded, end), chunk) in results.into_iter().zip(chunks) {
        exchanges.extend(decoded);
        stop = end;
        if end < chunk.end {
            break;
        }
    }
    stop
}

/// The exchanges of a chunk, and the offset of the first one that cannot be read.
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

/// Splits the file into chunks of similar size that end at boundaries.
fn split(bytes: &[u8], start: usize) -> Vec<Range<usize>> {
    let size = bytes.len() - start;
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let count = cores.min(MAX_THREADS).min(size / MIN_CHUNK_BYTES).max(1);
    let mut chunks = Vec::with_capacity(count);
    let mut from = start;
    for index in 1..count {
        let aim = (start + size / count * index).max(from);
        let Some(found) = boundary::find_start(&bytes[aim..]) else {
            break;
        };
        let end = aim + found;
        chunks.push(from..end);
        from = end;
    }
    chunks.push(from..bytes.len());
    chunks
}
