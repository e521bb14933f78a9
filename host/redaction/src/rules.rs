//! The redaction rules, compiled from their declarations.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use regex::bytes::Regex;

use crate::declared_rules::RuleDeclaration;
use crate::guard::Guard;
use crate::name_matcher::NameMap;
use crate::pattern::{self, Patterns};
use crate::placeholder::is_class;
use crate::rule::Rule;
use ouli_codec::json::{Pointer, PointerError};
use ouli_codec::randomness::is_sometimes_secret;

/// An invalid rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("redaction rule `{id}`: {kind}")]
pub struct RuleError {
    /// The id of the rule.
    pub id: String,
    /// Why it is invalid.
    pub kind: RuleErrorKind,
}

/// Why a rule is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleErrorKind {
    /// The class is not a lower-case word.
    #[error("`{0}` is not a class: use lower-case letters, digits and `-`, no number at the end")]
    Class(String),
    /// The name is empty.
    #[error("the name is empty")]
    NoName,
    /// The JSON pointer is invalid.
    #[error(transparent)]
    Pointer(#[from] PointerError),
    /// The regular expression does not compile.
    #[error("invalid regular expression: {0}")]
    Regex(String),
}

/// Compiled rules.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Unique in the process.
    unique_id: u64,
    ids: BTreeSet<String>,
    unknown_disabled: Vec<String>,
    /// Names and classes of the rules in lower case. They are never searched for as secrets.
    names: HashSet<String>,
    pub(super) headers: NameMap<Rule>,
    pub(super) volatile: NameMap<()>,
    pub(super) query: NameMap<Rule>,
    pub(super) form: NameMap<Rule>,
    /// None if no rule names a JSON member.
    pub(super) members: Option<NameMap<Rule>>,
    pub(super) pointers: Vec<(Pointer, Rule)>,
    pub(super) patterns: Patterns,
    /// The rule for the password in `scheme://user:password@host`.
    pub(super) userinfo: Option<Rule>,
}

impl Rules {
    /// Compiles all rules except those whose id is in `disabled`. Returns all errors at once.
    pub fn compile(
        declarations: Vec<RuleDeclaration>,
        disabled: &[String],
    ) -> Result<Self, Vec<RuleError>> {
        Self::compile_with_defaults(declarations, Vec::new(), disabled)
    }

    /// The same with default rules, which come last. A default rule for a name that is only
    /// sometimes that of a secret applies to values that look random, unless another rule names it.
    pub(super) fn compile_with_defaults(
        declarations: Vec<RuleDeclaration>,
        defaults: Vec<RuleDeclaration>,
        disabled: &[String],
    ) -> Result<Self, Vec<RuleError>> {
        let mut times: HashMap<String, usize> = HashMap::new();
        for declaration in declarations.iter().chain(&defaults) {
            *times.entry(declaration.id()).or_default() += 1;
        }
        let own = declarations.len();
        let mut compiler = Compiler::default();
        let mut known_ids: HashSet<String> = Guard::ids().map(str::to_owned).collect();
        known_ids.insert(USERINFO.to_owned());
        let all = declarations.into_iter().chain(defaults);
        for (index, declaration) in all.enumerate() {
            let id = declaration.id();
            let is_default = index >= own && times.get(&id) == Some(&1);
            if !disabled.contains(&id)
                && let Err(kind) = compiler.add(&id, declaration, is_default)
            {
                let id = id.clone();
                compiler.errors.push(RuleError { id, kind });
            }
            known_ids.insert(id);
        }
        if !compiler.errors.is_empty() {
            return Err(compiler.errors);
        }
        let mut rules = compiler.finish();
        rules.unknown_disabled = disabled
            .iter()
            .filter(|id| !known_ids.contains(*id))
            .cloned()
            .collect();
        if disabled.iter().any(|id| id == USERINFO) {
            rules.userinfo = None;
            rules.ids.remove(USERINFO);
        }
        Ok(rules)
    }

    /// The id of these rules, unique in the process.
    pub(super) fn unique_id(&self) -> u64 {
        self.unique_id
    }

    /// The ids of all enabled rules.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }

    /// The disabled ids that name no rule.
    pub fn unknown_disabled(&self) -> &[String] {
        &self.unknown_disabled
    }

