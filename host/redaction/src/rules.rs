//! The rules of redaction, compiled for use.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use regex::bytes::Regex;

use crate::declared_rules::RuleDeclaration;
use crate::guard::Guard;
use crate::name_matcher::NameMap;
use crate::pattern::{self, Patterns};
use crate::placeholder::is_class;
use crate::rule::Rule;
use ouli_codec::json::{Pointer, PointerError};

/// A rule that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("redaction rule `{id}`: {fault}")]
pub struct RuleError {
    /// The id of the rule.
    pub id: String,
    /// What is wrong with it.
    pub fault: RuleErrorKind,
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleErrorKind {
    /// The class is no lower-case word.
    #[error("`{0}` is no class: use lower-case letters, digits and `-`, no number at the end")]
    Class(String),
    /// There is no name.
    #[error("the name is empty")]
    NoName,
    /// The pointer is none.
    #[error(transparent)]
    Pointer(#[from] PointerError),
    /// The expression cannot be compiled.
    #[error("the expression cannot be used: {0}")]
    Regex(String),
}

/// Rules ready for use.
#[derive(Clone, Debug)]
pub struct Rules {
    /// A number that no other rules of the process have.
    unique_id: u64,
    ids: BTreeSet<String>,
    unknown_disabled: Vec<String>,
    /// The names that rules look for: they are never secrets themselves.
    names: HashSet<String>,
    pub(super) headers: NameMap<Rule>,
    pub(super) volatile: NameMap<()>,
    pub(super) query: NameMap<Rule>,
    pub(super) form: NameMap<Rule>,
    /// None where no rule looks at members.
    pub(super) members: Option<NameMap<Rule>>,
    pub(super) pointers: Vec<(Pointer, Rule)>,
    pub(super) patterns: Patterns,
    /// The password in `scheme://user:password@host`.
    pub(super) userinfo: Option<Rule>,
}

impl Rules {
    /// Compiles rules, all but those whose id is in `off`. All faults are told at once.
    pub fn compile(declared: Vec<RuleDeclaration>, off: &[String]) -> Result<Self, Vec<RuleError>> {
        let mut compiled = Compiler::default();
        let mut seen: HashSet<String> = Guard::ids().map(str::to_owned).collect();
        seen.insert(USERINFO.to_owned());
        for rule in declared {
            let id = rule.id();
            if !off.contains(&id)
                && let Err(fault) = compiled.add(&id, rule)
            {
                let id = id.clone();
                compiled.errors.push(RuleError { id, fault });
            }
            seen.insert(id);
        }
        if !compiled.errors.is_empty() {
            return Err(compiled.errors);
        }
        let mut rules = compiled.finish();
        rules.unknown_disabled = off
            .iter()
            .filter(|id| !seen.contains(*id))
            .cloned()
            .collect();
        if off.iter().any(|id| id == USERINFO) {
            rules.userinfo = None;
            rules.ids.remove(USERINFO);
        }
        Ok(rules)
    }

    /// A number that no other rules of the process have.
    pub(super) fn unique_id(&self) -> u64 {
        self.unique_id
    }

    /// The ids of all rules that are on.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }

    /// What was to be switched off, but is the id of no rule.
    pub fn unknown_disabled(&self) -> &[String] {
        &self.unknown_disabled
    }

    /// True where a value is a name that some rule looks for.
    pub(super) fn is_name(&self, value: &[u8]) -> bool {
        value.len() <= MAX_WORD
            && std::str::from_utf8(value)
                .is_ok_and(|text| self.names.contains(&text.to_lowercase()))
    }
}

/// The one rule that needs no declaration.
const USERINFO: &str = "url.userinfo";
/// Names are not longer than this in practice.
const MAX_WORD: usize = 64;

/// Rules on their way from declared to compiled.
struct Compiler {
    rules: Rules,
    members: NameMap<Rule>,
    any_member: bool,
    patterns: Vec<(Regex, Rule)>,
    errors: Vec<RuleError>,
}

impl Default for Compiler {
    fn default() -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let rules = Rules {
            unique_id: NUMBERS.fetch_add(1, Ordering::Relaxed),
            ids: BTreeSet::from([USERINFO.to_owned()]),
            unknown_disabled: Vec::new(),
            names: HashSet::new(),
            headers: NameMap::new(b""),
            volatile: NameMap::new(b""),
            query: NameMap::new(b""),
            form: NameMap::new(b""),
            members: None,
            pointers: Vec::new(),
            patterns: Patterns::new(Vec::new()),
            userinfo: Some(Rule::new(USERINFO, "userinfo")),
        };
        Self {
            rules,
            members: NameMap::new(b"-_"),
            any_member: false,
            patterns: Vec::new(),
            errors: Vec::new(),
        }
    }
}

impl Compiler {
    fn add(&mut self, id: &str, declared: RuleDeclaration) -> Result<(), RuleErrorKind> {
        let class = declared.class().unwrap_or(ANY_CLASS);
        if !is_class(class) {
            return Err(RuleErrorKind::Class(class.to_owned()));
        }
        if declared.name().is_some_and(str::is_empty) {
            return Err(RuleErrorKind::NoName);
        }
        let rule = Rule::new(id, class);
        self.rules
            .names
            .extend(declared.name().map(str::to_lowercase));
        self.rules.names.insert(class.to_owned());
        match declared {
            RuleDeclaration::Header { name, .. } => self.rules.headers.add(&name, rule),
            RuleDeclaration::Query { name, .. } => self.rules.query.add(&name, rule),
            RuleDeclaration::Form { name, .. } => self.rules.form.add(&name, rule),
            RuleDeclaration::VolatileHeader { name } => self.rules.volatile.add(&name, ()),
            RuleDeclaration::JsonMember { name, .. } => {
                self.any_member = true;
                self.members.add(&name, rule);
            }
            RuleDeclaration::Json { pointer, .. } => {
                let pointer = Pointer::parse(&pointer)?;
                self.rules.pointers.push((pointer, rule));
            }
            RuleDeclaration::Pattern { regex, .. } => {
                let regex = pattern::compile(&regex);
                let regex = regex.map_err(|error| RuleErrorKind::Regex(error.to_string()))?;
                self.patterns.push((regex, rule));
            }
        }
        self.rules.ids.insert(id.to_owned());
        Ok(())
    }

