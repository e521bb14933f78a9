//! Interim responses as bytes of HTTP/1.1 and HTTP/2.

use http::{HeaderMap, StatusCode};

use crate::server::frames::{END_HEADERS, HEADERS, encode_frame, hpack};

/// The largest frame that every client accepts (RFC 9113, section 4.2).
const MAX_FRAME_SIZE: usize = 16 << 10;

/// The status line and the fields.
pub(super) fn http1(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// A HEADERS frame. Its fields use no HPACK table, so the table of h2 stays valid. Empty if it
/// would be too large: a client need not get an interim response.
pub(super) fn http2(stream_id: u32, status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let mut block = Vec::new();
    hpack::encode_status(&mut block, status.as_str());
    for (name, value) in headers {
        hpack::encode_field(&mut block, name.as_str(), value.as_bytes());
    }
    if block.len() > MAX_FRAME_SIZE {
        return Vec::new();
    }
    let mut frame = encode_frame(HEADERS, END_HEADERS, &block);
    frame[5..9].copy_from_slice(&stream_id.to_be_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn links() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for link in ["</a>", "</b>"] {
            headers.append("link", HeaderValue::from_static(link));
        }
        headers
    }

    #[test]
    fn http1_has_a_status_line_and_all_fields() {
        assert_eq!(
            http1(StatusCode::EARLY_HINTS, &links()),
            b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nlink: </b>\r\n\r\n"
        );
    }

    #[test]
    fn http2_has_literal_fields() {
        let frame = http2(5, StatusCode::EARLY_HINTS, &links());
        let block = b"\x08\x03103\x00\x04link\x04</a>\x00\x04link\x04</b>";
        let header = [0, 0, block.len() as u8, HEADERS, END_HEADERS, 0, 0, 0, 5];
        assert_eq!(frame, [&header[..], block].concat());
    }

    #[test]
    fn http2_has_no_frame_that_a_client_may_reject() {
        let mut headers = HeaderMap::new();
        let long = "x".repeat(MAX_FRAME_SIZE);
        headers.append("link", HeaderValue::try_from(long).unwrap());
        assert!(http2(1, StatusCode::EARLY_HINTS, &headers).is_empty());
    }
}
