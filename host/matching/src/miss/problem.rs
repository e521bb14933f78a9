//! The report of a miss for the client: a problem document (RFC 9457), and texts that it shares
//! with the log.

use serde_json::{Map, Value, json};

use super::difference::Difference;
use super::remedy::{Remedy, combined_setting};
use super::report::{Cause, Miss, Nearest};

/// The problem type (RFC 9457, section 3.1.1). It is part of the public interface.
const TYPE: &str = "urn:ouli:problem:miss";

impl Miss {
    /// The report as a problem document, for `application/problem+json`.
    pub fn to_problem(&self) -> Value {
        json!({
            "type": TYPE,
            "title": self.title(),
            "status": 404,
            "detail": self.detail(),
            "session": self.session,
            "request": self.request_line,
            "nearest": self.nearest.iter().map(nearest).collect::<Vec<_>>(),
        })
    }

    /// One line with the first difference from the nearest recorded request.
    pub fn summary(&self) -> String {
        let nearest = self.nearest.first();
        let location = nearest.and_then(|nearest| {
            let first = nearest.differences.first()?;
            Some(match &first.at {
                Some(at) => format!("{} differs in {} {at}", self.request_line, first.part),
                None => format!("{} differs in {}", self.request_line, first.part),
            })
        });
        location.unwrap_or_else(|| format!("{} is not recorded", self.request_line))
    }

    fn title(&self) -> &'static str {
        match self.cause {
            Cause::NoCassette => "the session has no cassette",
            Cause::Empty => "the session is empty",
            Cause::NoMatch => "no recorded exchange matches",
            Cause::Exhausted { .. } => "every matching exchange was replayed",
        }
    }

    /// The cause and the advice.
    fn detail(&self) -> String {
        let mut detail = self.cause();
        let nearest = self.nearest.first();
        if let (Cause::NoMatch, Some(nearest)) = (self.cause, nearest) {
            detail.push_str(&format!("; {}", compared(nearest)));
        }
        format!("{detail}; {}", self.advice())
    }

    /// Why there is no match.
    pub(super) fn cause(&self) -> String {
        let session = &self.session;
        match self.cause {
            Cause::NoCassette => format!("session {session} has no cassette"),
            Cause::Empty => format!("no exchange is recorded in session {session}"),
            Cause::NoMatch => format!("no exchange recorded in session {session} matches"),
            Cause::Exhausted { recorded: 1 } => {
                format!("session {session} records this request once, and it was replayed")
            }
            Cause::Exhausted { recorded } => format!(
                "session {session} records this request {recorded} times, and all were replayed"
            ),
        }
    }

    /// A command or a setting that helps.
    pub(super) fn advice(&self) -> String {
        let upstream = self.upstream.as_deref().unwrap_or("URL");
        let command = |mode: &str| {
            let session = &self.session;
            format!("ouli-gateway {mode} --upstream {upstream} --session {session}")
        };
        match self.cause {
            Cause::NoCassette | Cause::Empty => format!("record one with: {}", command("record")),
            // Mode `record` would start a new cassette.
            Cause::NoMatch => format!("add it with: {}", command("auto")),
            Cause::Exhausted { .. } => {
                "on_exhausted is \"miss\"; on_exhausted = \"repeat\" repeats the last response"
                    .to_owned()
            }
        }
    }
}

fn compared(nearest: &Nearest) -> String {
    let name = format!("exchange {} ({})", nearest.ordinal, nearest.request_line);
    let total = nearest.differences.len() + nearest.omitted_differences;
    let Some(first) = nearest.differences.first() else {
        return format!("the nearest is {name}");
    };
    let location = match &first.at {
        Some(at) => format!("{} {at}", first.part),
        None => first.part.clone(),
    };
    let location = if total == 1 {
        location
    } else {
        format!("{total} places, first in {location}")
    };
    let remedies = nearest
        .differences
        .iter()
        .map(|difference| &difference.remedy);
    let settings = combined_setting(remedies).filter(|_| nearest.omitted_differences == 0);
    let object = if total == 1 { "it" } else { "them" };
    let remedy = match (settings, &first.remedy) {
        (Some(settings), _) => format!("; to ignore {object}: {settings}"),
        (None, Remedy::Hint(hint)) => format!(" ({hint})"),
        (None, Remedy::Ignore { .. } | Remedy::RemoveHeader { .. }) => String::new(),
    };
    format!("the nearest is {name}, which differs in {location}{remedy}")
}

fn nearest(nearest: &Nearest) -> Value {
    let mut value = json!({
        "exchange": nearest.ordinal,
        "request": nearest.request_line,
        "replayed": nearest.replayed,
        "differences": nearest.differences.iter().map(difference).collect::<Vec<_>>(),
    });
    if nearest.omitted_differences > 0 {
        value["omitted_differences"] = Value::from(nearest.omitted_differences);
    }
    value
}

fn difference(difference: &Difference) -> Value {
    let mut value = Map::new();
    let mut put = |name: &str, text: Option<String>| {
        if let Some(text) = text {
            value.insert(name.to_owned(), Value::String(text));
        }
    };
    put("part", Some(difference.part.clone()));
    put("at", difference.at.clone());
    put("sent", difference.live.clone());
    put("recorded", difference.recorded.clone());
    match &difference.remedy {
        Remedy::Hint(hint) => put("hint", Some(hint.clone())),
        setting @ (Remedy::Ignore { .. } | Remedy::RemoveHeader { .. }) => {
            put("setting", setting.setting());
        }
    }
    Value::Object(value)
}
