//! The rule for an input: each request in it is rejected, or is one request of the origin and one
//! of the recording; nothing else is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::client::{Answer, Answers};
use super::owner;
use super::strict::{End, Reading, Request};

/// A request as the origin received it or as it is recorded.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
}

/// The outcome of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No request was forwarded.
    Refused,
    /// This number of requests was forwarded.
    Passed(usize),
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = &self.body[..self.body.len().min(40)];
        write!(f, "{} {}", self.method, self.target)?;
        write!(f, " {} bytes \"{}\"", self.body.len(), body.escape_ascii())
    }
}

impl From<&Request> for Seen {
    fn from(request: &Request) -> Self {
        Self {
            method: request.method.clone(),
            target: request.target.clone(),
            body: request.body.clone(),
        }
    }
}

/// The requests of one input.
pub(crate) fn of(id: usize, all: &[Seen]) -> Vec<Seen> {
    let own = all.iter().filter(|seen| owner(&seen.target) == Some(id));
    own.cloned().collect()
}

/// Requests that are in no input: they were smuggled.
pub(crate) fn strangers(all: &[Seen]) -> Vec<&Seen> {
    let known = |seen: &&Seen| owner(&seen.target).is_none() && seen.target != "*";
    all.iter().filter(known).collect()
}

/// The requests of a cassette.
pub(crate) fn recorded(cassette: &str) -> Vec<Seen> {
    let values = serde_json::Deserializer::from_str(cassette).into_iter::<Value>();
    let exchanges = values
        .map(Result::unwrap)
        .filter(|value| value.get("exchange").is_some());
    // An origin does not report a request that it rejects.
    let answered = exchanges.filter(|value| {
        let fields = value["response"]["headers"].as_array().unwrap();
        fields.iter().any(|field| field[0] == "x-origin")
    });
    let requests = answered.map(|value| {
        let request = &value["request"];
        let text = |name: &str| request[name].as_str().unwrap().to_owned();
        Seen {
            method: text("method"),
            target: text("target"),
            body: body(&request["body"]),
        }
    });
    requests.collect()
}

fn body(value: &Value) -> Vec<u8> {
    if let Some(encoded) = value["base64"].as_str() {
        return STANDARD.decode(encoded).unwrap();
    }
    match &value["text"] {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        lines => {
            let lines = lines.as_array().unwrap().iter();
            lines
                .map(|line| line.as_str().unwrap())
                .collect::<String>()
                .into_bytes()
        }
    }
}

/// Compares the outcome of an input with the expectation; returns the first fault.
pub(crate) fn judge(
    reading: &Reading,
    answers: &Answers,
    origin: &[Seen],
    recorded: &[Seen],
    origin_may_refuse: bool,
) -> Result<Verdict, String> {
    let passed = passed(reading, answers, origin_may_refuse)?;
    let fault = |what: &str| {
        Err(format!(
            "{what}\n  origin {origin:?}\n  recorded {recorded:?}\n  expected {passed:?}"
        ))
    };
    if origin != passed {
        return fault("the origin received another request");
    }
    if recorded != origin {
        return fault("what is recorded is not what the origin saw");
    }
    let further = &answers.whole[reading.requests.len().min(answers.whole.len())..];
    let refusals = further.iter().filter(|answer| answer.status >= 400).count();
    if refusals != further.len() || refusals > 1 {
        return fault("there are more answers than requests");
    }
    if !answers.closed {
        return fault("the connection stays open");
    }
    let refused_before = answers.whole.iter().any(|answer| answer.status >= 400);
    if let End::BadHead(reason) = reading.end
        && !refused_before
    {
        return fault(&format!("no response rejects it: {reason}"));
    }
    Ok(match passed.len() {
        0 => Verdict::Refused,
        count => Verdict::Passed(count),
    })
}

/// The requests that the origin answered. A request that a server may refuse can be missing,
/// together with all later ones.
fn passed(
    reading: &Reading,
    answers: &Answers,
    origin_may_refuse: bool,
) -> Result<Vec<Seen>, String> {
    let mut passed = Vec::new();
    for (at, request) in reading.requests.iter().enumerate() {
        let Some(answer) = answers.whole.get(at) else {
            let before = at
                .checked_sub(1)
                .and_then(|before| answers.whole.get(before));
            if before.is_some_and(|answer| answer.status >= 400) {
                return Ok(passed);
            }
            return Err(format!("no response to {request:?}: {:?}", answers));
        };
        if answer.marked {
            // `*` belongs to no input.
            if request.target != "*" {
                passed.push(Seen::from(request));
            }
        } else if !(request.tolerated || is_misdirected(answer))
            && (answer.own || !origin_may_refuse)
        {
            return Err(format!(
                "a valid request is rejected: {request:?}: {answer:?}"
            ));
        }
    }
    Ok(passed)
}

/// True for a target in absolute form that names another server: the inputs do not know the address
/// of the gateway (RFC 9110, section 7.4).
fn is_misdirected(answer: &Answer) -> bool {
    answer.own && answer.status == 421
}
