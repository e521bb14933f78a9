//! Finds the frames in a byte stream that arrives in chunks of any size.

use super::frame::{FRAME_HEADER_LEN, FrameHeader};

/// The next part of a frame.
pub(super) enum FrameEvent<'a> {
    /// A complete header.
    Header(FrameHeader),
    /// A part of the payload that follows it.
    Payload(&'a [u8]),
}

/// The position in a stream of frames.
#[derive(Debug, Default)]
pub(super) struct FrameScanner {
    header: [u8; FRAME_HEADER_LEN],
    header_len: usize,
    payload_left: usize,
}

impl FrameScanner {
    /// The next event. Removes what it consumed from `bytes`; `None` once more bytes are needed.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<FrameEvent<'a>> {
        if self.payload_left > 0 && !bytes.is_empty() {
            let (payload, rest) = bytes.split_at(self.payload_left.min(bytes.len()));
            self.payload_left -= payload.len();
            *bytes = rest;
            return Some(FrameEvent::Payload(payload));
        }
        let (header, rest) = bytes.split_at((FRAME_HEADER_LEN - self.header_len).min(bytes.len()));
        self.header[self.header_len..][..header.len()].copy_from_slice(header);
        self.header_len += header.len();
        *bytes = rest;
        if self.header_len < FRAME_HEADER_LEN {
            return None;
        }
        let header = FrameHeader::parse(self.header);
        (self.header_len, self.payload_left) = (0, header.length);
        Some(FrameEvent::Header(header))
    }

    /// True between two frames.
    pub(super) fn is_at_boundary(&self) -> bool {
        self.header_len == 0 && self.payload_left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{DATA, PING, encode_frame};
    use super::*;

    #[test]
    fn finds_frames_in_chunks_of_any_size() {
        let frames = [
            encode_frame(PING, 0, b"12345678"),
            encode_frame(DATA, 1, b""),
            encode_frame(DATA, 0, b"ab"),
        ]
        .concat();
        for size in [1, 2, 9, 10, 1000] {
            let mut scanner = FrameScanner::default();
            let (mut headers, mut payload) = (Vec::new(), Vec::<u8>::new());
            for mut chunk in frames.chunks(size) {
                while let Some(event) = scanner.next(&mut chunk) {
                    match event {
                        FrameEvent::Header(header) => headers.push((header.kind, header.length)),
                        FrameEvent::Payload(bytes) => payload.extend(bytes),
                    }
                }
            }
            assert_eq!(headers, [(PING, 8), (DATA, 0), (DATA, 2)], "{size}");
            assert_eq!(payload, b"12345678ab", "{size}");
            assert!(scanner.is_at_boundary());
        }
    }
}
