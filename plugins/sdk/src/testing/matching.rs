//! A matcher's key in memory, and the call of a matcher.

use std::cell::{Cell, RefCell};
use std::fmt;

use super::Sample;
use super::stage::{self, Phase};
use crate::Matcher;

/// One part of a key: what the gateway takes by itself, or what the plugin made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the methods of `Key`")]
pub enum Part {
    Endpoint,
    Method,
    Authority,
    Path,
    Query { but: Vec<String> },
    Header(String),
    Headers { but: Vec<String> },
    Body { but: Vec<String> },
    Own { name: String, value: Vec<u8> },
}

impl Part {
    /// Every parameter of the query but these.
    #[must_use]
    pub fn query(but: &[&str]) -> Self {
        Self::Query { but: owned(but) }
    }

    /// Every header but these.
    #[must_use]
    pub fn headers(but: &[&str]) -> Self {
        Self::Headers { but: owned(but) }
    }

    /// The body but what is at these pointers.
    #[must_use]
    pub fn body(but: &[&str]) -> Self {
        Self::Body { but: owned(but) }
    }

    /// A part of the plugin's own.
    #[must_use]
    pub fn own(name: &str, value: impl AsRef<[u8]>) -> Self {
        Self::Own {
            name: name.to_owned(),
            value: value.as_ref().to_owned(),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, but): (_, &[String]) = match self {
            Self::Endpoint => ("endpoint", &[]),
            Self::Method => ("method", &[]),
            Self::Authority => ("authority", &[]),
            Self::Path => ("path", &[]),
            Self::Query { but } => ("query", but),
            Self::Headers { but } => ("headers", but),
            Self::Body { but } => ("body", but),
            Self::Header(name) => return write!(out, "header {name}"),
            Self::Own { name, value } => {
                return write!(out, "{name} = {}", String::from_utf8_lossy(value));
            }
        };
        out.write_str(what)?;
        if but.is_empty() {
            return Ok(());
        }
        write!(out, " but {}", but.join(" "))
    }
}

/// What a matcher said of a request. It compares and prints; equal requests need more than an equal
/// one, since the gateway fills in what was declared.
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

    /// What `identify` added; nothing where it was not asked for.
    #[must_use]
    pub fn added(&self) -> &[Part] {
        &self.added
    }

    /// The value of the first part of the plugin's own with this name.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&[u8]> {
        let all = self.declared.iter().chain(&self.added);
        all.filter_map(|part| match part {
            Part::Own { name, value } => Some((name, &**value)),
            _ => None,
        })
        .find_map(|(own, value)| (own == name).then_some(value))
    }

    /// True where the request is left to the next matcher.
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

/// Calls a matcher: `prepare`, and `identify` where it was asked for.
pub fn identify<P: Matcher>(request: &Sample) -> Result<Identified, String> {
    stage::begin();
    let declared = crate::Key(Key::default());
    stage::enter(Phase::Prepare, || P::prepare(&declared))?;
    let added = crate::Key(Key::default());
    if declared.0.asked.get() {
        let request = request.seen();
        stage::enter(Phase::Ask, || P::identify(&request, &added))?;
    }
    Ok(Identified {
        declared: declared.0.parts.into_inner(),
        added: added.0.parts.into_inner(),
        abstained: added.0.abstained.get(),
    })
}

/// The methods of the contract, which note what they are told.
#[derive(Default)]
pub(crate) struct Key {
    parts: RefCell<Vec<Part>>,
    abstained: Cell<bool>,
    asked: Cell<bool>,
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

    pub(crate) fn query(&self, but: &[&str]) {
        self.add(Part::query(but));
    }

    pub(crate) fn header(&self, name: &str) {
        self.add(Part::Header(name.to_ascii_lowercase()));
    }

    pub(crate) fn headers(&self, but: &[&str]) {
        self.add(Part::headers(but));
    }

    pub(crate) fn body(&self, but: &[&str]) {
        self.add(Part::body(but));
    }

    pub(crate) fn part(&self, name: &str, value: &[u8]) {
        self.add(Part::own(name, value));
    }

    pub(crate) fn abstain(&self) {
        self.abstained.set(stage::only_in(Phase::Ask, "abstain"));
    }

    pub(crate) fn ask(&self) {
        self.asked.set(stage::only_in(Phase::Prepare, "ask"));
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

    /// Does what the header `do` says.
    struct Obedient;

    impl Matcher for Obedient {
        fn prepare(parts: &Key) -> Answer {
            parts.method();
            parts.query(&["a", "b*"]);
            parts.part("version", "1");
            parts.ask();
            Ok(())
        }

        fn identify(request: &Message, parts: &Key) -> Answer {
            match request.header_text("do").as_deref() {
                Some("ask") => parts.ask(),
                Some("abstain") => parts.abstain(),
                Some("fail") => return Err("it failed".to_owned()),
                Some("point") => drop(request.json("a")),
                _ => parts.part("kind", "x"),
            }
            Ok(())
        }
    }

    fn told(what: &str) -> Result<String, String> {
        let key = identify::<Obedient>(&request("GET", "/").header("do", what))?;
        Ok(key.to_string())
    }

    #[test]
    fn declared_and_added_parts_are_told_apart() {
        let key = identify::<Obedient>(&request("GET", "/")).unwrap();
        let declared = [
            Part::Method,
            Part::query(&["a", "b*"]),
            Part::own("version", "1"),
        ];
        assert_eq!(key.declared(), declared);
        assert_eq!(key.added(), [Part::own("kind", "x")]);
        assert_eq!(key.part("version"), Some("1".as_bytes()));
        assert_eq!(
            (key.part("kind"), key.part("no")),
            (Some("x".as_bytes()), None)
        );
        assert_eq!(
            key.to_string(),
            "method, query but a b*, version = 1; kind = x"
        );
    }

    #[test]
    fn what_a_function_may_not_say_is_an_error() {
        assert_eq!(told("abstain").unwrap(), "abstained");
        assert_eq!(told("ask").unwrap_err(), "`ask` cannot be called here");
        assert_eq!(told("fail").unwrap_err(), "it failed");
        assert_eq!(told("point").unwrap_err(), "`a` is no JSON pointer");
    }

    #[test]
    fn what_was_not_asked_for_is_not_called() {
        struct Silent;
        impl Matcher for Silent {
            fn prepare(parts: &Key) -> Answer {
                parts.path();
                Ok(())
            }
        }
        let key = identify::<Silent>(&request("GET", "/")).unwrap();
        assert_eq!((key.to_string(), key.added()), ("path".to_owned(), &[][..]));
    }
}
