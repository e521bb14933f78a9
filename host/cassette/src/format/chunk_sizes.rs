//! The sizes of the chunks of a body: derived from its content, or stored and made to fit.

use ouli_codec::event_stream::{event_sizes, line_sizes};
use ouli_message::Content;
use ouli_message::stream::{Chunk, ChunkKind};

/// The sizes that follow from the content of a body; `None` if they have to be stored.
fn sizes_from_content(unit: ChunkKind, body: &Content) -> Option<impl Iterator<Item = u64>> {
    let Content::Inline(bytes) = body else {
        return None;
    };
    let sizes: Box<dyn Iterator<Item = usize>> = match unit {
        ChunkKind::Event => Box::new(event_sizes(bytes)),
        ChunkKind::Line => Box::new(line_sizes(bytes)),
        ChunkKind::Raw => return None,
    };
    Some(sizes.map(|size| size as u64))
}

/// True if the sizes have to be stored.
pub(super) fn need_sizes(unit: ChunkKind, chunks: &[Chunk], body: &Content) -> bool {
    let sizes = chunks.iter().map(|chunk| chunk.size);
    !chunks.is_empty() && !sizes_from_content(unit, body).is_some_and(|derived| sizes.eq(derived))
}

/// The chunks of a body: with the stored sizes, otherwise with those that follow from its content.
pub(super) fn build_chunks(
    unit: ChunkKind,
    stored: Option<Vec<u64>>,
    at: &[u64],
    body: &Content,
) -> Vec<Chunk> {
    let sizes = stored
        .or_else(|| sizes_from_content(unit, body).map(Iterator::collect))
        .unwrap_or_default();
    let sizes = fit_sizes(sizes, body.size());
    let times = fit_times(at, sizes.len());
    times
        .zip(sizes)
        .map(|(at, size)| Chunk { at, size })
        .collect()
}

/// One time for each chunk or message. If a user added some, they get the last time; if a user
/// removed some, the surplus times are ignored.
pub(super) fn fit_times(at: &[u64], count: usize) -> impl Iterator<Item = u64> {
    let last = at.last().copied().unwrap_or(0);
    let missing = std::iter::repeat(last);
    at.iter().copied().chain(missing).take(count)
}

/// Sizes that add up to `total`. If a user made the body longer, the last chunk grows; if a user
/// made it shorter, chunks are cut off at its end.
fn fit_sizes(mut sizes: Vec<u64>, total: u64) -> Vec<u64> {
    let mut left = total;
    let mut complete = 0;
    while let Some(size) = sizes.get(complete).filter(|size| **size <= left) {
        left -= size;
        complete += 1;
    }
    let cut = complete < sizes.len();
    sizes.truncate(complete);
    match sizes.last_mut().filter(|_| !cut) {
        Some(last) => *last += left,
        None if left > 0 => sizes.push(left),
        None => {}
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_fitted_to_the_body() {
        let cases: [(&[u64], u64, &[u64]); 12] = [
            (&[], 0, &[]),
            (&[], 7, &[7]),
            (&[3, 4], 7, &[3, 4]),
            (&[3, 4], 9, &[3, 6]),
            (&[3, 4], 5, &[3, 2]),
            (&[3, 4], 3, &[3]),
            (&[3, 4], 0, &[]),
            (&[0], 0, &[0]),
            (&[3, 0], 3, &[3, 0]),
            (&[3, 0, 1], 3, &[3, 0]),
            (&[u64::MAX, u64::MAX], 2, &[2]),
            (&[0, u64::MAX, 1], u64::MAX, &[0, u64::MAX]),
        ];
        for (sizes, total, expected) in cases {
            assert_eq!(
                fit_sizes(sizes.to_vec(), total),
                expected,
                "{sizes:?} {total}"
            );
        }
    }

    #[test]
    fn times_are_fitted_to_the_count() {
        let cases: [(&[u64], usize, &[u64]); 4] = [
            (&[], 2, &[0, 0]),
            (&[5, 9], 3, &[5, 9, 9]),
            (&[5, 9], 2, &[5, 9]),
            (&[5, 9], 1, &[5]),
        ];
        for (at, count, expected) in cases {
            assert_eq!(fit_times(at, count).collect::<Vec<_>>(), expected);
        }
    }
}
