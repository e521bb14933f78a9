//! The target of a request as logs show it: without anything that redaction would remove.

use std::sync::{Arc, OnceLock};

use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Uri};

use super::snapshot::Snapshot;
use crate::session::Session;
use ouli_codec::form;
use ouli_config::Mode;
use ouli_message::{Content, Fields};
use ouli_redaction::Secrets;

/// Shown instead of a target that redaction cannot clear of secrets.
const WITHHELD: &str = "-";

/// Bytes of a target in a log line.
const MAX_LENGTH: usize = 2 << 10;

/// The target of a request as logs show it. It is redacted when it is first used, so that a request
/// without a log line does not pay for it.
pub(super) struct LoggedTarget {
    method: Method,
    uri: Uri,
    /// A target may repeat a secret of the headers.
    headers: HeaderMap,
    endpoint: Arc<str>,
    snapshot: Arc<Snapshot>,
    selected: OnceLock<SelectedTarget>,
    text: OnceLock<String>,
}

/// The target without the prefix that names a session.
struct SelectedTarget {
    session: Arc<Session>,
    target: PathAndQuery,
    mode: Mode,
}

impl LoggedTarget {
    pub(super) fn new<B>(
        request: &Request<B>,
        endpoint: &Arc<str>,
        snapshot: &Arc<Snapshot>,
    ) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            endpoint: Arc::clone(endpoint),
            snapshot: Arc::clone(snapshot),
            selected: OnceLock::new(),
            text: OnceLock::new(),
        }
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    /// The session is selected.
    pub(super) fn select(&self, session: &Arc<Session>, target: &PathAndQuery, mode: Mode) {
        self.selected.get_or_init(|| SelectedTarget {
            session: Arc::clone(session),
            target: target.clone(),
            mode,
        });
    }

    /// The name of the session, once it is selected.
    pub(super) fn session(&self) -> Option<&str> {
        Some(self.selected.get()?.session.name())
    }

    /// The redacted target: path and query where exchanges are redacted to be recorded or looked
    /// up, else the path alone.
    pub(super) fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let redacted = self.redact();
            let mut text = redacted.unwrap_or_else(|| WITHHELD.to_owned());
            if text.len() > MAX_LENGTH {
                text.truncate(text.floor_char_boundary(MAX_LENGTH));
                text.push_str("...");
            }
            text
        })
    }

    /// The target as a matcher sees it, if nothing in it looks like a secret.
    fn redact(&self) -> Option<String> {
        let selected = self.selected.get();
        let target = match selected {
            Some(selected) if selected.mode == Mode::Passthrough => selected.target.path(),
            Some(selected) => selected.target.as_str(),
            None => self.uri.path(),
        };
        let request = ouli_message::Request {
            method: self.method.clone(),
            authority: String::new(),
            target: target.to_owned(),
            fields: Fields::from(&self.headers),
            body: Content::EMPTY,
            trailers: Fields::default(),
        };
        // Secrets of their own: a log line must not change the numbers of placeholders in a
        // cassette.
        let secrets = Arc::new(Secrets::default());
        let session = self.session().unwrap_or_default().into();
        let plugins = &self.snapshot.plugins;
        let endpoint = Arc::clone(&self.endpoint);
        let view = plugins.view(endpoint, session, Arc::new(request), Arc::clone(&secrets));
        let view = view.ok()?;
        let mut text = view.path().to_owned();
        for (at, (name, value)) in view.query().iter().enumerate() {
            text.push(if at == 0 { '?' } else { '&' });
            text.push_str(&form::encode_component(name));
            if !value.is_empty() {
                text.push('=');
                text.push_str(&form::encode_component(value));
            }
        }
        let known = selected.map_or(&secrets, |selected| selected.session.secrets());
        let guard = &self.snapshot.guard;
        guard.scan(text.as_bytes(), known).ok()?;
        Some(text)
    }
}
