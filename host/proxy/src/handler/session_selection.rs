//! The session of a request: named by a header, by a prefix of the path, or by the endpoint.

use http::uri::PathAndQuery;
use http::{HeaderValue, Request};

use super::error::ExchangeError;
use ouli_net::http::forwarding::{SESSION, SESSION_ALIAS};
use ouli_net::server::WholeServer;

/// The prefix of a path that names a session.
const SESSION_PREFIX: &str = "/__ouli/session/";

/// The segment of a path after a name with slashes. Paths that begin with it are the gateway's.
const OWN_SEGMENT: &str = "/__ouli";

/// The session of a request, and its target without the prefix that named it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SelectedSession {
    pub(super) session: Option<String>,
    pub(super) target: PathAndQuery,
}

/// Reads the header `ouli-session`, its alias `test-name` and the path, in this order. The session
/// is none if none of them names one.
pub(super) fn select<B>(request: &Request<B>) -> Result<SelectedSession, ExchangeError> {
    let target = request.uri().path_and_query().cloned();
    let target = target.unwrap_or_else(|| PathAndQuery::from_static("/"));
    let target = if request.extensions().get::<WholeServer>().is_some() {
        PathAndQuery::from_static("*")
    } else if target.as_str().starts_with('?') {
        with_root(target.as_str())?
    } else {
        target
    };
    let (prefix, target) = match target.as_str().strip_prefix(SESSION_PREFIX) {
        Some(rest) => {
            let (name, target) = split_session_name(rest)?;
            (Some(name), target)
        }
        None => (None, target),
    };
    if is_own_path(target.path()) {
        return Err(ExchangeError::UnknownPage);
    }
    let session = session_header(request)?.or(prefix);
    Ok(SelectedSession { session, target })
}

fn session_header<B>(request: &Request<B>) -> Result<Option<String>, ExchangeError> {
    for name in [SESSION, SESSION_ALIAS] {
        if let Some(value) = request.headers().get(name) {
            let text = header_text(value).ok_or_else(|| {
                let reason = "is not UTF-8: send the name of the session in UTF-8";
                ExchangeError::Session(format!("the header `{name}` {reason}"))
            })?;
            // Optional white space (RFC 9110, section 5.6.3). Any other is a part of the name.
            return Ok(Some(text.trim_matches([' ', '\t']).to_owned()));
        }
    }
    Ok(None)
}

fn header_text(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok()
}

