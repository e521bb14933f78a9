//! Which header fields a reverse proxy forwards (RFC 9110, section 7.6.1).

use bytes::BytesMut;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, TE, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use ouli_codec::content_coding;

/// The session of a request.
pub const SESSION: &str = "ouli-session";

/// An alias, used by google/test-server.
pub const SESSION_ALIAS: &str = "test-name";

/// Hop-by-hop fields, besides those that `connection` names. `te` is handled separately.
const HOP_BY_HOP: [HeaderName; 6] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
];

/// How request fields are rewritten.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rewrite {
    /// Accept only content codings that can be decoded, so that recordings can be read.
    pub restrict_codings: bool,
    /// Keep `expect`: the upstream decides whether the client sends the body.
    pub forward_expect: bool,
}

/// The request fields for the upstream. Order and repetition are kept, except that there is one
/// `cookie`: HTTP/2 clients may split it (RFC 9113, section 8.2.3). `host` is left out: the URI of
/// the request names the authority.
pub fn request_headers(headers: &HeaderMap, rewrite: Rewrite) -> HeaderMap {
    let options = connection_options(headers);
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let dropped = is_hop_by_hop(name, &options)
            || (*name == EXPECT && !rewrite.forward_expect)
            || *name == HOST
            || (*name == COOKIE && kept.contains_key(COOKIE))
            || name == SESSION
            || name == SESSION_ALIAS
            || (*name == TE && value != "trailers");
        if dropped {
            continue;
        }
        let value = if rewrite.restrict_codings && *name == ACCEPT_ENCODING {
            restrict_accept_encoding(value)
        } else if *name == COOKIE {
            join_cookies(headers)
        } else {
            value.clone()
        };
        kept.append(name.clone(), value);
    }
    kept
}

/// The value of `cookie`, joined where it is split (RFC 9113, section 8.2.3).
fn join_cookies(headers: &HeaderMap) -> HeaderValue {
    let mut values = headers.get_all(COOKIE).iter();
    let first = values.next().cloned();
    let first = first.unwrap_or_else(|| HeaderValue::from_static(""));
    let rest: Vec<_> = values.map(HeaderValue::as_bytes).collect();
    if rest.is_empty() {
        return first;
    }
    let joined = [&[first.as_bytes()], rest.as_slice()]
        .concat()
        .join(&b"; "[..]);
    // Never fails: the parts are valid values.
    let mut joined = HeaderValue::from_maybe_shared(bytes::Bytes::from(joined)).unwrap_or(first);
    joined.set_sensitive(
        headers
            .get_all(COOKIE)
            .iter()
            .any(HeaderValue::is_sensitive),
    );
    joined
}

/// Copies the field values into memory of their own. Otherwise they keep alive the much larger
/// buffer that they were read into, for as long as they are in an HPACK table (RFC 7541, section
/// 2.3.2).
pub(crate) fn detach(headers: &mut HeaderMap) {
    let size = headers.values().map(HeaderValue::len).sum();
    let mut copied = BytesMut::with_capacity(size);
    for value in headers.values_mut() {
        copied.extend_from_slice(value.as_bytes());
        let copy = HeaderValue::from_maybe_shared(copied.split().freeze());
        // Never fails: the bytes are those of a valid value.
        if let Ok(mut copy) = copy {
            copy.set_sensitive(value.is_sensitive());
            *value = copy;
        }
    }
}

