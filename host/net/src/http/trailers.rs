//! Which trailer fields are forwarded (RFC 9110, section 6.5).

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    HOST, MAX_FORWARDS, SET_COOKIE, TE, TRAILER,
};
use http::{HeaderMap, HeaderName};

use super::forwarding::is_hop_by_hop_field;

/// Fields that frame, route or authenticate a message, or tell how its content is processed: a
/// recipient may not act on them in a trailer section (RFC 9110, section 6.5.1).
const FORBIDDEN: [HeaderName; 11] = [
    AUTHORIZATION,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    HOST,
    MAX_FORWARDS,
    SET_COOKIE,
    TE,
    TRAILER,
];

/// The trailer section of HTTP/1.1 without its last line (RFC 9112, section 7.1.2).
pub(crate) fn encode(trailers: &HeaderMap) -> Vec<u8> {
    let mut section = Vec::new();
    for (name, value) in trailers {
        if !FORBIDDEN.contains(name) && !is_hop_by_hop_field(name) {
            section.extend_from_slice(name.as_str().as_bytes());
            section.extend_from_slice(b": ");
            section.extend_from_slice(value.as_bytes());
            section.extend_from_slice(b"\r\n");
        }
    }
    section
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn leaves_out_what_a_trailer_section_may_not_contain() {
        let mut trailers = HeaderMap::new();
        for (name, value) in [
            ("x-sum", "1"),
            ("content-length", "9"),
            ("transfer-encoding", "chunked"),
            ("connection", "close"),
            ("x-sum", "2"),
        ] {
            trailers.append(name, HeaderValue::from_static(value));
        }
        assert_eq!(encode(&trailers), b"x-sum: 1\r\nx-sum: 2\r\n");
    }
}
