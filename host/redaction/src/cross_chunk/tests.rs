//! A secret split at every byte, in every format of parts.

use bytes::Bytes;

use super::*;
use crate::{Purpose, RuleDeclaration, Rules, Secrets};

const CANARY: &str = "sk-ant-c4N4ryV4lu3-0123456789-AbCd9";

fn rules() -> Rules {
    let pattern = |class: &str, regex: &str| RuleDeclaration::Pattern {
        regex: regex.to_owned(),
        class: class.to_owned(),
    };
    let declared = vec![
        RuleDeclaration::JsonMember {
            name: "password".to_owned(),
            class: "password".to_owned(),
        },
        RuleDeclaration::Form {
            name: "password".to_owned(),
            class: "password".to_owned(),
        },
        pattern("anthropic-key", r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
        pattern("bearer", r"(?i)\bBearer\s+([A-Za-z0-9._~+/=-]{16,})"),
    ];
    Rules::compile(declared, &[]).unwrap()
}

fn redact_parts(parts: &[String], format: PartFormat, secrets: &Secrets) -> Vec<String> {
    let rules = rules();
    let parts: Vec<_> = parts.iter().map(|part| Bytes::from(part.clone())).collect();
    let redaction = Redaction::new(&rules, secrets, Purpose::Write);
    let once = redaction.redact_across_parts(parts.clone(), format).value;
    assert_eq!(
        redaction.redact_across_parts(once.clone(), format).value,
        once,
        "a second pass changes the parts"
    );
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    once.iter().map(text).collect()
}

/// How a text is framed in a part.
struct Framing {
    format: PartFormat,
    wrap: fn(&str) -> String,
}

const FRAMINGS: [Framing; 7] = [
    Framing {
        format: PartFormat::Events,
        wrap: |text| format!("id: 1\ndata: {text}\n\n"),
    },
    Framing {
        format: PartFormat::Events,
        wrap: |text| format!(": hi\r\ndata:{text}\r\nretry: 10\r\n\r\n"),
    },
    Framing {
        format: PartFormat::Events,
        wrap: |text| {
            let text = serde_json::Value::from(text);
            format!("data: {{\"choices\":[{{\"delta\":{{\"content\":{text}}}}}],\"n\":1.0}}\r\r")
        },
    },
    Framing {
        format: PartFormat::Lines,
        wrap: |text| format!("{{ \"response\": {} }}\n", serde_json::Value::from(text)),
    },
    Framing {
        format: PartFormat::Lines,
        wrap: |text| format!("{text}\r\n"),
    },
    Framing {
        format: PartFormat::Messages,
        wrap: |text| format!("[{}]", serde_json::Value::from(text)),
    },
    Framing {
        format: PartFormat::Messages,
        wrap: str::to_owned,
    },
];

fn redact_framed(framing: &Framing, texts: &[&str], secrets: &Secrets) -> String {
    let parts: Vec<_> = texts.iter().map(|text| (framing.wrap)(text)).collect();
    redact_parts(&parts, framing.format, secrets).concat()
}

#[test]
fn finds_a_pattern_across_every_boundary() {
    for (number, framing) in FRAMINGS.iter().enumerate() {
        for cut in 1..CANARY.len() {
            let (one, two) = CANARY.split_at(cut);
            let texts = [format!("say \"{one}"), format!("{two}\" to \\n me")];
            let texts = [texts[0].as_str(), texts[1].as_str()];
            let found = redact_framed(framing, &texts, &Secrets::default());
            assert!(
                found.contains("<anthropic-key-1>"),
                "{number} {cut}: {found}"
            );
            let rest = &CANARY[CANARY.len() - 6..];
            assert!(!found.contains(rest), "{number} {cut}: {found}");
            let plain = ["say \"@", "\" to \\n me"];
            let expected: String = plain.iter().map(|text| (framing.wrap)(text)).collect();
            assert_eq!(
                found.replace("<anthropic-key-1>", "@"),
                expected,
                "{number}"
            );
        }
    }
}

#[test]
fn finds_a_known_secret_across_two_boundaries() {
    for (number, framing) in FRAMINGS.iter().enumerate() {
        let secrets = Secrets::default();
        secrets.register("word", b"open-sesame,open-door");
        for first in 1..15 {
            for second in first + 1..16 {
                let secret = "open-sesame,open-door";
                let texts = [&secret[..first], &secret[first..second], &secret[second..]];
                let found = redact_framed(framing, &texts, &secrets);
                assert!(
                    found.contains("<word-1>"),
                    "{number} {first} {second}: {found}"
                );
                assert!(
                    !found.contains("sesame"),
                    "{number} {first} {second}: {found}"
                );
            }
        }
    }
}

#[test]
fn keeps_a_word_after_a_secret() {
    let cases = [
        (CANARY, "hello", "hello"),
        (CANARY, CANARY, CANARY),
        ("Bearer ", "abcdefghijklmnop", "<bearer-1>"),
    ];
    for (one, two, remains) in cases {
        let parts = [one.to_owned(), two.to_owned()];
        let found = redact_parts(&parts, PartFormat::Messages, &Secrets::default());
        assert_eq!(found[1], remains, "{one} {two}");
    }
}

#[test]
fn keeps_parts_without_secrets() {
    for framing in &FRAMINGS {
        let texts = ["a \u{e9} \"b\"", "", "sk-ant-short", "\u{2028}"];
        let parts: Vec<_> = texts.iter().map(|text| (framing.wrap)(text)).collect();
        assert_eq!(
            redact_parts(&parts, framing.format, &Secrets::default()),
            parts
        );
    }
    let invalid = [
        b"\xff\xfe".as_slice(),
        b"data: \xff\n\n",
        b"{\"a\": \"\\ud800\"}",
    ];
    let invalid: Vec<_> = invalid
        .iter()
        .map(|part| Bytes::copy_from_slice(part))
        .collect();
    let rules = rules();
    let secrets = Secrets::default();
    let redaction = Redaction::new(&rules, &secrets, Purpose::Key);
    for format in [PartFormat::Events, PartFormat::Lines, PartFormat::Messages] {
        assert_eq!(
            redaction.redact_across_parts(invalid.clone(), format).value,
            invalid
        );
    }
}

#[test]
fn finds_known_secrets_in_binary_parts() {
    let secrets = Secrets::default();
    secrets.register("token", b"0123456789abcdef");
    let parts = [b"\xff\xfe01234567".as_slice(), b"89abcdef\xff"];
    let parts: Vec<_> = parts
        .iter()
        .map(|part| Bytes::copy_from_slice(part))
        .collect();
    let rules = rules();
    let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
    let found = redaction.redact_across_parts(parts.clone(), PartFormat::Messages);
    assert_eq!(found.value[0], b"\xff\xfe<token-1>".as_slice());
    assert_eq!(found.value[1], b"\xff".as_slice());
    assert_eq!(found.counts.values().sum::<u64>(), 1);
}

#[test]
fn finds_named_values_split_at_every_byte() {
    for (text, value) in [
        (r#"{"password": "hzqx2vjkwzp"}"#, "hzqx2vjkwzp"),
        (r#"{"password": 271828182845}"#, "271828182845"),
        ("see /login?password=hzqx2vjkwzp&x=1", "hzqx2vjkwzp"),
        ("password=h8u7n6t5e4r3c2a1 it was", "h8u7n6t5e4r3c2a1"),
    ] {
        let name = text.find("password").unwrap();
        let end = text.find(value).unwrap() + value.len();
        for framing in &FRAMINGS {
            for cut in name + 1..end {
                let parts = [&text[..cut], &text[cut..]].map(|part| (framing.wrap)(part));
                let found = redact_parts(&parts, framing.format, &Secrets::default()).concat();
                let remains = value
                    .as_bytes()
                    .windows(3)
                    .any(|three| memchr::memmem::find(found.as_bytes(), three).is_some());
                assert!(!remains, "{cut}: {found}");
                assert!(found.contains("password-1"), "{cut}: {found}");
            }
        }
    }
}

#[test]
fn keeps_words_after_a_named_value() {
    let parts = [
        "?password=abc",
        "hello there",
        "\"password\": 12",
        "and so on",
    ];
    let parts = parts.map(str::to_owned);
    let found = redact_parts(&parts, PartFormat::Messages, &Secrets::default());
    assert_eq!([&found[1], &found[3]], [&parts[1], &parts[3]]);
}

#[test]
fn finds_secrets_split_between_text_and_binary_parts() {
    let secrets = Secrets::default();
    secrets.register("known", CANARY.as_bytes());
    let rules = rules();
    let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
    for format in [PartFormat::Lines, PartFormat::Messages] {
        for at in 1..CANARY.len() {
            let (first, second) = CANARY.split_at(at);
            let binary = [b"\xff ", first.as_bytes()].concat();
            let pairs = [
                [binary.clone(), second.as_bytes().to_vec()],
                [
                    first.as_bytes().to_vec(),
                    [second.as_bytes(), b" \xff"].concat(),
                ],
            ];
            for pair in pairs {
                let parts: Vec<_> = pair.into_iter().map(Bytes::from).collect();
                let redacted = redaction.redact_across_parts(parts.clone(), format).value;
                assert_eq!(redacted.len(), parts.len());
                let read = redacted.concat();
                assert!(
                    secrets.searcher().find_any(&read).is_none(),
                    "{parts:?} -> {redacted:?}"
                );
                assert!(
                    read.windows(9).any(|text| text == b"<known-1>"),
                    "{redacted:?}"
                );
            }
        }
    }
}

#[test]
fn accepts_boundaries_within_a_character() {
    let rules = rules();
    let text = "password=\u{feff}hunter2 é \"password\": \u{3000}x sk-ant-c4N4ryV4lu3-0123456789é";
    for at in 1..text.len() {
        let (first, second) = text.as_bytes().split_at(at);
        let parts = [first, second].map(Bytes::copy_from_slice);
        let secrets = Secrets::default();
        secrets.register("known", b"sk-ant-c4N4ryV4lu3-0123456789");
        let redacted = Redaction::new(&rules, &secrets, Purpose::Write)
            .redact_across_parts(parts.to_vec(), PartFormat::Messages);
        let secret = text.find("sk-").unwrap();
        let crosses = (secret + 1..text.len() - 2).contains(&at);
        let remains = secrets
            .searcher()
            .find_any(&redacted.value.concat())
            .is_some();
        assert!(!(crosses && remains), "{at}: {redacted:?}");
    }
}
