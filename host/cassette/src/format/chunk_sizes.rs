//! The sizes of a body's pieces: found again by its content, or noted and made to fit.

use ouli_codec::event_stream::{event_sizes, line_sizes};
use ouli_message::Content;
use ouli_message::stream::{Chunk, ChunkKind};

/// The sizes that the content of a body tells; none where only a note can say them.
pub(super) fn sizes_from_content(unit: ChunkKind, body: &Content) -> Option<Vec<u64>> {
    let Content::Inline(bytes) = body else {
        return None;
    };
    let sizes = match unit {
        ChunkKind::Event => event_sizes(bytes),
        ChunkKind::Line => line_sizes(bytes),
        ChunkKind::Raw => return None,
    };
    Some(sizes.into_iter().map(|size| size as u64).collect())
}

/// True where the sizes have to be noted.
pub(super) fn need_sizes(unit: ChunkKind, pieces: &[Chunk], body: &Content) -> bool {
    let sizes = pieces.iter().map(|piece| piece.size);
    !pieces.is_empty() && !sizes_from_content(unit, body).is_some_and(|told| sizes.eq(told))
}

/// The pieces of a body: of the sizes that were noted, else of those that it tells.
pub(super) fn build_chunks(
    unit: ChunkKind,
    noted: Option<Vec<u64>>,
    at: &[u64],
    body: &Content,
) -> Vec<Chunk> {
    let sizes = noted
        .or_else(|| sizes_from_content(unit, body))
        .unwrap_or_default();
    let sizes = fit_sizes(sizes, body.size());
    let times = fit_times(at, sizes.len());
    times
        .zip(sizes)
        .map(|(at, size)| Chunk { at, size })
        .collect()
}

/// As many offsets as there are pieces or turns. Where a hand added some, the last offset counts
/// for them; where it took some away, the offsets that are left over do not count.
pub(super) fn fit_times(at: &[u64], count: usize) -> impl Iterator<Item = u64> {
    let last = at.last().copied().unwrap_or(0);
    let rest = std::iter::repeat(last);
    at.iter().copied().chain(rest).take(count)
}

/// Sizes that add up to `total`. Where a hand made the body longer, the last piece takes the rest;
/// where it made it shorter, pieces are cut off at its end.
fn fit_sizes(mut sizes: Vec<u64>, total: u64) -> Vec<u64> {
    let mut left = total;
    let mut whole = 0;
    while let Some(size) = sizes.get(whole).filter(|size| **size <= left) {
        left -= size;
        whole += 1;
    }
    let cut = whole < sizes.len();
    sizes.truncate(whole);
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
    fn sizes_are_made_to_fit() {
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
    fn times_are_made_to_fit() {
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
