//! Tests of the redaction of whole messages and of the views for matchers.

mod bodies;
mod edits;
mod eviction;
mod forgetting;
mod guard;
mod headers;
mod keys;
mod memory;
mod messages;
mod random;
mod registry;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::*;
use ouli_message::{CodedBody, Content, Fields, Request, Response};

/// Some rules of each kind, like those of the built-in redactor.
pub(super) fn rules() -> Rules {
    let text = str::to_owned;
    let mut declared = Vec::new();
    for name in [
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "www-authenticate",
        "x-api-key",
        "sec-websocket-protocol",
        "*-token",
    ] {
        let class = name.trim_start_matches("*-").to_owned();
        declared.push(RuleDeclaration::Header {
            name: text(name),
            class,
        });
    }
    for name in ["access_token", "sig", "password", "api_key"] {
        let class = name.replace('_', "-");
        let name = text(name);
        declared.push(RuleDeclaration::Query {
            name: name.clone(),
            class: class.clone(),
        });
        declared.push(RuleDeclaration::Form {
            name: name.clone(),
            class: class.clone(),
        });
        declared.push(RuleDeclaration::JsonMember { name, class });
    }
    let class = text("card");
    declared.push(RuleDeclaration::Json {
        pointer: text("/cards/*/number"),
        class,
    });
    let class = text("pat");
    declared.push(RuleDeclaration::Pattern {
        regex: text(r"\bpat_([a-z0-9]{8,})"),
        class,
    });
    declared.push(RuleDeclaration::VolatileHeader { name: text("date") });
    declared.push(RuleDeclaration::VolatileHeader {
        name: text("x-request-*"),
    });
    Rules::compile(declared, &[]).unwrap()
}

pub(super) fn fields(list: &[(&str, &str)]) -> Fields {
    let field = |(name, value): &(&str, &str)| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    };
    list.iter().map(field).collect()
}

pub(super) fn request(target: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Request {
    Request {
        method: Method::POST,
        authority: "api.example.com".to_owned(),
        target: target.to_owned(),
        fields: fields(headers),
        body: Content::Inline(Bytes::copy_from_slice(body.as_ref())),
        trailers: Fields::default(),
        truncated_at: None,
    }
}

pub(super) fn response(headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Response {
    Response {
        status: StatusCode::OK,
        fields: fields(headers),
        body: Content::Inline(Bytes::copy_from_slice(body.as_ref())),
        coded: CodedBody::Derived,
        trailers: Fields::default(),
        reason: None,
        omitted: Vec::new(),
    }
}

/// A body after redaction in a new session.
pub(super) fn body(content_type: &str, text: &str) -> String {
    let secrets = Secrets::default();
    let rules = rules();
    let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    let first = redaction.redact_body(Some(content_type), &bytes).value;
    let again = redaction.redact_body(Some(content_type), &first);
    assert_eq!(again.value, first, "a second pass changes the body");
    assert!(again.counts.is_empty(), "{:?}", again.counts);
    String::from_utf8(first.to_vec()).unwrap()
}
