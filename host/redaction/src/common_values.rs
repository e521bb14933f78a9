//! Values that are too short or too common to search for.

use crate::placeholder;
use ouli_codec::randomness::is_common_word;

/// True if a secret with this value is searched for outside of its own place.
pub fn is_rare(value: &[u8]) -> bool {
    is_searchable(value) && !is_common_word(value)
}

/// True if the value is rare enough to search for it in everything that is written.
pub(super) fn is_searchable(value: &[u8]) -> bool {
    let mut distinct = [false; 256];
    value
        .iter()
        .for_each(|byte| distinct[usize::from(*byte)] = true);
    let distinct = distinct.iter().filter(|seen| **seen).count();
    let mut words = COMMON_WORDS.iter();
    let common = words.any(|word| word.as_bytes().eq_ignore_ascii_case(value));
    value.len() >= MIN_SEARCHABLE_LEN
        && distinct >= MIN_DISTINCT
        && !common
        && !placeholder::is_placeholder(value)
}

/// Shorter values occur by chance.
pub(super) const MIN_SEARCHABLE_LEN: usize = 6;
/// Masks such as `******` have fewer distinct bytes.
const MIN_DISTINCT: usize = 3;

/// Words that occur in messages and recordings that hold no secret.
const COMMON_WORDS: [&str; 64] = [
    "[redacted]",
    "access",
    "access_token",
    "account",
    "accounts",
    "active",
    "admin",
    "anonymous",
    "api_key",
    "apikey",
    "api-key",
    "application",
    "authorization",
    "base64",
    "basic",
    "bearer",
    "boolean",
    "client",
    "client_id",
    "client_secret",
    "content",
    "cookie",
    "default",
    "deleted",
    "digest",
    "disabled",
    "enabled",
    "endpoint",
    "exchange",
    "expired",
    "false",
    "header",
    "headers",
    "id_token",
    "identity",
    "integer",
    "invalid",
    "localhost",
    "method",
    "none",
    "null",
    "number",
    "object",
    "optional",
    "password",
    "private",
    "public",
    "redacted",
    "refresh_token",
    "request",
    "required",
    "response",
    "secret",
    "session",
    "status",
    "string",
    "target",
    "test",
    "token",
    "trailers",
    "undefined",
    "unknown",
    "user",
    "username",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_common_values_are_not_searchable() {
        for value in [
            "",
            "short",
            "Password",
            "********",
            "ababababab",
            "<token-1>",
            "undefined",
        ] {
            assert!(!is_searchable(value.as_bytes()), "{value}");
        }
        for value in ["hunter2", "opensesame", "123456", "pass word"] {
            assert!(is_searchable(value.as_bytes()), "{value}");
        }
    }
}
