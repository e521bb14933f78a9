//! The last look at the very bytes that are about to be written.

use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use crate::secrets::Secrets;

/// Refuses bytes that hold a secret of the session, or what looks like a token of a known kind.
#[derive(Clone, Debug)]
pub struct Guard {
    disabled: Vec<String>,
}

/// Why bytes may not be written. It never tells the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct GuardRejection {
    /// The id of the rule that refuses.
    pub rule: String,
    /// Where the secret begins, in bytes.
    pub offset: usize,
}

impl Guard {
    /// A guard without the rules whose ids are in `off`. Secrets of the session are always refused.
    pub fn new(off: &[String]) -> Self {
        let own = off.iter().filter(|id| Self::ids().any(|own| own == **id));
        Self {
            disabled: own.cloned().collect(),
        }
    }

    /// The ids of all rules that can be switched off.
    pub fn ids() -> impl Iterator<Item = &'static str> {
        TOKEN_KINDS.iter().map(|kind| kind.id)
    }

    /// True for the ids of its own rules, which hold nobody else's words.
    pub fn is_builtin(id: &str) -> bool {
        id == OVERFLOW || Self::ids().any(|own| own == id)
    }

    /// Looks the bytes over. An error names what may not be written.
    pub fn scan(&self, bytes: &[u8], secrets: &Secrets) -> Result<(), GuardRejection> {
        let refusal = |rule: &str, offset| GuardRejection {
            rule: rule.to_owned(),
            offset,
        };
        if secrets.overflowed() {
            return Err(refusal(OVERFLOW, 0));
        }
        if let Some(hit) = secrets.searcher().find_any(bytes) {
            return Err(refusal(hit.secret.rule(), hit.range.start));
        }
        match self.token(bytes) {
            Some((id, offset)) => Err(refusal(id, offset)),
            None => Ok(()),
        }
    }

    fn token(&self, bytes: &[u8]) -> Option<(&'static str, usize)> {
        let looks = &*TOKEN_PATTERNS;
        if !looks.set.is_match(bytes) {
            return None;
        }
        let on = |kind: &&(&TokenKind, Regex)| !self.disabled.iter().any(|off| off == kind.0.id);
        looks.each.iter().filter(on).find_map(|(kind, regex)| {
            let mut places = regex.find_iter(bytes);
            let secret = places.find(|place| !kind.digit || has_digit(place.as_bytes()))?;
            Some((kind.id, secret.start()))
        })
    }
}

impl GuardRejection {
    fn text(&self) -> String {
        let Self { rule, offset } = self;
        if rule == OVERFLOW {
            return "the session has more secrets than can be remembered; raise `limits.secrets_per_session` or \
                    `limits.secret_bytes_per_session`"
                .to_owned();
        }
        if Guard::ids().any(|id| id == rule) {
            return format!(
                "what stands at byte {offset} looks like a secret ({rule}); where it is none, \
                 allow it with `[redaction] off = [\"{rule}\"]`"
            );
        }
        format!("a secret of this session, first seen by {rule}, stands at byte {offset}")
    }
}

const OVERFLOW: &str = "guard.overflow";

/// A kind of token that is known by its looks.
#[derive(Debug)]
struct TokenKind {
    id: &'static str,
    expression: &'static str,
    /// Without a digit it is a word of some text.
    digit: bool,
}

const fn token_kind(id: &'static str, expression: &'static str, digit: bool) -> TokenKind {
    TokenKind {
        id,
        expression,
        digit,
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

/// All kinds at once, and each for itself.
struct TokenPatterns {
    set: RegexSet,
    each: Vec<(&'static TokenKind, Regex)>,
}

static TOKEN_PATTERNS: LazyLock<TokenPatterns> = LazyLock::new(|| {
    let set = RegexSetBuilder::new(TOKEN_KINDS.iter().map(|kind| kind.expression));
    let each = TOKEN_KINDS.iter().map(|kind| {
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
        each: each.collect(),
    }
});

fn has_digit(token: &[u8]) -> bool {
    token.iter().any(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Option<String> {
        let guard = Guard::new(&[]);
        guard
            .scan(text.as_bytes(), &Secrets::default())
            .err()
            .map(|refusal| refusal.rule)
    }

    #[test]
    fn tokens_are_known_by_their_looks() {
        let cases = [
            (
                "guard.openai-key",
                format!("\"sk-proj-{}\"", "aB3_".repeat(8)),
            ),
            (
                "guard.anthropic-key",
                format!("sk-ant-api03-{}", "abcd".repeat(8)),
            ),
            (
                "guard.aws-access-key",
                format!("<Key>AKIA{}</Key>", "Q7".repeat(8)),
            ),
            (
                "guard.github-token",
                format!("token ghp_{}", "a1".repeat(18)),
            ),
            (
                "guard.github-token",
                format!("github_pat_{}", "a1_".repeat(18)),
            ),
            (
                "guard.google-api-key",
                format!("?key=AIza{}", "Sy-4_".repeat(7)),
            ),
            ("guard.slack-token", "xoxb-12345-abcdef".to_owned()),
            ("guard.gitlab-token", format!("glpat-{}", "x1".repeat(10))),
            ("guard.stripe-key", format!("sk_live_{}", "4e".repeat(12))),
            (
                "guard.private-key",
                "-----BEGIN RSA PRIVATE KEY-----\\nMII".to_owned(),
            ),
            (
                "guard.jwt",
                "x=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl".to_owned(),
            ),
            (
                "guard.bearer",
                "authorization: bearer 0123456789abcdef".to_owned(),
            ),
        ];
        for (id, text) in cases {
            assert_eq!(rule(&text).as_deref(), Some(id), "{text}");
        }
    }

    #[test]
    fn ordinary_text_passes() {
        let cases = [
            "Bearer <authorization-1>",
            "Bearer resource_metadata=\"https://x\"",
            "sk-fading-circle-and-cube-grid-loader",
            "task-1234567890123456789012345",
            "eyJ.a.b",
            "-----BEGIN PUBLIC KEY-----",
            "AKIA<token-1>",
        ];
        for text in cases {
            assert_eq!(rule(text), None, "{text}");
        }
    }

    #[test]
    fn rules_can_be_switched_off_but_not_for_known_secrets() {
        let text = b"glpat-0123456789abcdefghij";
        let secrets = Secrets::default();
        let refusal = Guard::new(&[]).scan(text, &secrets).unwrap_err();
        assert_eq!(
            (refusal.rule.as_str(), refusal.offset),
            ("guard.gitlab-token", 0)
        );
        let shown = refusal.to_string();
        assert!(
            shown.contains("`[redaction] off = [\"guard.gitlab-token\"]`")
                && !shown.contains("0123")
        );
        let guard = Guard::new(&[
            "guard.gitlab-token".to_owned(),
            "guard.known-secret".to_owned(),
        ]);
        assert_eq!(guard.scan(text, &secrets), Ok(()));
        secrets.register_env("CI_TOKEN", text);
        let refusal = guard
            .scan(b"\xff glpat-0123456789abcdefghij", &secrets)
            .unwrap_err();
        assert_eq!((refusal.rule.as_str(), refusal.offset), ("env.CI_TOKEN", 2));
        assert!(!refusal.to_string().contains("0123"));
        let secrets = Secrets::default();
        secrets.register("token", b"s3cr3t-value");
        let refusal = guard.scan(b"czNjcjN0LXZhbHVl", &secrets).unwrap_err();
        assert_eq!(refusal.rule, "guard.known-secret");
    }
}
