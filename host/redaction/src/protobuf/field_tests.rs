//! Redaction of secrets in every kind of field of a protobuf message.

use bytes::Bytes;

use crate::{Outcome, Purpose, Redaction, RuleDeclaration, Rules, Secrets};
use ouli_codec::grpc::sample_schema::{self, Noise, message_type, put, put_number};
use ouli_codec::grpc::wire::{fields, is_message};

/// Too short to be searched for: only the name of its field marks it as a secret.
const SHORT: &str = "1234";
const KNOWN: &str = "s3cr3t-canary-value";
const BEARER: &str = "Bearer abcdefghijklmnopqrstuvwx";

fn rules() -> Rules {
    let member = |name: &str| RuleDeclaration::JsonMember {
        name: name.to_owned(),
        class: name.to_owned(),
    };
    let pattern = RuleDeclaration::Pattern {
        regex: r"\bBearer\s+([A-Za-z0-9._-]{16,})".to_owned(),
        class: "bearer".to_owned(),
    };
    Rules::compile(vec![member("password"), member("maybe"), pattern], &[]).unwrap()
}

fn redact(message: &[u8], descriptor: bool, purpose: Purpose, secrets: &Secrets) -> Outcome<Bytes> {
    let (rules, descriptor) = (rules(), descriptor.then(message_type));
    let redaction = Redaction::new(&rules, secrets, purpose);
    let message = Bytes::copy_from_slice(message);
    redaction.redact_protobuf(&message, descriptor.as_ref())
}

/// The message after a pass. A second pass must not change it.
fn redact_twice(message: &[u8], descriptor: bool, purpose: Purpose) -> Bytes {
    let secrets = Secrets::default();
    secrets.register("token", KNOWN.as_bytes());
    let once = redact(message, descriptor, purpose, &secrets).value;
    let twice = redact(&once, descriptor, purpose, &secrets);
    assert_eq!(
        twice.value, once,
        "a second pass changes the message: {message:?}"
    );
    assert!(twice.counts.is_empty(), "{:?}: {message:?}", twice.counts);
    once
}

fn holds(message: &[u8], text: &str) -> bool {
    memchr::memmem::find(message, text.as_bytes()).is_some()
}

/// Messages with a text in each kind of field, with a description.
fn messages(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let entry = |key: &str, value: &[u8]| [put(1, key), put(2, value)].concat();
    let inner = put(sample_schema::PASSWORD, text);
    let node = [put_number(1, 7), put(2, &inner)].concat();
    let json = put(3, text);
    let object = put(1, entry("password", &json));
    let list = put(6, put(1, put(5, &object)));
    let mut deep = inner.clone();
    (0..90).for_each(|_| deep = put(sample_schema::INNER, &deep));
    let mut children = inner.clone();
    (0..50).for_each(|_| children = put(sample_schema::CHILDREN, &children));
    let any =
        |name: &str, value: &[u8]| put(sample_schema::ANY, [put(1, name), put(2, value)].concat());
    vec![
        ("a field", inner.clone()),
        ("a message", put(sample_schema::INNER, &inner)),
        ("a list", put(sample_schema::CHILDREN, &inner).repeat(2)),
        ("a message of a oneof", put(32, &inner)),
        (
            "a map",
            put(sample_schema::TAGS, entry("password", text.as_bytes())),
        ),
        ("a message in a map", put(sample_schema::NODES, node)),
        ("a struct", put(sample_schema::STRUCT, &object)),
        ("a struct in a list", put(sample_schema::VALUE, list)),
        ("an Any", any("type.googleapis.com/test.All", &inner)),
        (
            "an Any of a struct",
            any("x/google.protobuf.Struct", &object),
        ),
        (
            "after an unknown Any",
            [any("x/test.Unknown", &[8, 1]), inner.clone()].concat(),
        ),
        (
            "after an invalid time",
            [put(sample_schema::TIMESTAMP, [8; 2]), inner.clone()].concat(),
        ),
        (
            "after a text that is not UTF-8",
            [put(sample_schema::USER, [0xff]), inner.clone()].concat(),
        ),
        (
            "before a later value of the same field",
            [inner.clone(), put(sample_schema::PASSWORD, "")].concat(),
        ),
        ("in deeply nested messages", deep),
        ("in deeply nested lists", children),
    ]
}

#[test]
fn finds_named_fields_everywhere() {
    for (kind, message) in messages(SHORT) {
        assert!(holds(&message, SHORT));
        for (purpose, placeholder) in [
            (Purpose::Write, "<password-1>"),
            (Purpose::Key, "<password>"),
        ] {
            let new = redact_twice(&message, true, purpose);
            assert!(!holds(&new, SHORT), "{kind}");
            assert!(holds(&new, placeholder), "{kind}");
            let expected = redact_twice(&message_with(kind, placeholder), true, purpose);
            assert_eq!(
                new, expected,
                "everything else is unchanged, lengths included: {kind}"
            );
        }
    }
}

