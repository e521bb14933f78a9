//! The environment of a call in a test: the function that runs, settings, log lines and
//! placeholders. It is per thread, because each test runs in its own thread.

use std::cell::RefCell;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Answer;

/// Which function of a plugin runs. It decides which methods are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// `prepare` of any role.
    Prepare,
    /// `identify`, `redact` or `decide`.
    Call,
}

/// A placeholder for a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// The placeholder itself, for example `<token-1>`.
    pub text: String,
    /// The kind of secret.
    pub class: String,
    /// The secret.
    pub secret: Vec<u8>,
}

#[derive(Default)]
struct Environment {
    /// `None` while no plugin runs: a test calls a helper function of the plugin directly.
    phase: Option<Phase>,
    settings: Option<String>,
    lines: Vec<String>,
    placeholders: Vec<Placeholder>,
    error: Option<String>,
}

thread_local! {
    static ENVIRONMENT: RefCell<Environment> = RefCell::default();
}

fn with_environment<T>(run: impl FnOnce(&mut Environment) -> T) -> T {
    ENVIRONMENT.with_borrow_mut(run)
}

/// Clears the log lines and the placeholders of the last call.
pub(super) fn reset() {
    with_environment(|environment| {
        environment.lines.clear();
        environment.placeholders.clear();
    });
}

/// Runs one function of a plugin. Returns the error that would have ended the call in the gateway.
pub(super) fn run(phase: Phase, call: impl FnOnce() -> Answer) -> Answer {
    with_environment(|environment| {
        environment.phase = Some(phase);
        environment.error = None;
    });
    let result = call();
    with_environment(|environment| {
        environment.phase = None;
        environment.error.take().map_or(result, Err)
    })
}

/// True in this phase; otherwise the call fails.
pub(super) fn require_phase(phase: Phase, method: &str) -> bool {
    let allowed = with_environment(|environment| environment.phase.is_none_or(|now| now == phase));
    if !allowed {
        fail(format!("`{method}` cannot be called here"));
    }
    allowed
}

/// Records an error that would have ended the call. The first error counts, because the call would
/// have ended there.
pub(super) fn fail(text: String) {
    with_environment(|environment| {
        environment.error.get_or_insert(text);
    });
}

/// The placeholders that were made since [`reset`], in order.
pub(super) fn placeholders() -> Vec<Placeholder> {
    with_environment(|environment| environment.placeholders.clone())
}

/// The lines that the plugin logged in the last call of this thread, each after its level, for
/// example `warn: no tenant`.
#[must_use]
pub fn log() -> Vec<String> {
    with_environment(|environment| environment.lines.clone())
}

/// Runs a test with these settings. The default is `{}`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it reads better: with_settings(json!({}), || ..)"
)]
pub fn with_settings<T>(settings: Value, test: impl FnOnce() -> T) -> T {
    /// Restores the previous settings, also if the test fails.
    struct Restore(Option<String>);
    impl Drop for Restore {
        fn drop(&mut self) {
            with_environment(|environment| environment.settings = self.0.take());
        }
    }
    let former = with_environment(|environment| environment.settings.replace(settings.to_string()));
    let _restore = Restore(former);
    test()
}

pub(crate) fn settings() -> String {
    with_environment(|environment| environment.settings.clone()).unwrap_or_else(|| "{}".to_owned())
}

pub(crate) fn write_line(level: &str, text: &str) {
    with_environment(|environment| environment.lines.push(format!("{level}: {text}")));
}

pub(crate) fn digest(algorithm: &str, data: &[u8]) -> Vec<u8> {
    if algorithm != "sha-256" {
        fail(format!(
            "unknown digest algorithm `{algorithm}`; use `sha-256`"
        ));
    }
    Sha256::digest(data).to_vec()
}

pub(crate) fn placeholder(class: &str, secret: &[u8]) -> String {
    require_phase(Phase::Call, "placeholder");
    if !is_class(class) {
        fail(format!(
            "`{class}` is not a class: use lower-case letters, digits and `-`"
        ));
    }
    if let Some(placeholder) = as_placeholder(secret) {
        return placeholder.to_owned();
    }
    with_environment(|environment| {
        let known = &mut environment.placeholders;
        if let Some(equal) = known.iter().find(|known| known.secret == secret) {
            return equal.text.clone();
        }
        let number = known.iter().filter(|known| known.class == class).count() + 1;
        let text = format!("<{class}-{number}>");
        known.push(Placeholder {
            text: text.clone(),
            class: class.to_owned(),
            secret: secret.to_owned(),
        });
        text
    })
}

/// The text of a secret that is already a placeholder.
fn as_placeholder(secret: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(secret).ok()?;
    let (class, number) = text
        .strip_prefix('<')?
        .strip_suffix('>')?
        .rsplit_once('-')?;
    (is_class(class) && is_number(number)).then_some(text)
}

/// A class is words of lower-case letters and digits, joined by `-`. It starts with a letter, and
/// the last word is not a number, because a number follows in the placeholder.
fn is_class(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let word = |word: &str| !word.is_empty() && word.bytes().all(letter);
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.split('-').all(word)
        && !text.rsplit('-').next().is_some_and(is_number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        Phase, digest, log, placeholder, placeholders, reset, run, settings, with_settings,
        write_line,
    };

    #[test]
    fn equal_secrets_get_equal_placeholders() {
        reset();
        assert_eq!(placeholder("token", b"a"), "<token-1>");
        assert_eq!(placeholder("e-mail", b"b"), "<e-mail-1>");
        assert_eq!(placeholder("token", b"c"), "<token-2>");
        assert_eq!(placeholder("e-mail", b"a"), "<token-1>");
        assert_eq!(placeholder("token", b"<pin-7>"), "<pin-7>");
        assert_eq!(placeholders().len(), 3);
    }

    #[test]
    fn whatever_ends_a_call_in_the_gateway_is_an_error() {
        for class in ["", "Token", "a--b", "-a", "a-1", "1a"] {
            let result = run(Phase::Call, || {
                placeholder(class, b"a");
                Ok(())
            });
            assert!(result.unwrap_err().contains("is not a class"), "{class}");
        }
        let result = run(Phase::Call, || {
            digest("md5", b"a");
            Err("later".to_owned())
        });
        assert!(
            result
                .unwrap_err()
                .starts_with("unknown digest algorithm `md5`")
        );
        let result = run(Phase::Prepare, || {
            placeholder("token", b"a");
            Ok(())
        });
        assert_eq!(result.unwrap_err(), "`placeholder` cannot be called here");
    }

    #[test]
    fn settings_apply_to_their_test_only() {
        assert_eq!(settings(), "{}");
        let inner = with_settings(json!({"a": 1}), || {
            with_settings(json!({"b": 2}), settings) + &settings()
        });
        assert_eq!(inner, r#"{"b":2}{"a":1}"#);
        assert_eq!(settings(), "{}");
    }

    #[test]
    fn log_lines_are_kept_until_the_next_call() {
        write_line("info", "old");
        reset();
        write_line("warn", "new");
        assert_eq!(log(), ["warn: new"]);
    }
}
