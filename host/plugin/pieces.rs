//! A body as pieces, and as one again.

use bytes::Bytes;

use crate::exchange::stream::Piece;

/// The pieces of a body.
pub(super) fn cut(body: &[u8], pieces: &[Piece]) -> Vec<Bytes> {
    let mut rest = body;
    let parts = pieces.iter().map(|piece| {
        let size = usize::try_from(piece.size).unwrap_or(usize::MAX);
        let (part, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        Bytes::copy_from_slice(part)
    });
    parts.collect()
}

/// The body of these parts, whose sizes are noted. Where there are fewer parts than before, the
/// last one came when all had come.
pub(super) fn join(parts: &[Bytes], pieces: &mut Vec<Piece>) -> Bytes {
    let last = pieces.last().map_or(0, |piece| piece.at);
    let fewer = parts.len() < pieces.len();
    pieces.truncate(parts.len());
    for (piece, part) in pieces.iter_mut().zip(parts) {
        piece.size = part.len() as u64;
    }
    if let Some(piece) = pieces.last_mut().filter(|_| fewer) {
        piece.at = last;
    }
    parts.concat().into()
}
