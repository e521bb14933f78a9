//! Calls a matcher in a test.

use std::cell::{Cell, RefCell};
use std::fmt;

use super::Sample;
use super::environment::{self, Phase};
use crate::Matcher;

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the methods of `Key`")]
pub enum Part {
    Endpoint,
    Method,
    Authority,
    Path,
    Query { except: Vec<String> },
    Header(String),
    Headers { except: Vec<String> },
    Vary { except: Vec<String> },
    Body { except: Vec<String> },
    Custom { name: String, value: Vec<u8> },
}

impl Part {
    /// All query parameters except these.
    #[must_use]
    pub fn query(except: &[&str]) -> Self {
        Self::Query {
            except: owned(except),
        }
    }

    /// All headers except these.
    #[must_use]
    pub fn headers(except: &[&str]) -> Self {
        Self::Headers {
            except: owned(except),
        }
    }

    /// What selected the recorded response, except these headers.
    #[must_use]
    pub fn vary(except: &[&str]) -> Self {
        Self::Vary {
            except: owned(except),
        }
    }

    /// The body without the values at these pointers.
    #[must_use]
    pub fn body(except: &[&str]) -> Self {
        Self::Body {
            except: owned(except),
        }
    }

    /// A custom part.
    #[must_use]
    pub fn custom(name: &str, value: impl AsRef<[u8]>) -> Self {
        Self::Custom {
            name: name.to_owned(),
            value: value.as_ref().to_owned(),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, except): (_, &[String]) = match self {
            Self::Endpoint => ("endpoint", &[]),
            Self::Method => ("method", &[]),
            Self::Authority => ("authority", &[]),
            Self::Path => ("path", &[]),
            Self::Query { except } => ("query", except),
            Self::Headers { except } => ("headers", except),
            Self::Vary { except } => ("vary", except),
            Self::Body { except } => ("body", except),
            Self::Header(name) => return write!(out, "header {name}"),
            Self::Custom { name, value } => {
                return write!(out, "{name} = {}", String::from_utf8_lossy(value));
            }
        };
        out.write_str(name)?;
        if except.is_empty() {
            return Ok(());
        }
        write!(out, " except {}", except.join(" "))
    }
}

/// The key parts that a matcher declared and added for a request. The gateway fills in the values
/// of the declared parts, so two requests with equal parts need not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    declared: Vec<Part>,
    added: Vec<Part>,
    abstained: bool,
}

impl Identified {
    /// What `prepare` declared.
    #[must_use]
    pub fn declared(&self) -> &[Part] {
        &self.declared
    }

    /// What `identify` added; empty if it is not called.
    #[must_use]
    pub fn added(&self) -> &[Part] {
        &self.added
    }

    /// The value of the first custom part with this name.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&[u8]> {
        let all = self.declared.iter().chain(&self.added);
        all.filter_map(|part| match part {
            Part::Custom { name, value } => Some((name, &**value)),
            _ => None,
        })
        .find_map(|(known, value)| (known == name).then_some(value))
    }

    /// True if the matcher leaves the request to the next one.
    #[must_use]
    pub fn abstained(&self) -> bool {
        self.abstained
    }
}

impl fmt::Display for Identified {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.abstained {
            return out.write_str("abstained");
        }
        let line = |parts: &[Part]| {
            let parts: Vec<_> = parts.iter().map(ToString::to_string).collect();
            parts.join(", ")
        };
        out.write_str(&line(&self.declared))?;
        match self.added.is_empty() {
            true => Ok(()),
            false => write!(out, "; {}", line(&self.added)),
        }
    }
}

/// Calls a matcher: `prepare`, and `identify` if `prepare` asked for it.
pub fn identify<P: Matcher>(request: &Sample) -> Result<Identified, String> {
    environment::reset();
    let declared = crate::Key(Key::default());
    environment::run(Phase::Prepare, || P::prepare(&declared))?;
    let added = crate::Key(Key::default());
    if declared.0.is_called.get() {
        let request = request.view();
        environment::run(Phase::Call, || P::identify(&request, &added))?;
    }
    Ok(Identified {
        declared: declared.0.parts.into_inner(),
        added: added.0.parts.into_inner(),
        abstained: added.0.abstained.get(),
    })
}

