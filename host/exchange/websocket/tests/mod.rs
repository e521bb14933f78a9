//! What is common to the tests of WebSockets.

mod handshakes;
mod terms;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Deflate;

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        let value = HeaderValue::from_str(value).unwrap();
        map.append(HeaderName::from_static(name), value);
    }
    map
}

fn extensions(value: &str) -> HeaderMap {
    headers(&[("sec-websocket-extensions", value)])
}