/// The response fields that the client is sent.
pub fn response_headers(mut headers: HeaderMap) -> HeaderMap {
    collapse_content_length(&mut headers);
    let options = connection_options(&headers);
    if !headers.keys().any(|name| is_hop_by_hop(name, &options)) {
        return headers;
    }
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in &headers {
        if !is_hop_by_hop(name, &options) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

/// A response may repeat its length, also within one field, but clients need not accept that
/// (RFC 9110, section 8.6). hyper has already rejected lengths that differ.
fn collapse_content_length(headers: &mut HeaderMap) {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else {
        return;
    };
    if lengths.next().is_none() && !first.as_bytes().contains(&b',') {
        return;
    }
    let first = first.as_bytes().split(|byte| *byte == b',').next();
    let length = first.map(|length| HeaderValue::from_bytes(length.trim_ascii()));
    if let Some(Ok(length)) = length {
        headers.insert(CONTENT_LENGTH, length);
    }
}

/// True for a field that is never forwarded.
pub(super) fn is_hop_by_hop_field(name: &HeaderName) -> bool {
    is_hop_by_hop(name, &[])
}

fn is_hop_by_hop(name: &HeaderName, options: &[HeaderName]) -> bool {
    HOP_BY_HOP.contains(name) || options.contains(name)
}

/// The fields that `connection` declares as hop-by-hop, except those that must be forwarded.
fn connection_options(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .filter(|name| name != "close" && name != "keep-alive" && *name != TE)
        .filter(|name| !PROTECTED_FIELDS.contains(&name.as_str()))
        .collect()
}

/// Fields that `connection` cannot remove: they identify the client or describe the body.
const PROTECTED_FIELDS: [&str; 6] = [
    "authorization",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "host",
];

fn restrict_accept_encoding(value: &HeaderValue) -> HeaderValue {
    let restricted = value.to_str().map(content_coding::restrict);
    restricted
        .ok()
        .and_then(|text| HeaderValue::try_from(text).ok())
        .unwrap_or_else(|| HeaderValue::from_static("identity"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn forwards_only_end_to_end_fields() {
        let sent = map(&[
            ("host", "127.0.0.1:8080"),
            ("connection", "keep-alive, x-mine, authorization"),
            ("keep-alive", "timeout=5"),
            ("x-mine", "1"),
            ("authorization", "Bearer x"),
            ("te", "trailers, deflate"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
            ("ouli-session", "a"),
            ("test-name", "a"),
            ("accept", "*/*"),
        ]);
        let kept = request_headers(&sent, Rewrite::default());
        let expected = map(&[("authorization", "Bearer x"), ("accept", "*/*")]);
        assert_eq!(kept, expected);
    }

    #[test]
    fn forwards_te_trailers() {
        let sent = map(&[("te", "trailers")]);
        assert_eq!(request_headers(&sent, Rewrite::default()), sent);
    }

    #[test]
    fn joins_split_cookies_where_the_first_one_is() {
        let mut sent = map(&[("a", "1"), ("cookie", "one=1"), ("b", "2")]);
        for cookie in ["two=2", "three=3; four=4"] {
            sent.append("cookie", HeaderValue::from_static(cookie));
        }
        let kept = request_headers(&sent, Rewrite::default());
        let fields: Vec<_> = kept
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        let cookie = ("cookie", "one=1; two=2; three=3; four=4");
        assert_eq!(fields, [("a", "1"), cookie, ("b", "2")]);
        let single = map(&[("cookie", "one=1; two=2")]);
        assert_eq!(request_headers(&single, Rewrite::default()), single);
    }

    #[test]
    fn restricts_content_codings_to_those_it_decodes() {
        let sent = map(&[("accept-encoding", "gzip, snappy, br")]);
        let rewrite = Rewrite {
            restrict_codings: true,
            ..Rewrite::default()
        };
        let kept = request_headers(&sent, rewrite);
        assert_eq!(kept, map(&[("accept-encoding", "gzip, br")]));
    }

    #[test]
    fn keeps_repeated_response_fields_in_order() {
        let mut sent = map(&[("connection", "close")]);
        for cookie in ["a=1", "b=2"] {
            sent.append("set-cookie", HeaderValue::from_static(cookie));
        }
        let kept = response_headers(sent);
        let cookies: Vec<_> = kept.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(kept.len(), 2);
    }

    #[test]
    fn collapses_a_repeated_content_length() {
        for sent in [
            map(&[("content-length", "3, 3")]),
            map(&[("content-length", "3"), ("content-length", "3")]),
            map(&[("content-length", "3,3"), ("content-length", "3")]),
        ] {
            assert_eq!(response_headers(sent), map(&[("content-length", "3")]));
        }
    }

    #[test]
    fn detach_copies_values_and_releases_the_buffer() {
        use std::sync::Arc;

        #[derive(Clone)]
        struct ReadBuffer(Arc<[u8]>);

        impl AsRef<[u8]> for ReadBuffer {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        let buffer = ReadBuffer(Arc::from(&b"onetwo\xff"[..]));
        let bytes = bytes::Bytes::from_owner(buffer.clone());
        let mut headers = HeaderMap::new();
        let ranges = [("a", 0..3), ("b", 0..0), ("a", 3..7)];
        for (name, range) in ranges {
            let value = HeaderValue::from_maybe_shared(bytes.slice(range)).unwrap();
            headers.append(name, value);
        }
        headers.get_mut("b").unwrap().set_sensitive(true);
        drop(bytes);
        let before: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_bytes().to_vec()))
            .collect();
        assert_eq!(Arc::strong_count(&buffer.0), 2);
        detach(&mut headers);
        assert_eq!(Arc::strong_count(&buffer.0), 1);
        let after: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_bytes().to_vec()))
            .collect();
        assert_eq!(before, after);
        assert!(headers["b"].is_sensitive() && !headers["a"].is_sensitive());
    }
}
