//! Redaction of heads and bodies: no known secret is left, JSON stays valid, and a second pass
//! changes nothing.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use ouli_codec::json::Document;
use ouli_message::{Content, Fields, Request};
use ouli_redaction::{
    Guard, Purpose, Redaction, RuleDeclaration, Rules, Secrets, collapse_to_class,
};

use super::choices::Choices;

pub(super) const TYPES: [&str; 7] = [
    "application/json",
    "text/event-stream",
    "application/x-ndjson",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "",
];

/// The input is a head and a body.
pub(super) fn check(input: &[u8]) {
    let mut choices = Choices::new(input);
    let content_type = choices.one_of(&TYPES);
    let request = request(&mut choices);
    let body = Bytes::copy_from_slice(choices.rest());
    let rules = rules();
    of_body(content_type, &body, &rules);
    of_request(&request, &rules);
}

/// A numeric secret, which is only replaced if no digit borders it.
pub(super) const PIN: &[u8] = b"987654321";

/// Secrets that are known before the message.
pub(super) fn secrets() -> Secrets {
    let secrets = Secrets::default();
    secrets.register("known", b"s3cr3t-value");
    secrets.register("pin", PIN);
    secrets
}

/// Some rules of each kind, like those of the built-in redactor.
pub(super) fn rules() -> Rules {
    thread_local! {
        static RULES: Rules = compile();
    }
    RULES.with(Clone::clone)
}

fn compile() -> Rules {
    let text = str::to_owned;
    let mut declared = Vec::new();
    for name in [
        "authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "*-token",
    ] {
        let class = name.trim_start_matches("*-").to_owned();
        let name = text(name);
        declared.push(RuleDeclaration::Header { name, class });
    }
    for name in ["access_token", "sig", "password"] {
        let (name, class) = (text(name), name.replace('_', "-"));
        let (own, kind) = (name.clone(), class.clone());
        declared.push(RuleDeclaration::Query {
            name: own,
            class: kind,
        });
        let (own, kind) = (name.clone(), class.clone());
        declared.push(RuleDeclaration::Form {
            name: own,
            class: kind,
        });
        declared.push(RuleDeclaration::JsonMember { name, class });
    }
    declared.push(RuleDeclaration::Json {
        pointer: text("/cards/*/number"),
        class: text("card"),
    });
    declared.push(RuleDeclaration::Pattern {
        regex: text(r"\bpat_([a-z0-9]{8,})"),
        class: text("pat"),
    });
    declared.push(RuleDeclaration::VolatileHeader { name: text("date") });
    Rules::compile(declared, &[]).expect("the rules are valid")
}

fn of_body(content_type: &str, body: &Bytes, rules: &Rules) {
    let secrets = secrets();
    let write = Redaction::new(rules, &secrets, Purpose::Write);
    let first = write.redact_body(Some(content_type), body).value;
    let again = write.redact_body(Some(content_type), &first).value;
    assert_eq!(
        again, first,
        "{content_type}: a second pass changes the body"
    );
    left_to_the_guard(&first, &secrets);
    if content_type == TYPES[0] && Document::parse(body.clone()).is_some() {
        assert!(
            Document::parse(first.clone()).is_some(),
            "{first:?} is not JSON"
        );
    }
    let key = Redaction::new(rules, &secrets, Purpose::Key);
    let _ = key.redact_body(Some(content_type), body);
    let _ = collapse_to_class(&String::from_utf8_lossy(&first));
}

/// Bytes that are not UTF-8 stay unchanged; the guard refuses them if they contain a secret.
fn left_to_the_guard(bytes: &[u8], secrets: &Secrets) {
    if std::str::from_utf8(bytes).is_ok() {
        none_is_left(bytes, secrets);
    } else if secrets.searcher().find_any(bytes).is_some() {
        assert!(
            Guard::new(&[]).scan(bytes, secrets).is_err(),
            "the guard accepts {bytes:?}"
        );
    }
}

fn none_is_left(bytes: &[u8], secrets: &Secrets) {
    if let Some(hit) = secrets.searcher().find_any(bytes) {
        panic!("{:?} is left at {:?} of {bytes:?}", hit.secret, hit.range);
    }
}

fn request(choices: &mut Choices<'_>) -> Request {
    const NAMES: [&str; 8] = [
        "x-note",
        "location",
        "cookie",
        "set-cookie",
        "authorization",
        "www-authenticate",
        "sec-websocket-protocol",
        "my-token",
    ];
    let mut fields = Fields::default();
    for _ in 0..choices.below(4) {
        let name = HeaderName::from_static(choices.one_of(&NAMES));
        if let Ok(value) = HeaderValue::from_bytes(choices.bytes()) {
            fields.push(name, value);
        }
    }
    Request {
        method: Method::POST,
        authority: "api.example.com".to_owned(),
        target: format!("/{}", choices.text()),
        fields,
        body: Content::EMPTY,
        trailers: Fields::default(),
        truncated_at: None,
    }
}

fn of_request(request: &Request, rules: &Rules) {
    let secrets = secrets();
    let write = Redaction::new(rules, &secrets, Purpose::Write);
    let first = write.redact_request(request).value;
    assert_eq!(
        write.redact_request(&first).value,
        first,
        "a second pass changes the request"
    );
    let values = first.fields.iter().map(|(_, value)| value.as_bytes());
    for piece in values.chain(first.target.splitn(2, '?').map(str::as_bytes)) {
        left_to_the_guard(piece, &secrets);
    }
    Redaction::new(rules, &secrets, Purpose::Key).redact_request(request);
}
