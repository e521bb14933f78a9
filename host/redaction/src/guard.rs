//! The guard: the final scan of the bytes that are about to be written.

use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use crate::forgotten_secrets::{ForgottenSecrets, SearchSteps};
use crate::pattern_prefix::PrefixMatcher;
use crate::secret_index::{KnownSecrets, SecretsSnapshot};
use crate::secret_searcher::SecretSearcher;
use crate::secrets::Secrets;

/// Rejects bytes that hold a secret of the session or a token of a known format.
#[derive(Clone, Debug)]
pub struct Guard {
    disabled: Vec<String>,
}

/// Why bytes may not be written. It never contains the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct GuardRejection {
    /// The id of the rule that rejected them.
    pub rule: String,
    /// The byte offset of the secret.
    pub offset: usize,
}

impl Guard {
    /// A guard without the rules whose ids are in `disabled`. Secrets of the session are always
    /// rejected.
    pub fn new(disabled: &[String]) -> Self {
        let builtin = disabled
            .iter()
            .filter(|id| Self::ids().any(|builtin| builtin == **id));
        Self {
            disabled: builtin.cloned().collect(),
        }
    }

    /// The ids of all rules that can be disabled.
    pub fn ids() -> impl Iterator<Item = &'static str> {
        TOKEN_KINDS.iter().map(|kind| kind.id)
    }

    /// True for the ids of the guard's own rules, which contain no text of a plugin.
    pub fn is_builtin(id: &str) -> bool {
        [
            OVERFLOW,
            FORGOTTEN_SECRET,
            FORGOTTEN_SECRETS,
            FORGOTTEN_SESSION,
        ]
        .contains(&id)
            || Self::ids().any(|builtin| builtin == id)
    }

    /// Scans bytes. The error names the rule and the offset of the first secret.
    pub fn scan(&self, bytes: &[u8], secrets: &Secrets) -> Result<(), GuardRejection> {
        self.scan_for(bytes, &secrets.snapshot(bytes.len()))
    }

    /// The same for secrets that are ready to be searched for.
    pub fn scan_for(&self, bytes: &[u8], secrets: &SecretsSnapshot) -> Result<(), GuardRejection> {
        find_known(bytes, &secrets.searcher)?;
        find_forgotten(bytes, secrets.forgotten.as_deref())?;
        match self.find_token(bytes) {
            Some((id, offset)) => Err(GuardRejection::new(id, offset)),
            None => Ok(()),
        }
    }

    /// As [`Self::scan`], also for the secrets of the session that were known before.
    pub fn scan_known(
        &self,
        bytes: &[u8],
        secrets: &Secrets,
        known: &KnownSecrets,
    ) -> Result<(), GuardRejection> {
        self.scan(bytes, secrets)?;
        match secrets.forgotten_of(known, bytes.len()) {
            Some(before) => find_known(bytes, &before),
            None => Ok(()),
        }
    }

    /// The id of a rule that might reject a text if it was longer.
    pub(super) fn cut_token(&self, text: &[u8]) -> Option<&'static str> {
        let is_enabled = |id: &str| !self.disabled.iter().any(|disabled| disabled == id);
        let mut kinds = TOKEN_PREFIXES.iter().filter(|(id, _)| is_enabled(id));
        kinds
            .find(|(_, prefix)| prefix.may_match_beyond(text))
            .map(|(id, _)| *id)
    }

    fn find_token(&self, bytes: &[u8]) -> Option<(&'static str, usize)> {
        let patterns = &*TOKEN_PATTERNS;
        if !patterns.set.is_match(bytes) {
            return None;
        }
        let is_enabled = |kind: &&(&TokenKind, Regex)| {
            !self.disabled.iter().any(|disabled| disabled == kind.0.id)
        };
        patterns
            .regexes
            .iter()
            .filter(is_enabled)
            .find_map(|(kind, regex)| {
                let mut matches = regex.find_iter(bytes);
                let secret =
                    matches.find(|found| !kind.requires_digit || has_digit(found.as_bytes()))?;
                Some((kind.id, secret.start()))
            })
    }
}

/// The error of the first secret of a session.
fn find_known(bytes: &[u8], searcher: &SecretSearcher) -> Result<(), GuardRejection> {
    match searcher.find_any(bytes) {
        Some(hit) => Err(GuardRejection::new(hit.secret.rule(), hit.range.start)),
        None => Ok(()),
    }
}

/// The error of the first secret that the session has forgotten.
fn find_forgotten(
    bytes: &[u8],
    forgotten: Option<&ForgottenSecrets>,
) -> Result<(), GuardRejection> {
    match forgotten.and_then(|it| it.find(bytes, &mut SearchSteps::default())) {
        Some(range) => Err(GuardRejection::new(FORGOTTEN_SECRET, range.start)),
        None => Ok(()),
    }
}

impl GuardRejection {
    fn new(rule: &str, offset: usize) -> Self {
        Self {
            rule: rule.to_owned(),
            offset,
        }
    }

