//! What surrounds a call of a plugin: which function runs, its settings, log lines and stand-ins.
//! Each thread has its own, as each test has its own thread.

use std::cell::RefCell;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Answer;

/// Which of a plugin's functions runs: it decides which methods are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// `prepare` of any role.
    Prepare,
    /// `identify`, `redact` or `decide`.
    Ask,
}

/// A secret that the plugin named, and what stands in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// For example `<token-1>`.
    pub text: String,
    /// The kind of secret.
    pub class: String,
    /// The secret.
    pub secret: Vec<u8>,
}

#[derive(Default)]
struct Stage {
    /// None while no plugin runs: then a test calls a helper of the plugin by itself.
    phase: Option<Phase>,
    settings: Option<String>,
    lines: Vec<String>,
    stand_ins: Vec<StandIn>,
    fault: Option<String>,
}

thread_local! {
    static STAGE: RefCell<Stage> = RefCell::default();
}

fn on_stage<T>(work: impl FnOnce(&mut Stage) -> T) -> T {
    STAGE.with_borrow_mut(work)
}

/// Forgets the lines and the stand-ins of the last call.
pub(super) fn begin() {
    on_stage(|stage| {
        stage.lines.clear();
        stage.stand_ins.clear();
    });
}

/// Runs one function of a plugin. What would have ended it in the gateway is its error.
pub(super) fn enter(phase: Phase, call: impl FnOnce() -> Answer) -> Answer {
    on_stage(|stage| {
        stage.phase = Some(phase);
        stage.fault = None;
    });
    let answer = call();
    on_stage(|stage| {
        stage.phase = None;
        stage.fault.take().map_or(answer, Err)
    })
}

/// True in this phase; in the other one a fault.
pub(super) fn only_in(phase: Phase, what: &str) -> bool {
    let allowed = on_stage(|stage| stage.phase.is_none_or(|now| now == phase));
    if !allowed {
        fault(format!("`{what}` cannot be called here"));
    }
    allowed
}

/// Notes what would have ended the call. The first fault counts: the rest would not have happened.
pub(super) fn fault(text: String) {
    on_stage(|stage| {
        stage.fault.get_or_insert(text);
    });
}

/// The stand-ins that were given since [`begin`], in their order.
pub(super) fn stand_ins() -> Vec<StandIn> {
    on_stage(|stage| stage.stand_ins.clone())
}

/// The lines that the plugin logged in the last call of this thread, each with its level in front,
/// as `warn: no tenant`.
#[must_use]
pub fn log() -> Vec<String> {
    on_stage(|stage| stage.lines.clone())
}

/// Runs a test with these settings; without, they are `{}`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it reads better: with_settings(json!({}), || ..)"
)]
pub fn with_settings<T>(settings: Value, test: impl FnOnce() -> T) -> T {
    /// Puts the former settings back, also where the test fails.
    struct Restore(Option<String>);
    impl Drop for Restore {
        fn drop(&mut self) {
            on_stage(|stage| stage.settings = self.0.take());
        }
    }
    let former = on_stage(|stage| stage.settings.replace(settings.to_string()));
    let _restore = Restore(former);
    test()
}

pub(crate) fn settings() -> String {
    on_stage(|stage| stage.settings.clone()).unwrap_or_else(|| "{}".to_owned())
}

pub(crate) fn write_line(level: &str, text: &str) {
    on_stage(|stage| stage.lines.push(format!("{level}: {text}")));
}

pub(crate) fn digest(algorithm: &str, data: &[u8]) -> Vec<u8> {
    if algorithm != "sha-256" {
        fault(format!(
            "no digest is named `{algorithm}`; there is `sha-256`"
        ));
    }
    Sha256::digest(data).to_vec()
}

pub(crate) fn placeholder(class: &str, secret: &[u8]) -> String {
    only_in(Phase::Ask, "placeholder");
    if !is_class(class) {
        fault(format!(
            "`{class}` is no class: use lower-case letters, digits and `-`"
        ));
    }
    if let Some(own) = stand_in(secret) {
        return own.to_owned();
    }
    on_stage(|stage| {
        let known = &mut stage.stand_ins;
        if let Some(equal) = known.iter().find(|known| known.secret == secret) {
            return equal.text.clone();
        }
        let number = known.iter().filter(|known| known.class == class).count() + 1;
        let text = format!("<{class}-{number}>");
        known.push(StandIn {
            text: text.clone(),
            class: class.to_owned(),
            secret: secret.to_owned(),
        });
        text
    })
}

/// What is a stand-in already is its own.
fn stand_in(secret: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(secret).ok()?;
    let (class, number) = text
        .strip_prefix('<')?
        .strip_suffix('>')?
        .rsplit_once('-')?;
    (is_class(class) && is_number(number)).then_some(text)
}

/// Words of lower-case letters and digits, joined by `-`; it begins with a letter, and the last
/// word is no number, since a number follows.
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

    use super::{Phase, enter};
    use super::{begin, digest, log, placeholder, settings, stand_ins, with_settings, write_line};

    #[test]
    fn equal_secrets_get_equal_stand_ins() {
        begin();
        assert_eq!(placeholder("token", b"a"), "<token-1>");
        assert_eq!(placeholder("e-mail", b"b"), "<e-mail-1>");
        assert_eq!(placeholder("token", b"c"), "<token-2>");
        assert_eq!(placeholder("e-mail", b"a"), "<token-1>");
        assert_eq!(placeholder("token", b"<pin-7>"), "<pin-7>");
        assert_eq!(stand_ins().len(), 3);
    }

    #[test]
    fn what_ends_a_call_in_the_gateway_is_an_error() {
        for class in ["", "Token", "a--b", "-a", "a-1", "1a"] {
            let answer = enter(Phase::Ask, || {
                placeholder(class, b"a");
                Ok(())
            });
            assert!(answer.unwrap_err().contains("is no class"), "{class}");
        }
        let answer = enter(Phase::Ask, || {
            digest("md5", b"a");
            Err("later".to_owned())
        });
        assert!(answer.unwrap_err().starts_with("no digest is named `md5`"));
        let answer = enter(Phase::Prepare, || {
            placeholder("token", b"a");
            Ok(())
        });
        assert_eq!(answer.unwrap_err(), "`placeholder` cannot be called here");
    }

    #[test]
    fn settings_last_as_long_as_their_test() {
        assert_eq!(settings(), "{}");
        let inner = with_settings(json!({"a": 1}), || {
            with_settings(json!({"b": 2}), settings) + &settings()
        });
        assert_eq!(inner, r#"{"b":2}{"a":1}"#);
        assert_eq!(settings(), "{}");
    }

    #[test]
    fn lines_are_kept_until_the_next_call() {
        write_line("info", "old");
        begin();
        write_line("warn", "new");
        assert_eq!(log(), ["warn: new"]);
    }
}