fn message_with(kind: &str, text: &str) -> Vec<u8> {
    let all = messages(text).into_iter();
    all.filter(|(name, _)| *name == kind)
        .map(|(_, it)| it)
        .next()
        .unwrap()
}

#[test]
fn finds_texts_everywhere_with_and_without_a_descriptor() {
    let groups = |text: &str| [vec![0x9b, 6], put(1, text), vec![0x9c, 6]].concat();
    for (secret, new) in [(KNOWN, "<token-1>"), (BEARER, "Bearer <bearer-1>")] {
        let (text, expected) = (format!("a {secret} b"), format!("a {new} b"));
        let others = |text: &str| {
            vec![
                ("an unknown field", put(99, text)),
                (
                    "a field of an unknown message",
                    put(99, put(1, put(2, text))),
                ),
                ("a oneof", put(sample_schema::EITHER, text)),
                ("a list of texts", put(sample_schema::NAMES, text).repeat(3)),
                ("bytes that are text", put(sample_schema::RAW, text)),
                (
                    "a message in bytes",
                    put(sample_schema::RAW, [put(1, text), put(7, [0xff])].concat()),
                ),
                ("a wrapper", put(sample_schema::WRAPPED, put(1, text))),
                (
                    "a key of a map",
                    put(sample_schema::TAGS, [put(1, text), put(2, "v")].concat()),
                ),
                ("a group", groups(text)),
            ]
        };
        for ((kind, message), (_, wanted)) in others(&text).into_iter().zip(others(&expected)) {
            for descriptor in [false, true] {
                let found = redact_twice(&message, descriptor, Purpose::Write);
                assert_eq!(found, wanted, "{kind}, {descriptor}, {secret}");
            }
        }
    }
    let raw = [b"\xff", KNOWN.as_bytes(), b"\0"].concat();
    let expected = put(sample_schema::RAW, b"\xff<token-1>\0");
    for descriptor in [false, true] {
        let new = redact_twice(&put(sample_schema::RAW, &raw), descriptor, Purpose::Write);
        assert_eq!(new, expected);
    }
}

#[test]
fn adapts_the_inner_lengths_of_short_messages() {
    // A message whose only field is a text of 32 to 126 bytes reads as text from its first byte.
    for size in 32..127 {
        let text = format!("{BEARER}{}", " ".repeat(size - BEARER.len().min(size)));
        let new = redact_twice(&put(20, put(1, &text)), false, Purpose::Write);
        assert!(!holds(&new, "abcdefgh"), "{size}");
        let inner = fields(&new, 0..new.len()).next().flatten().unwrap();
        assert!(
            is_message(&new, inner.range.start + 1..inner.range.end),
            "{size}: {new:?}"
        );
    }
}

#[test]
fn secret_numbers_become_the_default_and_count_once() {
    let secrets = Secrets::default();
    secrets.register("card", b"4929123456781234");
    let message = [
        put_number(sample_schema::CARD, 4_929_123_456_781_234),
        put_number(sample_schema::MAYBE, 42),
        put(sample_schema::PACKED, [2, 4, 6]),
    ];
    let new = redact(&message.concat(), true, Purpose::Write, &secrets);
    let json = message_type().to_json(&new.value).unwrap();
    assert_eq!(json, r#"{"packed":[1,2,3],"maybe":0}"#);
    assert_eq!(new.counts.values().sum::<u64>(), 2, "{:?}", new.counts);
    let key = redact(&new.value, true, Purpose::Key, &secrets).value;
    assert_eq!(
        key,
        redact(&message.concat(), true, Purpose::Key, &secrets).value
    );
}

#[test]
fn a_message_has_one_key() {
    let tag = |at: u64| {
        put(
            sample_schema::TAGS,
            [put(1, format!("k{at}")), put(2, "v")].concat(),
        )
    };
    let mut message = put(sample_schema::PASSWORD, SHORT);
    (0..20).for_each(|at| message.extend(tag(at)));
    let one = redact_twice(&message, true, Purpose::Key);
    for _ in 0..10 {
        assert_eq!(redact_twice(&message, true, Purpose::Key), one);
    }
    // The recorded message has the same key as the original.
    let recorded = redact_twice(&message, true, Purpose::Write);
    assert_eq!(redact_twice(&recorded, true, Purpose::Key), one);
}

#[test]
fn finds_known_secrets_in_corrupted_messages() {
    let mut noise = Noise(3);
    let all = messages(KNOWN);
    for _ in 0..4000 {
        let (_, message) = &all[noise.below(all.len() as u64) as usize];
        let mut message = message.clone();
        for _ in 0..noise.below(4) {
            let at = noise.below(message.len() as u64) as usize;
            message[at] = noise.below(256) as u8;
        }
        message.truncate(message.len() - noise.below(3) as usize);
        for descriptor in [false, true] {
            let secrets = Secrets::default();
            secrets.register("token", KNOWN.as_bytes());
            let once = redact(&message, descriptor, Purpose::Write, &secrets).value;
            assert!(!holds(&once, KNOWN), "{descriptor}: {message:?}");
        }
    }
}
