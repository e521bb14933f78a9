//! Keys, differences and miss reports.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use ouli_codec::MessageView;
use ouli_codec::json::Pointer;
use ouli_matching::key::{ExcludedNames, Key, KeyPart, KeyedMessage, derive};
use ouli_matching::miss::{Candidate, Cause, Guidance, MissedRequest, Unavailable, report};
use ouli_message::{Content, Fields, Request};
use ouli_redaction::{RedactedMessage, RequestView, Rules};

use super::Shape;
use super::inputs::{nested, numbered, repeat, within};

pub(super) fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for (name, content_type, make) in bodies() {
        let make = Rc::new(make);
        let shape = |kind: &str, work: fn(&str, &[u8])| {
            let make = Rc::clone(&make);
            let name: &'static str = format!("{kind} {name}").leak();
            Shape::new(name, move |n| make(n), move |body| work(content_type, body))
        };
        shapes.push(shape("key of", |content_type, body| {
            derive(&parts(), &message(content_type, body));
        }));
        shapes.push(shape("key with holes of", |content_type, body| {
            let request = Arc::new(request("/", Vec::new(), content_type, body));
            let rules = Arc::new(Rules::compile(Vec::new(), &[]).unwrap());
            let endpoint: Arc<str> = "api".into();
            let session = Arc::clone(&endpoint);
            let view = RequestView::new(endpoint, session, request, rules, Arc::default());
            derive(&parts(), &view);
        }));
        shapes.push(shape("miss of", |content_type, body| {
            missed(
                message(content_type, body),
                message(content_type, &altered(body)),
            );
        }));
    }
    let headers = |text: &'static [u8]| move |n: usize| text.repeat(n / text.len());
    shapes.push(Shape::new("key of headers", headers(b"x"), |body| {
        let fields = (0..body.len()).map(|n| (format!("x-{}", n % 1000), "1"));
        let request = request("/", fields.collect(), "", b"");
        derive(
            &parts(),
            &RedactedMessage::request("api".into(), "default".into(), Arc::new(request)),
        )
    }));
    shapes.push(Shape::new(
        "miss of headers",
        headers(b"x-00000: 1"),
        |body| {
            let fields = |value| {
                let fields = (0..body.len() / 10).map(move |n| (format!("x-{n:05}"), value));
                let request = request("/", fields.collect(), "", b"");
                RedactedMessage::request("api".into(), "default".into(), Arc::new(request))
            };
            missed(fields("1"), fields("2"))
        },
    ));
    shapes.push(Shape::new("key of a query", repeat("a=1&"), |body| {
        let target = format!("/?{}", String::from_utf8_lossy(body));
        let request = request(&target, Vec::new(), "", b"");
        derive(
            &parts(),
            &RedactedMessage::request("api".into(), "default".into(), Arc::new(request)),
        )
    }));
    shapes
}

/// Makes an input of about so many bytes.
type Make = Box<dyn Fn(usize) -> Vec<u8>>;

/// A name, a content type and a body.
fn bodies() -> Vec<(&'static str, &'static str, Make)> {
    vec![
        (
            "json zeros",
            "application/json",
            Box::new(within("[0", ",0", "]")),
        ),
        (
            "json members",
            "application/json",
            Box::new(numbered("{", |n| format!("\"{n}\":0,"), "\"a\":1}")),
        ),
        (
            "json equal members",
            "application/json",
            Box::new(within("{\"a\":1", ",\"a\":1", "}")),
        ),
        (
            "json nested",
            "application/json",
            Box::new(nested("{\"a\":[", "]}", 40)),
        ),
        (
            "form",
            "application/x-www-form-urlencoded",
            Box::new(repeat("a=1&")),
        ),
        (
            "form names",
            "application/x-www-form-urlencoded",
            Box::new(numbered("", |n| format!("{n}=1&"), "")),
        ),
        (
            "multipart",
            "multipart/form-data; boundary=b",
            Box::new(within(
                "",
                "--b\r\ncontent-disposition: form-data; name=a\r\n\r\n\r\n",
                "--b--",
            )),
        ),
        ("text", "text/plain", Box::new(repeat("a\n"))),
        ("placeholders", "text/plain", Box::new(repeat("<token-1>"))),
        (
            "placeholders in json",
            "application/json",
            Box::new(within("[\"a\"", ",\"<token-1>\"", "]")),
        ),
    ]
}

fn altered(body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    for at in (0..body.len()).step_by(16) {
        if matches!(body[at], b'0' | b'1') {
            body[at] = b'2';
        }
    }
    body
}

fn parts() -> Vec<KeyPart> {
    vec![
        KeyPart::Method,
        KeyPart::Path,
        KeyPart::Query {
            except: ExcludedNames::exact(["nonce"]),
        },
        KeyPart::Headers {
            except: ExcludedNames::case_insensitive(["content-type"]),
        },
        KeyPart::Body {
            except: vec![Pointer::parse("/ignored").unwrap()],
        },
    ]
}

/// The key of a message.
pub(super) fn key(message: &dyn MessageView) -> Key {
    derive(&parts(), message)
}

pub(super) fn request(
    target: &str,
    headers: Vec<(String, &str)>,
    content_type: &str,
    body: &[u8],
) -> Request {
    let mut fields = Fields::default();
    if let Ok(value) = HeaderValue::from_str(content_type) {
        fields.push(http::header::CONTENT_TYPE, value);
    }
    for (name, value) in headers {
        fields.push(
            HeaderName::try_from(name).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    Request {
        method: Method::POST,
        authority: "api".to_owned(),
        target: target.to_owned(),
        fields,
        body: Content::Inline(Bytes::copy_from_slice(body)),
        trailers: Fields::default(),
        truncated_at: None,
    }
}

fn message(content_type: &str, body: &[u8]) -> RedactedMessage {
    let request = request("/", Vec::new(), content_type, body);
    RedactedMessage::request("api".into(), "default".into(), Arc::new(request))
}

fn missed(live: RedactedMessage, recorded: RedactedMessage) {
    let keyed = |message| KeyedMessage {
        matcher: None,
        parts: parts(),
        view: Arc::new(message),
    };
    let missed = MissedRequest {
        session: "default".to_owned(),
        request_line: "POST /".to_owned(),
        message: keyed(live),
        cause: Cause::NoMatch,
        unavailable: Unavailable::default(),
        guidance: Guidance::default(),
    };
    let candidate = Candidate {
        ordinal: 1,
        request_line: "POST /".to_owned(),
        message: keyed(recorded),
        response: Fields::default(),
        replayed: false,
    };
    let _ = report(missed, vec![candidate]).to_text();
}
