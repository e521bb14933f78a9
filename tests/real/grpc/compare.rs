//! Compares the results of clients and searches the written files for secrets.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use regex::Regex;
use serde_json::Value;

use crate::files;
use crate::secrets::base64_core;

/// The compared members of a call; `compression` exists only in calls about compression.
const MEMBERS: [&str; 6] = [
    "code",
    "compression",
    "details",
    "initial",
    "messages",
    "trailing",
];

/// A comparison that ignores a secret and its placeholders.
pub(super) struct Comparison<'a> {
    /// The prefix of each reported difference.
    pub(super) name: &'a str,
    pub(super) secret: &'a str,
}

impl Comparison<'_> {
    /// The number of calls in `one` and the differences from `other`.
    pub(super) fn differences(&self, one: &Value, other: &Value) -> (usize, Vec<String>) {
        let (mut count, mut faults) = (0, Vec::new());
        for (case, calls) in one.as_object().unwrap() {
            let calls = calls.as_array().unwrap();
            let others = other[case].as_array().map_or(&[][..], Vec::as_slice);
            if calls.len() != others.len() {
                faults.push(format!("{} {case}: another number of calls", self.name));
            }
            for (at, (was, is)) in calls.iter().zip(others).enumerate() {
                count += 1;
                for member in MEMBERS {
                    let (was, is) = (self.plain(&was[member]), self.plain(&is[member]));
                    if was != is {
                        let (name, was, is) = (self.name, excerpt(&was), excerpt(&is));
                        faults.push(format!("{name} {case} {at}: {member}: {was}\n  {is}"));
                    }
                }
            }
        }
        (count, faults)
    }

    /// The JSON with the same mark for secrets and placeholders. The bytes of a message with a
    /// secret are left out: its texts and its remaining bytes are compared instead.
    fn plain(&self, value: &Value) -> String {
        let mut value = value.clone();
        for message in value.as_array_mut().into_iter().flatten() {
            let texts = message["texts"].to_string();
            if self.masked(&texts) != texts {
                message["bytes"].take();
            }
        }
        self.masked(&value.to_string())
    }

    fn masked(&self, text: &str) -> String {
        let secret = format!("[A-Za-z_]*{}(0123456789abcdef)?", self.secret);
        let placeholder = "<[a-z-]+-[0-9]+>";
        let any = Regex::new(&format!("{secret}|{placeholder}")).unwrap();
        any.replace_all(text, "*").into_owned()
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(400).collect()
}

/// Panics if a file in the folder contains one of these texts, plain or in base64.
pub(super) fn assert_nowhere(texts: &[String], folder: &Path) {
    let forms: Vec<_> = texts.iter().flat_map(|text| forms(text)).collect();
    let files = files::below(folder);
    assert!(!files.is_empty(), "no file was written");
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let found = forms
            .iter()
            .find(|form| memchr::memmem::find(&bytes, form.as_bytes()).is_some());
        assert!(found.is_none(), "{found:?} in {}", file.display());
    }
}

/// A text, and the part of its base64 form that is independent of its neighbours, for each of the
/// three offsets within a group.
fn forms(text: &str) -> [String; 4] {
    let coded = |before| base64_core(text, before);
    [text.to_owned(), coded(0), coded(1), coded(2)]
}

#[test]
fn secrets_are_found_in_base64() {
    for before in ["", "a", "ab", "abc"] {
        let coded = STANDARD_NO_PAD.encode(format!("{before}a secret and more"));
        let found = forms("a secret").iter().any(|form| coded.contains(form));
        assert!(found, "{coded}");
    }
}

#[test]
fn secret_placeholders_are_no_difference() {
    use serde_json::json;

    let call = |code: u8, bytes: &str, text: &str, rest: &str| {
        let message = json!({"bytes": bytes, "texts": {"text": text}, "rest": rest});
        json!({"case": [{"code": code, "messages": [message]}]})
    };
    let comparison = Comparison {
        name: "",
        secret: "s3cret",
    };
    let was = call(0, "AAAA", "pWs3cret", "CC");
    for (is, faults) in [
        (call(0, "AAAA", "pWs3cret", "CC"), 0),
        (call(0, "BBBB", "<password-1>", "CC"), 0),
        (call(0, "BBBB", "<password-1>", "DD"), 1),
        (call(0, "BBBB", "plain", "CC"), 1),
        (call(5, "AAAA", "pWs3cret", "CC"), 1),
        (json!({}), 1),
    ] {
        let (_, told) = comparison.differences(&was, &is);
        assert_eq!(told.len(), faults, "{told:?}");
    }
    let (was, is) = (call(0, "AAAA", "x", ""), call(0, "BBBB", "x", ""));
    assert_eq!(comparison.differences(&was, &is).1.len(), 1);
    let coded = |coding: &str| json!({"case": [{"messages": [], "compression": coding}]});
    let (was, is) = (coded("gzip"), coded("identity"));
    assert_eq!(comparison.differences(&was, &was).1.len(), 0);
    assert_eq!(comparison.differences(&was, &is).1.len(), 1);
}
