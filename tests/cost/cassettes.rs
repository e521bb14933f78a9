//! Cassettes and sessions of many exchanges, and many rules.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use ouli_cassette::{CassetteDir, HEADER, LoadedCassette, decode, encode};
use ouli_config::Limits;
use ouli_message::Exchange;
use ouli_message::stream::{Chunk, ChunkKind, Ending, Stream, StreamContent};
use ouli_proxy::session::{Counters, Index, Sessions, Verdict, VerdictRules};
use ouli_redaction::{Guard, Purpose, Redaction, RuleDeclaration, Rules, Secrets};

use super::exchanges::{exchange, fail_on, plugins};
use super::inputs::repeat;
use super::{Shape, Work};

/// Bytes of a shape for each exchange, chunk, session or rule.
const EACH: usize = 32;

pub(super) fn shapes() -> Vec<Shape> {
    vec![
        Shape::new("write exchanges", repeat("x"), |input| {
            cassette(input.len() / EACH).len()
        }),
        Shape::new("write chunks", repeat("x"), |input| {
            text([chunked(input.len())]).len()
        }),
        reading("read exchanges", cassette),
        reading("read chunks", |count| text([chunked(count * EACH)])),
        reading("read edited exchanges", |count| edited(&cassette(count))),
        reading("read damaged exchanges", |count| {
            cassette(count).replace("\"method\"", "\"method\" \"")
        }),
        Shape::new("load, index and judge", repeat("x"), |input| {
            judge(input.len() / EACH)
        }),
        listing(),
        Shape::new("rules of headers", repeat("x"), |input| {
            redact(input.len() / EACH, |name, class| RuleDeclaration::Header {
                name,
                class,
            })
        }),
        Shape::new("rules of members", repeat("x"), |input| {
            redact(input.len() / EACH, |name, class| {
                RuleDeclaration::JsonMember { name, class }
            })
        }),
        Shape::new("rules of pointers", repeat("x"), |input| {
            redact(input.len() / EACH, |name, class| RuleDeclaration::Json {
                pointer: format!("/{name}"),
                class,
            })
        }),
        Shape::new("rules with wildcards", repeat("x"), |input| {
            redact(input.len() / EACH, |name, class| RuleDeclaration::Query {
                name: format!("{name}*"),
                class,
            })
        }),
    ]
}

/// The cassette of these exchanges.
pub(crate) fn text(exchanges: impl IntoIterator<Item = Exchange>) -> String {
    let mut text = HEADER.as_bytes().to_vec();
    for (ordinal, exchange) in (1..).zip(exchanges) {
        encode(&mut text, ordinal, &exchange, "default.bodies");
    }
    String::from_utf8(text).unwrap()
}

/// A cassette of so many exchanges.
pub(crate) fn cassette(count: usize) -> String {
    let body = b"{\"id\":1}";
    text((0..count).map(|number| exchange(&format!("/{number}"), "application/json", body)))
}

/// The same cassette after an edit of each body.
fn edited(text: &str) -> String {
    text.replace("\"id\":1", "\"id\":2")
}

/// An exchange whose response arrived byte by byte.
pub(crate) fn chunked(count: usize) -> Exchange {
    let mut made = exchange("/", "text/plain", &vec![b'x'; count]);
    let chunks = (0..count as u64).map(|at| Chunk { at, size: 1 });
    made.stream = Some(Stream {
        content: StreamContent::Chunks(ChunkKind::Raw, chunks.collect()),
        ending: Ending::Complete,
    });
    made
}

/// Decodes the cassette of `make` for so many exchanges.
fn reading(name: &'static str, make: fn(usize) -> String) -> Shape {
    Shape {
        name,
        run: Box::new(move |n| {
            let text = Bytes::from(make(n / EACH));
            let count = |loaded: LoadedCassette| loaded.exchanges.len() + loaded.damage.len();
            Work {
                size: text.len(),
                work: Box::new(move || drop(black_box(decode(&text).map(count)))),
            }
        }),
    }
}

/// A cassette is loaded and indexed, and the report names all exchanges as unused.
fn judge(count: usize) -> usize {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("default.jsons"), cassette(count)).unwrap();
    let folder = Arc::new(CassetteDir::open(folder.path(), 1 << 30).unwrap());
    let sessions = Sessions::new(Arc::clone(&folder), &Limits::default(), Vec::new());
    let session = sessions.get_or_create("default").unwrap();
    sessions.load(&session, false).unwrap();
    black_box(Index::build(Arc::clone(&session), plugins(), folder));
    let rules = VerdictRules {
        checked_until: None,
        guard: &Guard::new(&[]),
        fail_on: &fail_on(),
        expects_requests: true,
    };
    Verdict::of([&*session], &Counters::default(), rules)
        .to_text()
        .len()
}

/// The sessions of a folder are listed.
fn listing() -> Shape {
    Shape {
        name: "list sessions",
        run: Box::new(|n| {
            let folder = tempfile::tempdir().unwrap();
            for number in 0..n / EACH {
                std::fs::write(folder.path().join(format!("{number}.jsons")), HEADER).unwrap();
            }
            Work {
                size: n,
                work: Box::new(move || {
                    let folder = CassetteDir::open(folder.path(), 1 << 30).unwrap();
                    assert_eq!(folder.list().unwrap().len(), n / EACH);
                }),
            }
        }),
    }
}

/// Redacts a message by so many rules.
fn redact(count: usize, rule: fn(String, String) -> RuleDeclaration) -> usize {
    let declared = (0..count).map(|number| rule(format!("name-{number}"), "secret".to_owned()));
    let rules = Rules::compile(declared.collect(), &[]).unwrap();
    let secrets = Secrets::default();
    let made = exchange("/?name-1=a", "application/json", b"{\"name-2\":\"b\"}");
    Redaction::new(&rules, &secrets, Purpose::Write)
        .redact_request(&made.request)
        .value
        .target
        .len()
}
