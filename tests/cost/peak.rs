//! The memory that work on a body takes for each of its bytes, on one thread: recording, from the
//! captured bytes to the text of the cassette, and the key of a request that is looked up.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use ouli_codec::MessageView;
use ouli_codec::chunks::{chunk_kind, split_body};
use ouli_codec::grpc::Schema;
use ouli_message::stream::{Arrival, Side, Stream};
use ouli_message::{CodedBody, Content, Exchange, Fields, Response};
use ouli_redaction::{
    EditError, Guard, RedactionPipeline, Redactor, RedactorEdits, RuleDeclaration, Secrets,
};

use super::allocation::counted;
use super::inputs::{numbered, repeat, within};

/// Bytes of a body.
const SIZE: usize = 1 << 20;
/// The most that may be allocated at one time, in bytes for each byte of a body.
const MOST: u64 = 4;
/// The same for JSON of empty arrays alone, whose positions take more than any other.
const MOST_OF_BRACKETS: u64 = 7;
/// The same for the key of a request, with the request itself.
const MOST_OF_KEY: u64 = 3;
/// What is allocated whatever the size.
const CONSTANT: u64 = 768 << 10;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const EVENTS: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";

/// A name, a content type, and a body of about this size.
type Shape = (&'static str, &'static str, Vec<u8>);

fn shapes() -> Vec<Shape> {
    vec![
        ("zeros", JSON, within("[0", ",0", "]")(SIZE)),
        (
            "objects",
            JSON,
            numbered("[", |n| format!("{{\"id\":{n},\"v\":\"abc\"}},"), "0]")(SIZE),
        ),
        ("text", "text/plain", repeat("x")(SIZE)),
        ("line ends", EVENTS, repeat("\n")(SIZE)),
        ("comments", EVENTS, repeat(": c\n\n")(SIZE)),
        (
            "deltas",
            EVENTS,
            numbered(
                "",
                |n| {
                    format!(
                        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"word {n}\"}}}}]}}\n\n"
                    )
                },
                "",
            )(SIZE),
        ),
        (
            "lines",
            LINES,
            numbered(
                "",
                |n| format!("{{\"a\":{n},\"b\":\"some text here\",\"c\":[1,2,3]}}\n"),
                "",
            )(SIZE),
        ),
        ("empty lines", LINES, repeat("\n")(SIZE)),
        (
            "form",
            "application/x-www-form-urlencoded",
            numbered("", |n| format!("f{n}=%25{n}&"), "")(SIZE),
        ),
        (
            "parts",
            "multipart/form-data; boundary=b",
            within(
                "",
                "--b\r\ncontent-disposition: form-data; name=\"token\"\r\n\r\nx\r\n",
                "--b--",
            )(SIZE),
        ),
        ("brackets", JSON, within("[[]", ",[]", "]")(SIZE)),
    ]
}

/// Texts that are secrets, or begin like secrets.
fn secrets() -> Vec<Shape> {
    let texts = [
        ("private keys", "-----BEGIN PRIVATE KEY-----"),
        ("lines of private keys", "-----BEGIN PRIVATE KEY-----\n"),
        ("keys", "sk-"),
        ("keys of a length", "sk-aaaaaaaaaaaaaaaaaaaaa0 "),
        ("github tokens", "ghp_"),
        ("jwt", "eyJ"),
        ("jwt dots", "eyJaaaaaaaa."),
        ("short tokens", "pat_abcdefgh "),
        ("bearer", "Bearer "),
        ("bearer tokens", "Bearer abcdefghijklmnop0 "),
        ("escapes of a key", "sk-a\u{7f}"),
    ];
    let mut shapes: Vec<_> = texts
        .iter()
        .map(|(name, text)| (*name, "text/plain", repeat(text)(SIZE)))
        .collect();
    // In a string of JSON, with escapes and without.
    let quoted = texts[..3].iter().map(|(name, text)| {
        let json = serde_json::to_vec(&text.repeat(SIZE / text.len())).unwrap();
        (*name, JSON, json)
    });
    shapes.extend(quoted);
    shapes.extend([
        (
            "members",
            JSON,
            within("{\"password\":1", ",\"password\":1", "}")(SIZE),
        ),
        (
            "known secrets",
            "text/plain",
            within("{\"password\":\"q!w@e#r\"}\n", "q!w@e#r ", "")(SIZE),
        ),
        (
            "loose members",
            "text/plain",
            repeat("\"password\":\"ab\" ")(SIZE),
        ),
        ("pairs", "text/plain", repeat("&password=ab")(SIZE)),
        ("userinfo", "text/plain", repeat("x://u:pw@h ")(SIZE)),
    ]);
    shapes
}

#[test]
fn redacting_takes_a_few_bytes_for_each_byte_of_a_secret() {
    assert_peaks(&secrets(), MOST, |content_type, body| {
        assert!(record(content_type, body) > 0);
    });
}

#[test]
fn recording_takes_a_few_bytes_for_each_byte_of_a_body() {
    assert_peaks(&shapes(), MOST, |content_type, body| {
        assert!(record(content_type, body) > 0);
    });
}

/// Bodies of one long secret that looks generated.
fn long_secrets() -> [Shape; 3] {
    let mut state = 1_u64;
    let letter = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                [(state >> 33) as usize % 62],
        )
    };
    let secret: String = (0..SIZE).map(letter).collect();
    let json = format!("{{\"x\":{{\"password\":\"{secret}\"}}}}");
    [
        ("a long member", JSON, json.into_bytes()),
        (
            "a long field",
            FORM,
            format!("password={secret}").into_bytes(),
        ),
        (
            "a long pair",
            "text/plain",
            format!("&password={secret}").into_bytes(),
        ),
    ]
}

