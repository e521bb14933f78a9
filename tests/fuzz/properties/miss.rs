//! Keys and misses: two requests have the same key exactly if a report finds no difference.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use ouli_codec::json::Pointer;
use ouli_matching::key::{ExcludedNames, Key, KeyPart, KeyedMessage, derive};
use ouli_matching::miss::{Candidate, Cause, Guidance, MissedRequest, Unavailable, rank, report};
use ouli_message::{Content, Fields, Request};
use ouli_redaction::RedactedMessage;

use super::choices::Choices;

const TYPES: [&str; 5] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "text/plain",
    "",
];

/// The input is two requests.
pub(super) fn check(input: &[u8]) {
    let mut choices = Choices::new(input);
    let parts = parts(choices.flag());
    let content_type = choices.one_of(&TYPES);
    let live = message(&mut choices, content_type);
    let other_type = if choices.below(8) == 0 {
        choices.one_of(&TYPES)
    } else {
        content_type
    };
    let recorded = message(&mut choices, other_type);

    let keys: Vec<Key> = [&live, &recorded]
        .map(|message| derive(&parts, message))
        .into();
    assert_eq!(
        rank(&keys[0], [(0, &keys[1]), (1, &keys[0])].into_iter(), 1),
        [best(&keys)]
    );
    let equal = keys[0] == keys[1];
    let keyed = |message: RedactedMessage| KeyedMessage {
        matcher: None,
        parts: parts.clone(),
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
    let miss = report(missed, vec![candidate]);
    let [nearest] = &miss.nearest[..] else {
        panic!("one exchange was recorded: {miss:?}");
    };
    assert_eq!(equal, nearest.differences.is_empty(), "{nearest:?}");
    assert!(nearest.differences.len() <= 8);
    let text = miss.to_text();
    let broken = |character: char| character.is_control() && character != '\n';
    assert!(text.ends_with('\n') && !text.contains(broken), "{text:?}");
    let problem = miss.to_problem();
    assert_eq!(problem["status"], 404);
    assert!(!miss.summary().is_empty());
}

/// The index of the nearest of two keys; the first one if both are equal.
fn best(keys: &[Key]) -> usize {
    usize::from(keys[0] != keys[1])
}

fn parts(with_headers: bool) -> Vec<KeyPart> {
    let but = [Pointer::parse("/ignored").expect("a pointer")];
    let mut parts = vec![
        KeyPart::Method,
        KeyPart::Path,
        KeyPart::Query {
            except: ExcludedNames::exact(["nonce"]),
        },
        KeyPart::Body { except: but.into() },
    ];
    if with_headers {
        let but = ExcludedNames::case_insensitive(["content-type"]);
        parts.push(KeyPart::Headers { except: but });
    } else {
        parts.push(KeyPart::Header("x-a".to_owned()));
    }
    parts
}

fn message(choices: &mut Choices<'_>, content_type: &str) -> RedactedMessage {
    let mut fields = Fields::default();
    if let Ok(value) = HeaderValue::from_str(content_type) {
        fields.push(http::header::CONTENT_TYPE, value);
    }
    for _ in 0..choices.below(3) {
        let name = HeaderName::from_static(choices.one_of(&["x-a", "x-b"]));
        if let Ok(value) = HeaderValue::from_bytes(choices.bytes()) {
            fields.push(name, value);
        }
    }
    let request = Request {
        method: choices.one_of(&[&Method::GET, &Method::POST]).clone(),
        authority: "api".to_owned(),
        target: format!("/{}", choices.text()),
        fields,
        body: Content::Inline(Bytes::copy_from_slice(choices.bytes())),
        trailers: Fields::default(),
        truncated_at: None,
    };
    RedactedMessage::request("api".into(), "default".into(), Arc::new(request))
}
