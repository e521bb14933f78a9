//! Chunks of a body after redaction.

use bytes::Bytes;

use ouli_message::stream::Chunk;

/// Joins redacted chunks to a body and updates the recorded sizes. The body before is not copied if
/// nothing has changed. If there are fewer chunks than before, the last one gets the time at which
/// the whole body had arrived.
pub(super) fn join_chunks(before: &Bytes, redacted: &[Bytes], chunks: &mut Vec<Chunk>) -> Bytes {
    let last_at = chunks.last().map_or(0, |chunk| chunk.at);
    let has_fewer = redacted.len() < chunks.len();
    chunks.truncate(redacted.len());
    for (chunk, bytes) in chunks.iter_mut().zip(redacted) {
        chunk.size = bytes.len() as u64;
    }
    if let Some(chunk) = chunks.last_mut().filter(|_| has_fewer) {
        chunk.at = last_at;
    }
    if is_divided_into(before, redacted) {
        return before.clone();
    }
    redacted.concat().into()
}

/// True if the parts of a body make up the whole of it.
fn is_divided_into(body: &[u8], parts: &[Bytes]) -> bool {
    let mut rest = body;
    let are_parts = parts.iter().all(|part| {
        let after = rest.strip_prefix(&part[..]);
        rest = after.unwrap_or(rest);
        after.is_some()
    });
    are_parts && rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_the_last_arrival_follow_the_redacted_chunks() {
        let chunk = |at, size| Chunk { at, size };
        let mut chunks = vec![chunk(1, 10), chunk(2, 10), chunk(3, 10)];
        let body = Bytes::from(vec![b'x'; 30]);
        let redacted = [Bytes::from_static(b"one"), Bytes::from_static(b"rest")];
        assert_eq!(join_chunks(&body, &redacted, &mut chunks), "onerest");
        assert_eq!(chunks, [chunk(1, 3), chunk(3, 4)]);
        let parts = [body.slice(..3), body.slice(3..)];
        let joined = join_chunks(&body, &parts, &mut chunks);
        assert_eq!(joined.as_ptr(), body.as_ptr(), "nothing is copied");
    }
}