#[test]
fn a_long_secret_takes_a_few_bytes_for_each_of_its_bytes() {
    assert_peaks(&long_secrets(), MOST, |content_type, body| {
        let request = Arc::new(super::keys::request("/", Vec::new(), content_type, body));
        let secrets = Arc::new(Secrets::default());
        let view = pipeline().view("api".into(), "x".into(), request, Arc::clone(&secrets));
        let Ok(view) = view;
        black_box(super::keys::key(&*view));
    });
    assert_peaks(&long_secrets(), MOST, |content_type, body| {
        assert!(record(content_type, body) > 0);
    });
}

#[test]
fn a_key_takes_a_few_bytes_for_each_byte_of_a_body() {
    let mut shapes = shapes();
    // The pairs of a form and the parts of a multipart body are all in memory to be sorted.
    shapes.retain(|(name, ..)| !["form", "parts"].contains(name));
    assert_peaks(&shapes, MOST_OF_KEY, |content_type, body| {
        let request = Arc::new(super::keys::request("/", Vec::new(), content_type, body));
        let view = pipeline().view("api".into(), "x".into(), request, Arc::default());
        let Ok(view) = view;
        black_box(super::keys::key(&*view));
    });
}

fn assert_peaks(shapes: &[Shape], most: u64, work: impl Fn(&str, &[u8])) {
    // Compiled once, whatever comes first.
    work(JSON, b"{}");
    let mut faults = Vec::new();
    for (name, content_type, body) in shapes {
        let size = body.len() as u64;
        let peak = counted(|| work(content_type, body)).peak;
        let most = match *name {
            "brackets" => MOST_OF_BRACKETS,
            _ => most,
        };
        if peak > most * size + CONSTANT {
            faults.push(format!("{name}: {peak} bytes for {size}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Records a response with this body. Returns the size of the cassette.
fn record(content_type: &str, body: &[u8]) -> usize {
    let body = Bytes::copy_from_slice(body);
    let arrival = Arrival {
        side: Side::Server,
        end: body.len() as u64,
        at: 1,
    };
    let stream = chunk_kind(content_type).and_then(|kind| {
        let content = split_body(Some(kind), &body, &[arrival], 50_000, usize::MAX);
        let ending = Default::default();
        content.unwrap().map(|content| Stream { content, ending })
    });
    let request = super::keys::request("/", Vec::new(), content_type, b"");
    let exchange = Exchange {
        endpoint: "api".to_owned(),
        response: Response {
            status: StatusCode::OK,
            reason: None,
            fields: request.fields.clone(),
            body: Content::Inline(body),
            trailers: Fields::default(),
            coded: CodedBody::Derived,
            omitted: Vec::new(),
        },
        request,
        stream,
        failure: None,
        tags: Vec::new(),
    };
    let secrets = Arc::new(Secrets::default());
    let Ok(redacted) = pipeline().redact(exchange, &"x".into(), &secrets);
    let mut exchange = redacted.exchange;
    let guard = Guard::new(&[]);
    let is_clean = guard
        .scan(exchange.response.body.inline(), &secrets)
        .is_ok();
    assert!(is_clean, "{:?}", &exchange.response.body.inline()[..100]);
    // The writer stores a body of this size as a file.
    exchange.response.body = Content::Stored {
        digest: ouli_cassette::body_digest(exchange.response.body.inline()),
        size: exchange.response.body.size(),
    };
    let mut text = Vec::new();
    ouli_cassette::encode(&mut text, 1, &exchange, "x.bodies");
    text.len()
}

fn pipeline() -> RedactionPipeline<Declared> {
    RedactionPipeline::new(vec![Arc::new(Declared::new())], &[], Schema::default()).unwrap()
}

/// Rules without code.
struct Declared(Vec<RuleDeclaration>);

impl Declared {
    fn new() -> Self {
        let class = || "secret".to_owned();
        let name = |name: &str| name.to_owned();
        let pattern = |regex: &str| RuleDeclaration::Pattern {
            regex: name(regex),
            class: class(),
        };
        Self(vec![
            RuleDeclaration::JsonMember {
                name: name("password"),
                class: class(),
            },
            RuleDeclaration::Form {
                name: name("password"),
                class: class(),
            },
            pattern(r"\bpat_([a-z0-9]{8,})"),
            pattern(r"\bsk-[A-Za-z0-9][A-Za-z0-9_-]{20,}"),
            pattern(r"\bghp_[A-Za-z0-9]{20,}"),
            pattern(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
            pattern(r"(?i)\bBearer\s+([A-Za-z0-9._~+/=-]{16,})"),
            pattern(concat!(
                r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
                r"(?:(?:-{0,4}[^-])*-----END [A-Z ]*PRIVATE KEY-----|[A-Za-z0-9+/=\s\\:,-]*)",
            )),
        ])
    }
}

impl Redactor for Declared {
    type Error = Infallible;

    fn rules(&self) -> &[RuleDeclaration] {
        &self.0
    }

    fn is_called(&self) -> bool {
        false
    }

    fn covers(&self, _: &str) -> bool {
        true
    }

    fn redact(
        &self,
        _: &Arc<dyn MessageView>,
        _: &Arc<Secrets>,
    ) -> Result<RedactorEdits, Infallible> {
        unreachable!("it is not called")
    }

    fn invalid_edit(&self, error: EditError) -> Infallible {
        unreachable!("it makes no edit: {error}")
    }
}