/// True if the path is the gateway's own. It is never sent to an upstream.
fn is_own_path(path: &str) -> bool {
    let rest = path.strip_prefix(OWN_SEGMENT);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `NAME/rest?query` as the name and `/rest?query`. A name with slashes ends before the segment
/// `__ouli`: `NA/ME/__ouli/rest?query`.
fn split_session_name(rest: &str) -> Result<(String, PathAndQuery), ExchangeError> {
    let path = &rest[..rest.find('?').unwrap_or(rest.len())];
    let mut ends = path.match_indices(OWN_SEGMENT).map(|(at, _)| at);
    let (name, target) = match ends.find(|at| is_own_path(&path[*at..])) {
        Some(end) => (&rest[..end], &rest[end + OWN_SEGMENT.len()..]),
        None => rest.split_at(path.find('/').unwrap_or(path.len())),
    };
    let name = decode_session_name(name)?;
    let target = if target.starts_with('/') {
        PathAndQuery::try_from(target)
    } else {
        return Ok((name, with_root(target)?));
    };
    let target = target.map_err(|error| ExchangeError::Downstream(error.to_string()))?;
    Ok((name, target))
}

/// The name of a session in a path.
///
/// # Errors
/// If it is not UTF-8.
pub(super) fn decode_session_name(name: &str) -> Result<String, ExchangeError> {
    let decoded = percent_encoding::percent_decode_str(name).decode_utf8();
    let decoded =
        decoded.map_err(|_| ExchangeError::Session("the name of the session is not UTF-8".into()));
    Ok(decoded?.into_owned())
}

/// A query after the path `/`.
fn with_root(query: &str) -> Result<PathAndQuery, ExchangeError> {
    PathAndQuery::try_from(format!("/{query}"))
        .map_err(|error| ExchangeError::Downstream(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_wins_over_the_prefix_and_the_default() {
        let cases = [
            ("/a?b=1", None, "fallback", "/a?b=1"),
            ("/a", Some(("ouli-session", "one")), "one", "/a"),
            ("/a", Some(("test-name", " two words ")), "two words", "/a"),
            (
                "/a",
                Some(("ouli-session", "a.py::t[50%]")),
                "a.py::t[50%]",
                "/a",
            ),
            ("/__ouli/session/three/a?b=1", None, "three", "/a?b=1"),
            ("/__ouli/session/three", None, "three", "/"),
            ("/__ouli/session/three?b=1", None, "three", "/?b=1"),
            (
                "/__ouli/session/three/a",
                Some(("ouli-session", "one")),
                "one",
                "/a",
            ),
            ("/__ouli/session/a%2Fb/c", None, "a/b", "/c"),
            (
                "/__ouli/session/a/b.py::t[1]/__ouli/c/d?e",
                None,
                "a/b.py::t[1]",
                "/c/d?e",
            ),
            ("/__ouli/session/a//b/__ouli", None, "a//b", "/"),
            ("/__ouli/session/a/b/__ouli?c", None, "a/b", "/?c"),
            (
                "/__ouli/session/a/b?c=/__ouli/d",
                None,
                "a",
                "/b?c=/__ouli/d",
            ),
            ("/__ouli/session/a/__oulix/b", None, "a", "/__oulix/b"),
            ("/__oulix", None, "fallback", "/__oulix"),
        ];
        for (path, header, session, target) in cases {
            let mut request = Request::get(path);
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            let selected = select(&request.body(()).unwrap()).unwrap();
            assert_eq!(
                selected.session.as_deref().unwrap_or("fallback"),
                session,
                "{path}"
            );
            assert_eq!(selected.target.as_str(), target, "{path}");
        }
    }

    #[test]
    fn a_query_without_a_path_has_the_path_of_the_root() {
        let request = Request::get("http://a.test?b").body(()).unwrap();
        assert_eq!(select(&request).unwrap().target.as_str(), "/?b");
    }

    fn error(path: &str, header: Option<(&str, &[u8])>) -> String {
        let mut request = Request::get(path);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        select(&request.body(()).unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn the_session_header_wins_over_its_alias() {
        let request = Request::get("/")
            .header("test-name", "alias")
            .header("ouli-session", " one ");
        let selected = select(&request.body(()).unwrap()).unwrap();
        assert_eq!(
            selected.session.as_deref(),
            Some("one"),
            "spaces are trimmed"
        );
    }

    #[test]
    fn a_target_without_a_path_is_the_root() {
        let request = Request::options("api.test:80").body(()).unwrap();
        assert_eq!(select(&request).unwrap().target.as_str(), "/");
    }

    #[test]
    fn rejects_names_that_are_not_text() {
        assert_eq!(
            error("/__ouli/session/%ff/a", None),
            "the name of the session is not UTF-8"
        );
        assert_eq!(
            error("/", Some(("ouli-session", b"\xff"))),
            "the header `ouli-session` is not UTF-8: send the name of the session in UTF-8"
        );
        assert_eq!(
            error("/", Some(("test-name", b"a\tb\xe9"))),
            "the header `test-name` is not UTF-8: send the name of the session in UTF-8"
        );
    }

    #[test]
    fn a_header_may_be_utf_8() {
        let name = HeaderValue::from_bytes("caf\u{e9}".as_bytes()).unwrap();
        let request = Request::get("/").header("ouli-session", name);
        let selected = select(&request.body(()).unwrap()).unwrap();
        assert_eq!(selected.session.as_deref(), Some("caf\u{e9}"));
    }

    #[test]
    fn other_own_paths_are_no_targets() {
        for path in [
            "/__ouli",
            "/__ouli/",
            "/__ouli?a",
            "/__ouli/session",
            "/__ouli/plugin",
            "/__ouli/session/a/__ouli/__ouli/plugins",
            "/__ouli/session/a%2Fb/__ouli/__ouli",
        ] {
            assert!(error(path, None).contains("no such page"), "{path}");
        }
    }
}
