//! The defects that fail a verdict: `[verdict] fail_on`.

use std::collections::BTreeSet;

use crate::choice::{Choice as _, Defect};
use crate::config_error::ValueError;
use crate::value_parsers::{text, unknown_word};
use crate::value_tree::Node;

/// The defects that fail a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailOn {
    defects: BTreeSet<Defect>,
    /// The user chose them, so the verdict sets the exit status.
    pub explicit: bool,
}

/// One word of the setting. A list starts from the defaults and is applied in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Term {
    All,
    None,
    Add(Defect),
    Remove(Defect),
}

impl Defect {
    /// The word in the configuration and in reports.
    pub fn name(self) -> &'static str {
        self.as_str()
    }

    /// All of them, in the order of the documentation.
    pub fn all() -> &'static [Self] {
        Self::ALL
    }

    /// True if it fails a verdict unless the user removes it.
    fn fails_by_default(self, strict: bool) -> bool {
        match self {
            Self::Miss
            | Self::RefusedRequest
            | Self::UpstreamError
            | Self::PluginError
            | Self::Partial
            | Self::Undecodable
            | Self::Secret
            | Self::Dropped
            | Self::NotWritten
            | Self::Damage => true,
            Self::NoRequests | Self::Incomplete | Self::Edited => strict,
            // A run of a part of the tests leaves the rest of a recording unused, a client may poll
            // more often than it did, and leave a stream at any time.
            Self::Unused | Self::Repeat | Self::Unfinished | Self::Assumed => false,
        }
    }
}

impl FailOn {
    /// The defects by default, changed by the terms.
    pub(super) fn new(strict: bool, terms: Option<Vec<Vec<Term>>>) -> Self {
        let all = || Defect::ALL.iter().copied();
        let explicit = terms.is_some();
        let mut defects: BTreeSet<_> = all().filter(|it| it.fails_by_default(strict)).collect();
        for term in terms.into_iter().flatten().flatten() {
            match term {
                Term::All => defects.extend(all()),
                Term::None => defects.clear(),
                Term::Add(defect) => {
                    defects.insert(defect);
                }
                Term::Remove(defect) => {
                    defects.remove(&defect);
                }
            }
        }
        Self { defects, explicit }
    }

    /// True if this defect fails a verdict.
    pub fn contains(&self, defect: Defect) -> bool {
        self.defects.contains(&defect)
    }

    /// The defects, in the order of the documentation.
    pub fn defects(&self) -> impl Iterator<Item = Defect> {
        self.defects.iter().copied()
    }
}

/// The terms of one string, separated by commas.
pub(super) fn terms(node: &Node) -> Result<Vec<Term>, ValueError> {
    let written =
        text(node).map_err(|problem| problem.with_hint(format!("allowed: {}", allowed())))?;
    written.split(',').map(|word| term(word.trim())).collect()
}

fn term(word: &str) -> Result<Term, ValueError> {
    match word {
        "all" => return Ok(Term::All),
        "none" => return Ok(Term::None),
        _ => {}
    }
    let name = word.strip_prefix('-').unwrap_or(word);
    let found = Defect::ALL.iter().find(|defect| defect.as_str() == name);
    let Some(defect) = found.copied() else {
        let words: Vec<_> = Defect::ALL.iter().map(|defect| defect.as_str()).collect();
        return Err(unknown_word(word, &words, &allowed()));
    };
    Ok(match name.len() == word.len() {
        true => Term::Add(defect),
        false => Term::Remove(defect),
    })
}

fn allowed() -> String {
    let words: Vec<_> = Defect::ALL.iter().map(|defect| defect.as_str()).collect();
    format!(
        "{}, all, none; a `-` before a kind removes it",
        words.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value_tree::Value;

    fn names(strict: bool, written: &str) -> Vec<&'static str> {
        let node = Node::without_line(Value::String(written.to_owned()));
        let set = FailOn::new(strict, Some(vec![terms(&node).unwrap()]));
        set.defects().map(Defect::name).collect()
    }

    #[test]
    fn terms_change_the_defaults_in_order() {
        let default: Vec<_> = FailOn::new(false, None).defects().collect();
        assert_eq!(default.len(), 10, "{default:?}");
        assert_eq!(names(false, "unused").len(), 11);
        assert_eq!(
            names(true, "unused,repeat,unfinished,assumed").len(),
            Defect::all().len()
        );
        assert_eq!(names(true, "none"), [""; 0]);
        assert_eq!(names(false, "none,miss , edited"), ["miss", "edited"]);
        assert_eq!(names(false, "all,-unused").len(), Defect::all().len() - 1);
        assert!(!names(false, "-partial").contains(&"partial"));
    }

    #[test]
    fn an_unknown_kind_is_refused_with_the_list() {
        let node = Node::without_line(Value::String("-partail".to_owned()));
        let error = terms(&node).unwrap_err();
        assert_eq!(error.message, "unknown value \"-partail\"");
        let hint = error.hint.unwrap();
        assert!(
            hint.starts_with("did you mean \"partial\"? allowed: "),
            "{hint}"
        );
        let listed = |defect: &Defect| hint.contains(defect.name());
        assert!(Defect::all().iter().all(listed), "{hint}");
    }
}