/// Records the calls of the contract's methods.
#[derive(Default)]
pub(crate) struct Key {
    parts: RefCell<Vec<Part>>,
    abstained: Cell<bool>,
    is_called: Cell<bool>,
}

impl Key {
    pub(crate) fn endpoint(&self) {
        self.add(Part::Endpoint);
    }

    pub(crate) fn method(&self) {
        self.add(Part::Method);
    }

    pub(crate) fn authority(&self) {
        self.add(Part::Authority);
    }

    pub(crate) fn path(&self) {
        self.add(Part::Path);
    }

    pub(crate) fn query(&self, except: &[&str]) {
        self.add(Part::query(except));
    }

    pub(crate) fn header(&self, name: &str) {
        self.add(Part::Header(name.to_ascii_lowercase()));
    }

    pub(crate) fn headers(&self, except: &[&str]) {
        self.add(Part::headers(except));
    }

    pub(crate) fn vary(&self, except: &[&str]) {
        self.add(Part::vary(except));
    }

    pub(crate) fn body(&self, except: &[&str]) {
        self.add(Part::body(except));
    }

    pub(crate) fn part(&self, name: &str, value: &[u8]) {
        self.add(Part::custom(name, value));
    }

    pub(crate) fn abstain(&self) {
        self.abstained
            .set(environment::require_phase(Phase::Call, "abstain"));
    }

    pub(crate) fn ask(&self) {
        self.is_called
            .set(environment::require_phase(Phase::Prepare, "ask"));
    }

    fn add(&self, part: Part) {
        self.parts.borrow_mut().push(part);
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Part, identify};
    use crate::testing::request;
    use crate::{Answer, Key, Matcher, Message};

    /// Makes the call that the header `do` names.
    struct Scripted;

    impl Matcher for Scripted {
        fn prepare(key: &Key) -> Answer {
            key.method();
            key.query(&["a", "b*"]);
            key.vary(&["x-*"]);
            key.part("version", "1");
            key.ask();
            Ok(())
        }

        fn identify(request: &Message, key: &Key) -> Answer {
            match request.header_text("do").as_deref() {
                Some("ask") => key.ask(),
                Some("abstain") => key.abstain(),
                Some("fail") => return Err("it failed".to_owned()),
                Some("point") => drop(request.json("a")),
                _ => key.part("kind", "x"),
            }
            Ok(())
        }
    }

    fn identify_with(call: &str) -> Result<String, String> {
        let key = identify::<Scripted>(&request("GET", "/").header("do", call))?;
        Ok(key.to_string())
    }

    #[test]
    fn declared_and_added_parts_are_separate() {
        let key = identify::<Scripted>(&request("GET", "/")).unwrap();
        let declared = [
            Part::Method,
            Part::query(&["a", "b*"]),
            Part::vary(&["x-*"]),
            Part::custom("version", "1"),
        ];
        assert_eq!(key.declared(), declared);
        assert_eq!(key.added(), [Part::custom("kind", "x")]);
        assert_eq!(key.part("version"), Some("1".as_bytes()));
        assert_eq!(
            (key.part("kind"), key.part("no")),
            (Some("x".as_bytes()), None)
        );
        assert_eq!(
            key.to_string(),
            "method, query except a b*, vary except x-*, version = 1; kind = x"
        );
    }

    #[test]
    fn a_call_that_is_not_allowed_is_an_error() {
        assert_eq!(identify_with("abstain").unwrap(), "abstained");
        assert_eq!(
            identify_with("ask").unwrap_err(),
            "`ask` cannot be called here"
        );
        assert_eq!(identify_with("fail").unwrap_err(), "it failed");
        assert_eq!(
            identify_with("point").unwrap_err(),
            "`a` is not a JSON pointer"
        );
    }

    #[test]
    fn identify_runs_only_if_prepare_asked_for_it() {
        struct Silent;
        impl Matcher for Silent {
            fn prepare(key: &Key) -> Answer {
                key.path();
                Ok(())
            }
        }
        let key = identify::<Silent>(&request("GET", "/")).unwrap();
        assert_eq!((key.to_string(), key.added()), ("path".to_owned(), &[][..]));
    }
}
