//! Requests with OPTIONS for a whole server: the URL in their target has no path (RFC 9112, section
//! 3.2.4). `http::Uri` shows it with the path `/`, so that the line itself is looked at.

use std::collections::VecDeque;

use http::{Method, Request};
use parking_lot::Mutex;

/// An extension of a request: its target is that of the whole server, `*`.
#[derive(Clone, Copy, Debug)]
pub struct WholeServer;

/// What the request lines of a connection say that are not admitted yet, in their order. There are
/// no more than the lines that were read at once.
#[derive(Debug, Default)]
pub(super) struct OptionsTargets(Mutex<VecDeque<bool>>);

impl OptionsTargets {
    /// Adds what lines say.
    pub(super) fn extend(&self, lines: impl Iterator<Item = bool>) {
        self.0.lock().extend(lines);
    }

    /// Forgets the lines: what was not admitted is read again.
    pub(super) fn clear(&self) {
        self.0.lock().clear();
    }

    /// Marks a request, if its line says so.
    pub(super) fn mark<B>(&self, request: &mut Request<B>) {
        let uri = request.uri();
        let is_listed =
            *request.method() == Method::OPTIONS && uri.scheme().is_some() && is_root(uri);
        if is_listed && self.0.lock().pop_front() == Some(true) {
            request.extensions_mut().insert(WholeServer);
        }
    }
}

fn is_root(uri: &http::Uri) -> bool {
    uri.path() == "/" && uri.query().is_none()
}

/// Whether the URL in a request line with OPTIONS has no path; none for any other line, and for a
/// URL with another path than `/`.
pub(super) fn has_no_path(line: &[u8]) -> Option<bool> {
    let target = line
        .strip_prefix(b"OPTIONS ")?
        .split(|byte| *byte == b' ')
        .next()?;
    let scheme_end = target
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric())?;
    let rest = target[scheme_end..].strip_prefix(b"://")?;
    let path = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    match path.map_or(&b""[..], |path| &rest[path..]) {
        b"" => Some(true),
        b"/" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_path_is_the_whole_server() {
        for (line, expected) in [
            ("OPTIONS http://a.test HTTP/1.1", Some(true)),
            ("OPTIONS http://a.test:80 HTTP/1.1", Some(true)),
            ("OPTIONS http://a.test/ HTTP/1.1", Some(false)),
            ("OPTIONS http://a.test/x HTTP/1.1", None),
            ("OPTIONS http://a.test?x=/ HTTP/1.1", None),
            ("OPTIONS * HTTP/1.1", None),
            ("OPTIONS /x?http://a.test HTTP/1.1", None),
            ("GET http://a.test HTTP/1.1", None),
        ] {
            assert_eq!(has_no_path(line.as_bytes()), expected, "{line}");
        }
    }
}
