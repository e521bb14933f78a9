//! Pieces as a body again.

use bytes::Bytes;

use ouli_message::stream::Chunk;

/// The body of these parts, whose sizes are noted. Where there are fewer parts than before, the
/// last one came when all had come.
pub(crate) fn join_chunks(parts: &[Bytes], pieces: &mut Vec<Chunk>) -> Bytes {
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
