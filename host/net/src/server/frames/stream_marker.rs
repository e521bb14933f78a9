//! Tells the handler of a request which HTTP/2 stream it came on. hyper does not, and an interim
//! response names its stream.
//!
//! The stream is the last field of the header block that h2 reads. A header block in several frames
//! or with padding has no marker, and its request gets no interim responses.

use http::HeaderMap;

use super::frame::{END_HEADERS, FrameHeader, HEADERS, PADDED};
use super::hpack;

const NAME: &str = "ouli-http2-stream";

/// The marker to append to the payload of a frame that opens a stream; empty if there is none.
pub(super) fn for_frame(header: &FrameHeader, max_frame_size: usize) -> Vec<u8> {
    let mut marker = Vec::new();
    let is_whole = header.flags & (END_HEADERS | PADDED) == END_HEADERS;
    if header.kind == HEADERS && is_whole && header.length > 0 {
        hpack::encode_field(&mut marker, NAME, header.stream_id.to_string().as_bytes());
    }
    if header.length + marker.len() > max_frame_size {
        marker.clear();
    }
    marker
}

/// Removes the marker from the fields of a request.
pub(in crate::server) fn take(headers: &mut HeaderMap) -> Option<u32> {
    let last = headers.get_all(NAME).iter().next_back()?;
    let stream_id = last.to_str().ok().and_then(|text| text.parse().ok());
    // It is the last field, so the order of the others stays as it is.
    headers.remove(NAME);
    stream_id
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn only_whole_header_blocks_have_a_marker() {
        let header = |kind, flags, length| FrameHeader {
            length,
            kind,
            flags,
            stream_id: 7,
        };
        let marked = |header: &FrameHeader| !for_frame(header, 100).is_empty();
        assert!(marked(&header(HEADERS, END_HEADERS, 10)));
        assert!(!marked(&header(HEADERS, 0, 10)), "it continues");
        assert!(!marked(&header(HEADERS, END_HEADERS | PADDED, 10)));
        assert!(!marked(&header(HEADERS, END_HEADERS, 0)));
        assert!(!marked(&header(HEADERS, END_HEADERS, 95)), "too large");
        assert!(!marked(&header(0, END_HEADERS, 10)), "DATA");
    }

    #[test]
    fn the_last_marker_counts_and_all_are_removed() {
        let mut headers = HeaderMap::new();
        assert_eq!(take(&mut headers), None);
        for value in ["1", "7"] {
            headers.append(NAME, HeaderValue::from_static(value));
        }
        assert_eq!(take(&mut headers), Some(7));
        assert!(headers.is_empty());
    }
}