    /// True if a value is the name or class of a rule.
    pub fn is_name(&self, value: &[u8]) -> bool {
        value.len() <= MAX_NAME_LEN
            && std::str::from_utf8(value)
                .is_ok_and(|text| self.names.contains(&text.to_lowercase()))
    }
}

/// The only rule that is not declared by a plugin.
const USERINFO: &str = "url.userinfo";
/// Names are not longer in practice.
const MAX_NAME_LEN: usize = 64;

/// Collects compiled rules and the errors of the others.
struct Compiler {
    rules: Rules,
    members: NameMap<Rule>,
    has_members: bool,
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
            has_members: false,
            patterns: Vec::new(),
            errors: Vec::new(),
        }
    }
}

impl Compiler {
    fn add(
        &mut self,
        id: &str,
        declaration: RuleDeclaration,
        is_default: bool,
    ) -> Result<(), RuleErrorKind> {
        let class = declaration.class().unwrap_or(NO_CLASS);
        if !is_class(class) {
            return Err(RuleErrorKind::Class(class.to_owned()));
        }
        if declaration.name().is_some_and(str::is_empty) {
            return Err(RuleErrorKind::NoName);
        }
        let is_sometimes = is_default && declaration.name().is_some_and(is_sometimes_secret);
        let rule = match Rule::new(id, class) {
            rule if is_sometimes => rule.only_random(),
            rule => rule,
        };
        self.rules
            .names
            .extend(declaration.name().map(str::to_lowercase));
        self.rules.names.insert(class.to_owned());
        match declaration {
            RuleDeclaration::Header { name, .. } => self.rules.headers.add(&name, rule),
            RuleDeclaration::Query { name, .. } => self.rules.query.add(&name, rule),
            RuleDeclaration::Form { name, .. } => self.rules.form.add(&name, rule),
            RuleDeclaration::VolatileHeader { name } => self.rules.volatile.add(&name, ()),
            RuleDeclaration::JsonMember { name, .. } => {
                self.has_members = true;
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
        rules.members = self.has_members.then_some(self.members);
        rules.patterns = Patterns::new(self.patterns);
        rules
    }
}

/// The class of rules that declare none.
const NO_CLASS: &str = "volatile";

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, class: &str) -> RuleDeclaration {
        let (name, class) = (name.to_owned(), class.to_owned());
        RuleDeclaration::Header { name, class }
    }

    #[test]
    fn reports_all_invalid_rules_at_once() {
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
        assert!(shown[0].starts_with("redaction rule `header.a`: `Bad Class` is not a class"));
        assert_eq!(shown[1], "redaction rule `header.`: the name is empty");
        assert!(shown[2].contains("pointer.a"));
        assert!(shown[3].starts_with("redaction rule `pattern.x`: invalid regular expression: "));
    }

    #[test]
    fn a_default_rule_for_a_name_that_is_sometimes_a_secret_asks_for_randomness() {
        let query = |name: &str| {
            let (name, class) = (name.to_owned(), "token".to_owned());
            RuleDeclaration::Query { name, class }
        };
        let applies = |own: Vec<RuleDeclaration>, defaults: Vec<RuleDeclaration>, name: &str| {
            let rules = Rules::compile_with_defaults(own, defaults, &[]).unwrap();
            rules.query.get(name).unwrap().applies_to(b"BTC")
        };
        assert!(!applies(vec![], vec![query("token")], "token"));
        assert!(applies(vec![], vec![query("password")], "password"));
        assert!(applies(vec![query("token")], vec![], "token"));
        // Settings and plugins name it on purpose.
        assert!(applies(vec![query("token")], vec![query("token")], "token"));
        assert!(applies(
            vec![],
            vec![query("token"), query("Token")],
            "token"
        ));
    }

    #[test]
    fn disables_rules_by_id() {
        let disabled = ["header.a", "guard.jwt", "url.userinfo", "query.none"].map(str::to_owned);
        let declarations = vec![header("A", "bad class"), header("B", "token")];
        let rules = Rules::compile(declarations, &disabled).unwrap();
        assert_eq!(rules.ids().collect::<Vec<_>>(), ["header.b"]);
        assert_eq!(rules.unknown_disabled(), ["query.none"]);
        assert!(rules.headers.get("a").is_none() && rules.headers.get("b").is_some());
        assert!(rules.is_name(b"TOKEN") && rules.is_name(b"b") && !rules.is_name(b"c"));
    }
}
