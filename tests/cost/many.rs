//! Many of what a gateway has: recordings, cassettes, sessions, declared secrets, and
//! wildcards of a rule.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use ouli_cassette::{CassetteDir, ExchangeSummary, Summary, decode};
use ouli_codec::json::Pointer;
use ouli_config::Limits;
use ouli_matching::key::{Key, KeyPart, derive};
use ouli_matching::miss::rank;
use ouli_message::glob;
use ouli_proxy::gateway::check;
use ouli_proxy::session::Sessions;
use ouli_redaction::{Guard, Purpose, RedactedMessage, Redaction, RuleDeclaration, Rules, Secrets};

use super::cassettes::cassette;
use super::exchanges::exchange;
use super::inputs::{nested, numbered, repeat};
use super::{Shape, Work};
use crate::support::folder::Folder;
use crate::support::gateway;

/// Bytes of a shape for each recording, session, message or cassette.
const EACH: usize = 32;

pub(super) fn shapes() -> Vec<Shape> {
    let mut shapes = vec![
        prepared("rank recordings for a miss", keys, |keys| {
            let candidates = keys.iter().enumerate();
            rank(&keys[0], candidates, 24).len()
        }),
        prepared(
            "list and show exchanges",
            |count| Bytes::from(cassette(count)),
            |text| {
                let loaded = decode(text).unwrap();
                let rows = loaded.exchanges.iter().map(ExchangeSummary::from);
                (Summary::from(&loaded).exchanges, rows.collect::<Vec<_>>())
            },
        ),
        Shape::new("sessions", repeat("x"), |input| {
            sessions(input.len() / EACH)
        }),
        checked(),
        Shape::new(
            "secrets of the environment",
            numbered("", |n| format!("{:016x} ", n * 7_919_773_331), ""),
            declared,
        ),
    ];
    shapes.extend(wildcards());
    shapes
}

/// Work on something that is made of so many parts.
fn prepared<T: 'static, R>(name: &'static str, make: fn(usize) -> T, work: fn(&T) -> R) -> Shape
where
    R: 'static,
{
    Shape {
        name,
        run: Box::new(move |n| {
            let made = make(n / EACH);
            Work {
                size: n,
                work: Box::new(move || drop(black_box(work(&made)))),
            }
        }),
    }
}

fn wildcards() -> [Shape; 5] {
    [
        Shape::new("a pattern of stars", repeat("a*"), |pattern| {
            let text = "a".repeat(pattern.len());
            glob::matches(&format!("{}b", String::from_utf8_lossy(pattern)), &text)
        }),
        Shape::new("a pattern like its text", repeat("a"), |text| {
            let text = std::str::from_utf8(text).unwrap();
            glob::matches(&format!("*{}b*", &text[..text.len() / 2]), text)
        }),
        Shape::new("a rule of stars", repeat("a"), |text| {
            let text = std::str::from_utf8(text).unwrap();
            let half = &text[..text.len() / 2];
            let name = format!("*{half}b*{}", "a*".repeat(half.len() / 2));
            let class = "secret".to_owned();
            redact(
                RuleDeclaration::Query { name, class },
                &format!("/?{text}=1"),
                b"",
            )
        }),
        Shape::new(
            "a rule with a pointer of wildcards",
            nested("[", "]", 100),
            |body| {
                let (pointer, class) = ("/*".repeat(body.len() / 2), "secret".to_owned());
                redact(RuleDeclaration::Json { pointer, class }, "/", body)
            },
        ),
        Shape::new(
            "a key without a pointer of wildcards",
            nested("[", "]", 100),
            |body| {
                let pointer = Pointer::parse(&"/*".repeat(body.len() / 2)).unwrap();
                let except = vec![pointer];
                let request = exchange("/", "application/json", body).request;
                let message = RedactedMessage::request("api".into(), "x".into(), Arc::new(request));
                derive(&[KeyPart::Body { except }], &message).hash()
            },
        ),
    ]
}

/// Redacts a message by one rule.
fn redact(rule: RuleDeclaration, target: &str, body: &[u8]) -> usize {
    let rules = Rules::compile(vec![rule], &[]).unwrap();
    let secrets = Secrets::default();
    let made = exchange(target, "application/json", body);
    let redacted = Redaction::new(&rules, &secrets, Purpose::Write).redact_request(&made.request);
    redacted.value.target.len()
}

/// The keys of so many requests that differ in their paths.
fn keys(count: usize) -> Vec<Key> {
    let key = |number: usize| {
        let request = exchange(&format!("/{number}"), "", b"").request;
        let message = RedactedMessage::request("api".into(), "x".into(), Arc::new(request));
        derive(&[KeyPart::Method, KeyPart::Path], &message)
    };
    (0..count.max(1)).map(key).collect()
}

/// Opens so many sessions and lists them.
fn sessions(count: usize) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let folder = CassetteDir::open(folder.path(), 1 << 30).unwrap();
    let limits = Limits {
        sessions: count + 1,
        ..Limits::default()
    };
    let sessions = Sessions::new(Arc::new(folder), &limits, Vec::new());
    for number in 0..count {
        sessions
            .get_or_create(&format!("session-{number}"))
            .unwrap();
    }
    sessions.all().len() + sessions.all_reported().len()
}

/// A folder of so many cassettes is checked.
fn checked() -> Shape {
    Shape {
        name: "check cassettes",
        run: Box::new(|n| {
            let folder = Arc::new(Folder::new());
            std::fs::create_dir(folder.cassettes()).unwrap();
            let one = cassette(1);
            for number in 0..n / EACH {
                std::fs::write(folder.cassette(&number.to_string()), &one).unwrap();
            }
            let options = gateway::replay(&folder).options();
            Work {
                size: n,
                work: Box::new(move || {
                    assert_eq!(check(&options), [""; 0]);
                    drop(folder);
                }),
            }
        }),
    }
}

/// Declares each word of a text as a secret, and searches for them in the text.
fn declared(text: &[u8]) -> (usize, bool) {
    let secrets = Secrets::default();
    for (number, word) in std::str::from_utf8(text).unwrap().split(' ').enumerate() {
        secrets.register_env(&format!("SECRET_{number}"), word.as_bytes());
    }
    let found = secrets.searcher().find(text).len();
    (found, Guard::new(&[]).scan(text, &secrets).is_ok())
}
