//! The pages of a session: the verdict on it until now, and the mark that begins its next run.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use super::error::ExchangeError;
use super::session_selection::decode_session_name;
use super::shared_state::SharedState;
use crate::session::{Listing, Session, SessionReport};

const PREFIX: &str = "/__ouli/sessions/";

/// The end of the path of a mark.
const MARK: &str = "/mark";

/// The methods of a page that changes nothing.
pub(super) const READ: &str = "GET, HEAD";

/// A page of the session of this name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SessionPage {
    /// `GET /__ouli/sessions/NAME`: the verdict on the run and on all runs.
    Verdict(String),
    /// `POST /__ouli/sessions/NAME/mark`: begins the next run, and returns the verdict on the run
    /// that ends.
    Mark(String),
}

impl SessionPage {
    /// The page of a path; `None` for the path of something else.
    ///
    /// # Errors
    /// If the name is not UTF-8.
    pub(super) fn of(method: &Method, path: &str) -> Result<Option<Self>, ExchangeError> {
        let Some(name) = path.strip_prefix(PREFIX) else {
            return Ok(None);
        };
        let marked = name.strip_suffix(MARK).filter(|_| *method == Method::POST);
        Ok(Some(match marked {
            Some(name) => Self::Mark(decode_session_name(name)?),
            None => Self::Verdict(decode_session_name(name)?),
        }))
    }

    /// The methods of the page's path, for a request with another one.
    pub(super) fn methods(&self) -> &'static str {
        match self {
            // `NAME/mark` may be the name of a session too.
            Self::Verdict(name) if name.ends_with(MARK) => "GET, HEAD, POST",
            Self::Verdict(_) => READ,
            Self::Mark(_) => "POST",
        }
    }

    /// The page as JSON, once the complete exchanges of the run are written. `None` for a mark on a
    /// session that was never used: it has no run that could end.
    ///
    /// # Errors
    /// If the name is not valid, there are too many sessions, or no such session is in use.
    pub(super) async fn render(
        self,
        shared: &SharedState,
    ) -> Result<Option<String>, ExchangeError> {
        let is_mark = matches!(self, Self::Mark(_));
        let session = match self {
            Self::Mark(name) => {
                if !shared.sessions.had_request(&name)? {
                    return Ok(None);
                }
                mark(shared, &name).await?
            }
            Self::Verdict(name) => {
                let name = shared.sessions.checked_name(&name)?;
                let session = shared.sessions.find(&name);
                session.ok_or_else(|| match name.ends_with(MARK) {
                    // It is the path of a mark.
                    true => ExchangeError::PageMethod("POST"),
                    false => ExchangeError::NoSession(name.to_string()),
                })?
            }
        };
        let limit = shared.snapshot.load().config.limits.recorder_queue_timeout;
        // Later, the page says what is known.
        let written = tokio::time::timeout(limit, session.wait_for_writes()).await;
        if is_mark && written.is_ok() {
            let current = shared.sessions.find(session.name());
            let current = current.map(|it| Arc::clone(it.start_order()));
            let ended = Arc::clone(&session);
            shared.recorder.end_run(ended, current).await;
        }
        let listing = match is_mark {
            true => Listing::OfMark,
            false => Listing::Whole,
        };
        let mut text = serde_json::to_string_pretty(&report(shared, &session, listing))
            .map_err(|error| ExchangeError::Internal(error.to_string()))?;
        text.push('\n');
        Ok(Some(text))
    }
}

/// Begins the next run. The run that ends of a session that was closed is read again before.
async fn mark(shared: &SharedState, name: &str) -> Result<Arc<Session>, ExchangeError> {
    let limit = shared.snapshot.load().config.limits.pending_request_timeout;
    let session = shared.sessions.open(name, limit).await?;
    if session.was_closed() {
        let (sessions, session) = (Arc::clone(&shared.sessions), Arc::clone(&session));
        let strict = shared.snapshot.load().config.strict;
        // A cassette that cannot be used is in the verdict.
        let loads = &shared.session_loads;
        let _ = loads.run(move || sessions.load(&session, strict)).await?;
    }
    // What ends until then keeps its place among the requests of the run.
    let limit = shared.snapshot.load().config.limits.recorder_queue_timeout;
    let _ = tokio::time::timeout(limit, session.wait_for_writes()).await;
    drop(session);
    Ok(shared.sessions.begin_run(name)?)
}

fn report(shared: &SharedState, session: &Session, listing: Listing) -> Value {
    let snapshot = shared.snapshot.load();
    let rules = snapshot.verdict_rules();
    json!({
        "session": &**session.name(),
        "run": session.run(),
        "open": shared.sessions.is_open(session.name()),
        "verdict": SessionReport::of_run(session, listing, rules),
        "total": SessionReport::of_all_runs(session, listing, rules),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_the_session() {
        let verdict = |name: &str| Some(SessionPage::Verdict(name.to_owned()));
        let mark = |name: &str| Some(SessionPage::Mark(name.to_owned()));
        for (method, path, page) in [
            (Method::GET, "/__ouli/sessions/a", verdict("a")),
            (Method::GET, "/__ouli/sessions/a/b%20c", verdict("a/b c")),
            (Method::POST, "/__ouli/sessions/a/mark", mark("a")),
            (Method::POST, "/__ouli/sessions/a%2Fb/mark", mark("a/b")),
            (Method::POST, "/__ouli/sessions/a/b/mark", mark("a/b")),
            (Method::GET, "/__ouli/sessions/a/mark", verdict("a/mark")),
            (Method::GET, "/__ouli/session/a", None),
            (Method::GET, "/a", None),
        ] {
            let found = SessionPage::of(&method, path).unwrap();
            assert_eq!(found, page, "{method} {path}");
        }
        for (method, path) in [
            (Method::GET, "/__ouli/sessions/%ff"),
            (Method::POST, "/__ouli/sessions/%ff/mark"),
        ] {
            let error = SessionPage::of(&method, path).unwrap_err();
            assert!(
                matches!(error, ExchangeError::Session(_)),
                "{method} {path}"
            );
        }
    }
}
