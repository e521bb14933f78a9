//! Whole exchanges: heads and bodies from their redaction to the bytes of a cassette.

use std::cell::LazyCell;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use ouli_config::FailOn;
use ouli_matching::key::{ExcludedNames, KeyPart, derive};
use ouli_message::{CodedBody, Content, Exchange, Fields, Response};
use ouli_plugin::Plugins;
use ouli_proxy::gateway::Loaded;
use ouli_redaction::{Guard, RedactedMessage, Secrets};

use super::Shape;
use super::inputs::repeat;
use super::keys::request;
use crate::support::folder::Folder;
use crate::support::gateway;

/// What a gateway has loaded at its start.
struct Parts {
    plugins: Arc<Plugins>,
    fail_on: FailOn,
}

thread_local! {
    static PARTS: LazyCell<Parts> = LazyCell::new(|| {
        let builder = gateway::replay(&Arc::new(Folder::new()));
        let loaded = Loaded::read(&builder.options()).unwrap();
        let plugins = Plugins::new(loaded.plugins(), &[], loaded.schema()).unwrap();
        Parts {
            plugins: Arc::new(plugins),
            fail_on: loaded.config.fail_on.clone(),
        }
    });
}

/// The built-in plugins.
pub(crate) fn plugins() -> Arc<Plugins> {
    PARTS.with(|parts| Arc::clone(&parts.plugins))
}

/// The defects that fail a verdict.
pub(super) fn fail_on() -> FailOn {
    PARTS.with(|parts| parts.fail_on.clone())
}

/// An exchange with this body in both directions.
pub(crate) fn exchange(target: &str, content_type: &str, body: &[u8]) -> Exchange {
    let request = request(target, Vec::new(), content_type, body);
    Exchange {
        endpoint: "api".to_owned(),
        response: Response {
            status: StatusCode::OK,
            fields: request.fields.clone(),
            body: Content::Inline(Bytes::copy_from_slice(body)),
            coded: CodedBody::Derived,
            trailers: Fields::default(),
            reason: None,
            omitted: Vec::new(),
        },
        request,
        stream: None,
        failure: None,
        tags: Vec::new(),
    }
}

/// A name, a text that is repeated, and the exchange that it is a part of.
type Head = (&'static str, &'static str, fn(&str) -> Exchange);

const HEADS: [Head; 15] = [
    ("a list of vary", "accept,", |text| with("vary", [text])),
    ("many lines of vary", "accept;", |text| {
        with("vary", text.split(';'))
    }),
    ("identities", "token=tk0123456789abcdefZq;", |text| {
        let mut made = at("/");
        for (number, part) in text.split(';').enumerate() {
            let name = HeaderName::try_from(format!("x-{number}-token")).unwrap();
            let value = HeaderValue::try_from(format!("{part}{number:08x}")).unwrap();
            made.request.fields.push(name, value);
        }
        made
    }),
    ("cookies", "a=1; ", |text| with("cookie", [text])),
    ("one long field", "x", |text| with("x-long", [text])),
    ("many cookies", "sid=abcd;", |text| {
        with("set-cookie", text.split(';'))
    }),
    ("many fields", "abcdef;", |text| {
        with("x-many", text.split(';'))
    }),
    ("gRPC metadata", "AAECAwQF;", |text| {
        with("x-trace-bin", text.split(';'))
    }),
    ("names of fields", "abcdef;", |text| {
        let mut made = exchange("/", "", b"");
        for number in 0..text.split(';').count() {
            let name = HeaderName::try_from(format!("x-{number}")).unwrap();
            made.response
                .fields
                .push(name.clone(), HeaderValue::from_static("1"));
            made.request
                .fields
                .push(name, HeaderValue::from_static("1"));
        }
        made
    }),
    ("trailers", "abcdef;", |text| {
        let mut made = with("x-many", text.split(';'));
        std::mem::swap(&mut made.request.fields, &mut made.request.trailers);
        std::mem::swap(&mut made.response.fields, &mut made.response.trailers);
        made
    }),
    ("a query", "&a=1", |text| at(&format!("/?{text}"))),
    ("a query of tokens", "&token=abcdef", |text| {
        at(&format!("/?{text}"))
    }),
    ("path segments", "/a", at),
    ("escaped segments", "/%2E%2e", at),
    ("tokens in a path", "/sk-abcdefghijklmnopqrst", at),
];

fn at(target: &str) -> Exchange {
    exchange(target, "", b"")
}

/// An exchange with these values of one field in both heads.
fn with<'a>(name: &'static str, values: impl IntoIterator<Item = &'a str>) -> Exchange {
    let mut made = exchange("/", "", b"");
    let name = HeaderName::from_static(name);
    for value in values {
        let value = HeaderValue::from_str(value).unwrap();
        made.request.fields.push(name.clone(), value.clone());
        made.response.fields.push(name.clone(), value);
    }
    made
}

/// A content type and a text that is repeated in both bodies.
const BODIES: [(&str, &str); 6] = [
    ("application/json", "[{\"password\":\"s3cr3t\"},"),
    ("text/event-stream", "data: {\"a\":1}\n\n"),
    ("application/x-www-form-urlencoded", "token=s3cr3t&"),
    ("text/plain", "Bearer s3cr3t-of-mine "),
    ("text/html", "<p class=\"a\">x</p>"),
    ("application/octet-stream", "\0\u{1}"),
];

pub(super) fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for (name, text, make) in HEADS {
        let make = move |input: &[u8]| make(std::str::from_utf8(input).unwrap());
        let named = |kind: &str| -> &'static str { format!("{kind} {name}").leak() };
        shapes.push(Shape::new(named("record"), repeat(text), move |input| {
            record(make(input))
        }));
        shapes.push(Shape::new(named("key of"), repeat(text), move |input| {
            key(make(input))
        }));
    }
    for (content_type, text) in BODIES {
        let name: &'static str = format!("record {content_type}").leak();
        shapes.push(Shape::new(name, repeat(text), move |body| {
            record(exchange("/", content_type, body))
        }));
    }
    shapes
}

/// Redacts an exchange by the built-in rules, encodes it and scans the bytes, as the recorder does.
fn record(exchange: Exchange) -> usize {
    let secrets = Arc::<Secrets>::default();
    let redacted = plugins().redact(exchange, &"default".into(), &secrets);
    let mut text = Vec::new();
    ouli_cassette::encode(&mut text, 1, &redacted.unwrap().exchange, "default.bodies");
    // A secret that no rule found is an answer, too.
    let _ = Guard::new(&[]).scan(&text, &secrets);
    text.len()
}

/// Derives the key of a request from all of its parts.
fn key(exchange: Exchange) -> bool {
    let parts = [
        KeyPart::Path,
        KeyPart::Query {
            except: ExcludedNames::exact(["nonce"]),
        },
        KeyPart::Headers {
            except: ExcludedNames::case_insensitive(["content-type"]),
        },
    ];
    let request = Arc::new(exchange.request);
    let message = RedactedMessage::request("api".into(), "default".into(), request);
    std::hint::black_box(derive(&parts, &message));
    true
}