    /// An exchange has more secrets than a session may know.
    pub fn overflow() -> Self {
        Self::new(OVERFLOW, 0)
    }

    /// The secrets of the session are forgotten, so an exchange cannot be checked.
    pub fn forgotten_session() -> Self {
        Self::new(FORGOTTEN_SESSION, 0)
    }

    fn text(&self) -> String {
        let Self { rule, offset } = self;
        if rule == OVERFLOW {
            return "the exchange has more secrets than are remembered; raise \
                    `limits.secrets_per_session`, `limits.secret_bytes_per_session` or \
                    `limits.secret_memory`"
                .to_owned();
        }
        if rule == FORGOTTEN_SECRET {
            return format!(
                "byte {offset} is part of a secret that the session has forgotten; raise \
                 `limits.secrets_per_session`, `limits.secret_bytes_per_session` or \
                 `limits.secret_memory`"
            );
        }
        if rule == FORGOTTEN_SESSION {
            return "the session was closed and is forgotten with the secrets that it had \
                    recorded, so they could not be masked; raise `limits.closed_session_memory`"
                .to_owned();
        }
        if Guard::ids().any(|id| id == rule) {
            return format!(
                "the text at byte {offset} looks like a secret ({rule}); if it is not a secret, \
                 set `[redaction] disabled_rules = [\"{rule}\"]`"
            );
        }
        format!("byte {offset} is part of a secret of this session, first found by {rule}")
    }
}

/// Under this id, exchanges are refused that have more secrets than a session may know.
pub const OVERFLOW: &str = "guard.overflow";
/// Under this id, exchanges of sessions are refused whose secrets are forgotten.
pub const FORGOTTEN_SESSION: &str = "guard.forgotten-session";

const FORGOTTEN_SECRET: &str = "guard.forgotten-secret";

/// Under this id, recorded secrets are counted that a session has forgotten and that the guard
/// cannot find any more. Nothing is refused.
pub const FORGOTTEN_SECRETS: &str = "guard.forgotten-secrets";

/// A kind of token with a known format.
#[derive(Debug)]
struct TokenKind {
    id: &'static str,
    expression: &'static str,
    /// A match without a digit is an ordinary word.
    requires_digit: bool,
}

const fn token_kind(id: &'static str, expression: &'static str, requires_digit: bool) -> TokenKind {
    TokenKind {
        id,
        expression,
        requires_digit,
    }
}

const TOKEN_KINDS: [TokenKind; 11] = [
    token_kind("guard.anthropic-key", r"\bsk-ant-[A-Za-z0-9_-]{20,}", false),
    token_kind(
        "guard.openai-key",
        r"\bsk-[A-Za-z0-9][A-Za-z0-9_-]{20,}",
        true,
    ),
    token_kind(
        "guard.aws-access-key",
        r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
        true,
    ),
    token_kind(
        "guard.github-token",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
        true,
    ),
    token_kind("guard.google-api-key", r"\bAIza[0-9A-Za-z_-]{30,}", true),
    token_kind(
        "guard.slack-token",
        r"\bxox[abeprs]-[A-Za-z0-9-]{10,}",
        true,
    ),
    token_kind("guard.gitlab-token", r"\bglpat-[A-Za-z0-9_-]{20,}", true),
    token_kind(
        "guard.stripe-key",
        r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",
        true,
    ),
    token_kind(
        "guard.private-key",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
        false,
    ),
    token_kind(
        "guard.jwt",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
        false,
    ),
    token_kind(
        "guard.bearer",
        r"(?i-u)\bBearer\s+[A-Za-z0-9._~+/=-]{16,}",
        true,
    ),
];

/// The expressions of all kinds, as one set and one by one.
struct TokenPatterns {
    set: RegexSet,
    regexes: Vec<(&'static TokenKind, Regex)>,
}

static TOKEN_PATTERNS: LazyLock<TokenPatterns> = LazyLock::new(|| {
    let set = RegexSetBuilder::new(TOKEN_KINDS.iter().map(|kind| kind.expression));
    let regexes = TOKEN_KINDS.iter().map(|kind| {
        let regex = RegexBuilder::new(kind.expression).unicode(false).build();
        (
            kind,
            regex.expect("the expressions above are valid, a test compiles them"),
        )
    });
    TokenPatterns {
        set: set
            .clone()
            .unicode(false)
            .build()
            .expect("the expressions above are valid, a test compiles them"),
        regexes: regexes.collect(),
    }
});

/// The first parts of tokens, by the ids of their rules.
static TOKEN_PREFIXES: LazyLock<Vec<(&str, PrefixMatcher)>> = LazyLock::new(|| {
    let kinds = TOKEN_KINDS.iter();
    kinds
        .map(|kind| {
            (
                kind.id,
                PrefixMatcher::new(&format!("(?-u){}", kind.expression)),
            )
        })
        .collect()
});

fn has_digit(token: &[u8]) -> bool {
    token.iter().any(u8::is_ascii_digit)
}
