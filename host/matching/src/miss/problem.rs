//! The report of a miss for the client: a problem document (RFC 9457).

use serde_json::{Map, Value, json};

use super::cause::Cause;
use super::difference::Difference;
use super::guidance::Remedy;
use super::report::{Miss, Nearest};
use super::resolution::Resolution;

/// The problem type (RFC 9457, section 3.1.1). It is part of the public interface.
const TYPE: &str = "urn:ouli:problem:miss";

impl Miss {
    /// The report as a problem document, for `application/problem+json`.
    pub fn to_problem(&self) -> Value {
        let mut problem = json!({
            "type": TYPE,
            "title": self.title(),
            "status": 404,
            "detail": self.detail(),
            "session": self.session,
            "request": self.request_line,
            "nearest": self.nearest.iter().map(nearest).collect::<Vec<_>>(),
        });
        if let Cause::OtherIdentity(conflict) = &self.cause {
            problem["identity"] = json!({
                "part": conflict.part,
                "exchange": conflict.exchange,
                "reason": conflict.reason,
            });
        }
        if let Some(tried) = &self.remedy {
            problem["remedy"] = remedy(tried);
        }
        if let Some(unavailable) = self.unavailable.to_json() {
            problem["unavailable"] = unavailable;
        }
        if let Some(advice) = &self.command {
            problem["command"] = Value::from(advice.command.as_str());
        }
        problem
    }

    fn title(&self) -> &'static str {
        match &self.cause {
            Cause::NoCassette => "the session has no cassette",
            Cause::Empty => "the session is empty",
            Cause::NoMatch => "no recorded exchange matches",
            Cause::OtherIdentity(conflict) if conflict.is_minted => {
                "the matching exchange has other values of the client"
            }
            Cause::OtherIdentity(_) => "the matching exchange has other secrets",
            Cause::ReplayedSecret(_) => "the request has a secret of a replayed response",
            Cause::Edited { .. } => "the matching exchange was edited",
            Cause::Exhausted { .. } => "every matching exchange was replayed",
        }
    }
}

fn remedy(remedy: &Remedy) -> Value {
    let mut value = json!({
        "exchange": remedy.exchange,
        "flags": remedy.flags,
    });
    if remedy.instruction.is_some() {
        value["toml"] = Value::from(remedy.section.as_str());
    }
    if !remedy.also_matches.is_empty() {
        value["also_matches"] = Value::from(remedy.also_matches.clone());
    }
    if remedy.ignores_bodies {
        value["ignores_bodies"] = Value::from(true);
    }
    value
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
    let resolution = difference.resolution.to_string();
    match &difference.resolution {
        Resolution::Hint(_) | Resolution::PathForm(_) => put("hint", Some(resolution)),
        Resolution::Setting(_) => put("setting", Some(resolution)),
    }
    Value::Object(value)
}
