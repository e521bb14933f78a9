//! Finds the frames of a Zstandard body (RFC 8878, section 3.1).

use super::extra::Extra;

/// The offset of the end of the last frame. The content of skippable frames is metadata.
pub(super) fn end_of_frames(bytes: &[u8], extra: &mut Extra) -> usize {
    let mut at = 0;
    while let Some([first, rest @ ..]) = bytes.get(at..at + 4) {
        let is_skippable = first & 0xf0 == 0x50 && *rest == SKIPPABLE_MAGIC;
        if !is_skippable && [*first, rest[0], rest[1], rest[2]] != MAGIC {
            break;
        }
        let Ok(size) = zstd::zstd_safe::find_frame_compressed_size(&bytes[at..]) else {
            break;
        };
        if is_skippable {
            let content = bytes.get(at + SKIPPABLE_HEADER..at + size);
            extra.add_metadata(content.unwrap_or_default());
        }
        at += size;
    }
    at
}

/// The first bytes of a frame.
pub(super) const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The bytes of a skippable frame after the first, which is from 0x50 to 0x5f.
const SKIPPABLE_MAGIC: [u8; 3] = [0x2a, 0x4d, 0x18];
/// Size of the magic number and the size of a skippable frame.
const SKIPPABLE_HEADER: usize = 8;
