//! The target of a request as logs show it: its shape, without values.
//!
//! When a line is written, the body of the request may not be read yet, so a secret that the body
//! names and the target repeats is not known. A line must not wait for redactors either. So values
//! are masked by their form, and what is known of the session's secrets is checked on top.

use std::sync::{Arc, OnceLock};

use http::uri::PathAndQuery;
use http::{Method, Request, Uri};

use super::snapshot::Snapshot;
use ouli_redaction::Secrets;

/// Shown instead of a target or a method that may hold a secret.
const WITHHELD: &str = "-";

/// Shown instead of a value.
const MASK: &str = "*";

/// Bytes of a target in a log line.
const MAX_LENGTH: usize = 2 << 10;

/// A path segment or the name of a parameter with more bytes is a value.
const MAX_WORD_BYTES: usize = 24;

/// The target of a request as logs show it. It is made when it is first used, so that a request
/// without a log line does not pay for it.
pub(super) struct LoggedTarget {
    method: Method,
    uri: Uri,
    snapshot: Arc<Snapshot>,
    selected: OnceLock<SelectedTarget>,
    text: OnceLock<String>,
}

/// The target without the prefix that names a session.
struct SelectedTarget {
    session: Arc<str>,
    secrets: Arc<Secrets>,
    target: PathAndQuery,
}

impl LoggedTarget {
    pub(super) fn new<B>(request: &Request<B>, snapshot: &Arc<Snapshot>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            snapshot: Arc::clone(snapshot),
            selected: OnceLock::new(),
            text: OnceLock::new(),
        }
    }

    /// The method, if it has the form of the registered ones.
    pub(super) fn method(&self) -> &str {
        let method = self.method.as_str();
        let is_name = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
        if method.len() <= MAX_WORD_BYTES && method.bytes().all(is_name) {
            method
        } else {
            WITHHELD
        }
    }

    /// The session is selected.
    pub(super) fn select(&self, session: Arc<str>, secrets: &Arc<Secrets>, target: &PathAndQuery) {
        self.selected.get_or_init(|| SelectedTarget {
            session,
            secrets: Arc::clone(secrets),
            target: target.clone(),
        });
    }

    /// The name of the session, once it is selected.
    pub(super) fn session(&self) -> Option<&str> {
        Some(&self.selected.get()?.session)
    }

    /// Path and query with their values masked.
    pub(super) fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let selected = self.selected.get();
            let text = match selected {
                Some(selected) => masked(selected.target.path(), selected.target.query()),
                None => masked(self.uri.path(), self.uri.query()),
            };
            let known = selected.map(|selected| &*selected.secrets);
            let guard = &self.snapshot.guard;
            let is_clean = known.is_none_or(|known| guard.scan(text.as_bytes(), known).is_ok());
            if is_clean { text } else { WITHHELD.to_owned() }
        })
    }
}

/// The path with each segment that may be a value masked, and the names of the query.
fn masked(path: &str, query: Option<&str>) -> String {
    let segments: Vec<_> = path.split('/').map(word_or_mask).collect();
    let mut text = segments.join("/");
    let names = query.into_iter().flat_map(|query| query.split('&'));
    for (at, pair) in names.enumerate() {
        text.push(if at == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, _)) => text.extend([word_or_mask(name), "=", MASK]),
            None => text.push_str(word_or_mask(pair)),
        }
    }
    if text.len() > MAX_LENGTH {
        text.truncate(text.floor_char_boundary(MAX_LENGTH));
        text.push_str("...");
    }
    text
}

/// The text, if it has the form of a name in a route: lower-case words, and a number at the end
/// only, as in `v1`.
fn word_or_mask(text: &str) -> &str {
    let name = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = text.len() - name.len();
    let is_word = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_' | b'.');
    let is_route = name.bytes().all(is_word) && digits <= 2 && text.len() <= MAX_WORD_BYTES;
    if is_route { text } else { MASK }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_routes_are_shown_and_values_masked() {
        for (path, query, expected) in [
            ("/", None, "/"),
            ("/v1/chat/completions", None, "/v1/chat/completions"),
            (
                "/users/42/items.json",
                Some("page=2"),
                "/users/42/items.json?page=*",
            ),
            ("/users/4211", None, "/users/*"),
            ("/echo/SameReqBodySECRET4321", None, "/echo/*"),
            ("/k/S05PV05UT0tFTjk4NzY1", None, "/k/*"),
            ("/u/%67hp_abc", None, "/u/*"),
            ("/a", Some("v=hunter2&token=x&flag"), "/a?v=*&token=*&flag"),
            ("/a", Some("SameSECRET1=x"), "/a?*=*"),
            ("/a;jsessionid=1", None, "/*"),
        ] {
            assert_eq!(masked(path, query), expected);
        }
    }
}