    fn finish(self) -> Rules {
        let mut rules = self.rules;
        rules.members = self.any_member.then_some(self.members);
        rules.patterns = Patterns::new(self.patterns);
        rules
    }
}

/// Stands for the class of rules that have none.
const ANY_CLASS: &str = "volatile";

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, class: &str) -> RuleDeclaration {
        let (name, class) = (name.to_owned(), class.to_owned());
        RuleDeclaration::Header { name, class }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let text = str::to_owned;
        let errors = Rules::compile(
            vec![
                header("a", "Bad Class"),
                header("", "token"),
                header("fine", "token"),
                RuleDeclaration::Json {
                    pointer: text("a"),
                    class: text("x"),
                },
                RuleDeclaration::Pattern {
                    regex: text("("),
                    class: text("x"),
                },
            ],
            &[],
        )
        .unwrap_err();
        let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 4, "{shown:?}");
        assert!(shown[0].starts_with("redaction rule `header.a`: `Bad Class` is no class"));
        assert_eq!(shown[1], "redaction rule `header.`: the name is empty");
        assert!(shown[2].contains("pointer.a"));
        assert!(shown[3].starts_with("redaction rule `pattern.x`: the expression cannot be used"));
    }

    #[test]
    fn rules_are_switched_off_by_id() {
        let off = ["header.a", "guard.jwt", "url.userinfo", "query.none"].map(str::to_owned);
        let rules =
            Rules::compile(vec![header("A", "bad class"), header("B", "token")], &off).unwrap();
        assert_eq!(rules.ids().collect::<Vec<_>>(), ["header.b"]);
        assert_eq!(rules.unknown_disabled(), ["query.none"]);
        assert!(rules.headers.get("a").is_none() && rules.headers.get("b").is_some());
        assert!(rules.is_name(b"TOKEN") && rules.is_name(b"b") && !rules.is_name(b"c"));
    }
}
