//! Whether a body that broke off may end with the first part of a secret. No rule recognizes it
//! there, so it must not be recorded.

use std::fmt;

use crate::guard::Guard;
use crate::name_value_pairs;
use crate::rules::Rules;
use crate::secrets::Secrets;

/// Why the last bytes of a body may be a part of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CutSecret {
    /// A rule with this id might find a secret there, or found the secret that begins there.
    Rule(String),
    /// The code of a redactor might.
    Code,
}

impl fmt::Display for CutSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(id) => out.write_str(id),
            Self::Code => out.write_str("the code of a plugin"),
        }
    }
}

/// The secret that a body may end with a part of. `body` is redacted: its values at places that
/// rules name are replaced already, also if they are cut.
pub(super) fn find(
    body: &[u8],
    rules: &Rules,
    secrets: &Secrets,
    guard: &Guard,
    is_code_called: bool,
) -> Option<CutSecret> {
    if is_code_called && body.last().is_some_and(is_word) {
        return Some(CutSecret::Code);
    }
    let text = String::from_utf8_lossy(&body[body.len().saturating_sub(MAX_URL)..]);
    let userinfo = rules.userinfo.as_ref().map(|rule| &rule.id);
    let rule = rules
        .patterns
        .cut_match(body)
        .or(guard.cut_token(body))
        .or(userinfo
            .filter(|_| name_value_pairs::may_end_in_userinfo(&text))
            .map(|id| &**id));
    let rule = rule.map(str::to_owned);
    let rule = rule.or_else(|| secrets.cut_in(body).map(|secret| secret.rule().to_string()));
    rule.map(CutSecret::Rule)
}

/// Longer URLs are not searched for a password.
const MAX_URL: usize = 4 << 10;

fn is_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.~+/=%".contains(byte) || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RuleDeclaration;

    fn found(body: &str, secrets: &Secrets) -> Option<CutSecret> {
        let rules = vec![RuleDeclaration::Pattern {
            regex: r"\btok_[a-z0-9]{12}".to_owned(),
            class: "token".to_owned(),
        }];
        let rules = Rules::compile(rules, &[]).unwrap();
        find(body.as_bytes(), &rules, secrets, &Guard::new(&[]), false)
    }

    #[test]
    fn the_first_part_of_a_secret_is_found_at_the_end_only() {
        let secrets = Secrets::default();
        secrets.register("password", b"hunter2");
        secrets.register("token", b"first/value-of-a-token");
        for (body, expected) in [
            ("{\"d\": \"tok_a1b2", Some("pattern.token")),
            ("{\"d\": \"tok_a1b2 ", None),
            ("{\"d\": \"eyJhbGciOi", Some("guard.jwt")),
            ("{\"n\": 1, \"d\": \"AAA", None),
            ("see https://host.example/pa", None),
            ("see https://user:pas", Some("url.userinfo")),
            ("see https://user:pas d", None),
            ("it is hunter", Some("guard.known-secret")),
            ("it is xhunter", None),
            ("it is hu", None),
            ("{\"d\": \"first/value", Some("guard.known-secret")),
            ("{\"d\": \"first%2Fvalue", Some("guard.known-secret")),
            ("{\"d\": \"Zmlyc3QvdmFsdW", Some("guard.known-secret")),
            ("{\"d\": \"first/valid", None),
            ("", None),
        ] {
            let expected = expected.map(|id| CutSecret::Rule(id.to_owned()));
            assert_eq!(found(body, &secrets), expected, "{body}");
        }
    }

    #[test]
    fn code_may_recognize_any_word() {
        let rules = Rules::compile(Vec::new(), &[]).unwrap();
        let find = |body: &[u8]| {
            let secrets = Secrets::default();
            find(body, &rules, &secrets, &Guard::new(&[]), true)
        };
        assert_eq!(find(b"{\"d\": \"AAA"), Some(CutSecret::Code));
        assert_eq!(find(b"{\"d\": \"AAA\", "), None);
    }
}
