//! Compares the report of a client from the recording with that from the replay.
//!
//! Four differences are allowed: placeholders for secrets; headers that are generated for each
//! response; the order of the headers of a WebSocket handshake, some of which belong to the
//! connection; and encoded bytes, whose decoded content is compared as well.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::compare::without_secrets;
use crate::secrets::Secrets;

/// Headers that are generated for each response.
const ANEW: [&str; 2] = ["date", "sec-websocket-accept"];

/// Members that contain bytes in base64.
const BYTES: [&str; 3] = ["binary", "body", "raw"];

/// The maximum length of a text in a reported difference.
const EXCERPT: usize = 400;

/// The differences between two scenarios, one line each.
pub(super) fn differences(recorded: &Value, replayed: &Value, secrets: &Secrets) -> Vec<String> {
    let (was, is) = (plain(recorded, secrets), plain(replayed, secrets));
    let mut lines = Vec::new();
    compare(&was, &is, "", &mut lines);
    lines
}

/// True if a text or bytes of a report contain a secret.
pub(super) fn shows_any(told: &Value, secrets: &Secrets) -> bool {
    match told {
        Value::Object(members) => members.iter().any(|(name, value)| {
            let bytes = bytes_of(name, value);
            bytes.is_some_and(|bytes| secrets.are_in(&bytes)) || shows_any(value, secrets)
        }),
        Value::Array(items) => items.iter().any(|item| shows_any(item, secrets)),
        Value::String(text) => secrets.are_in(text.as_bytes()),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The report without the allowed differences.
fn plain(told: &Value, secrets: &Secrets) -> Value {
    match told {
        Value::Object(members) => Value::Object(plain_members(members, secrets)),
        Value::Array(items) => items.iter().map(|item| plain(item, secrets)).collect(),
        Value::String(text) => Value::String(without_secrets(text, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => told.clone(),
    }
}

fn plain_members(members: &Map<String, Value>, secrets: &Secrets) -> Map<String, Value> {
    let decoded = members.contains_key("body") && members.contains_key("raw");
    let kept = members
        .iter()
        .filter(|(name, _)| *name != "timing" && !(decoded && *name == "raw"));
    let opens = members.get("status").is_some_and(|status| *status == 101);
    let member = |(name, value): (&String, &Value)| {
        let text = bytes_of(name, value).and_then(|bytes| String::from_utf8(bytes).ok());
        let value = match text {
            Some(text) => Value::String(without_secrets(&text, secrets)),
            None if name == "headers" => headers(value, opens, secrets),
            None => plain(value, secrets),
        };
        (name.clone(), value)
    };
    kept.map(member).collect()
}

fn headers(value: &Value, opens: bool, secrets: &Secrets) -> Value {
    let all = value.as_array().into_iter().flatten();
    let kept = all.filter(|header| !ANEW.iter().any(|name| header[0] == *name));
    let mut lines: Vec<_> = kept.map(|header| plain(header, secrets)).collect();
    if opens {
        lines.sort_by_key(Value::to_string);
    }
    Value::Array(lines)
}

fn bytes_of(name: &str, value: &Value) -> Option<Vec<u8>> {
    let named = BYTES.contains(&name);
    let text = value.as_str().filter(|_| named)?;
    STANDARD.decode(text).ok()
}

fn compare(was: &Value, is: &Value, at: &str, lines: &mut Vec<String>) {
    match (was, is) {
        (Value::Object(some), Value::Object(others)) => {
            let names: BTreeSet<_> = some.keys().chain(others.keys()).collect();
            for name in names {
                let (one, other) = (some.get(name), others.get(name));
                let null = &Value::Null;
                let at = format!("{at}/{name}");
                compare(one.unwrap_or(null), other.unwrap_or(null), &at, lines);
            }
        }
        (Value::Array(some), Value::Array(others)) if some.len() == others.len() => {
            for (place, (one, other)) in some.iter().zip(others).enumerate() {
                compare(one, other, &format!("{at}/{place}"), lines);
            }
        }
        _ if was == is => {}
        _ => lines.push(format!(
            "{at}\n    recorded {}\n    replayed {}",
            excerpt(was),
            excerpt(is)
        )),
    }
}

fn excerpt(value: &Value) -> String {
    value.to_string().chars().take(EXCERPT).collect()
}

#[test]
fn allowed_differences_are_normalized() {
    let secrets = Secrets::while_recording();
    let token = secrets.put_into("${token}");
    let told = |text: &str| serde_json::from_str::<Value>(&secrets.put_into(text)).unwrap();
    let cases = [
        (
            r#"{"text": "a ${token} b"}"#,
            r#"{"text": "a <token-1> b"}"#,
            0,
        ),
        (r#"{"text": "a"}"#, r#"{"text": "b"}"#, 1),
        (r#"{"text": "a"}"#, r#"{}"#, 1),
        (r#"[1, 2]"#, r#"[2, 1]"#, 2),
        (r#"[1, 2]"#, r#"[1]"#, 1),
        (r#"{"timing": 1}"#, r#"{"timing": 2}"#, 0),
        (
            r#"{"raw": "YQ==", "body": "Yg=="}"#,
            r#"{"raw": "YQ", "body": "Yg=="}"#,
            0,
        ),
        (r#"{"raw": "YQ=="}"#, r#"{"raw": "Yg=="}"#, 1),
        (
            r#"{"status": 101, "headers": [["date", "1"], ["a", "1"], ["b", "2"]]}"#,
            r#"{"status": 101, "headers": [["b", "2"], ["a", "1"]]}"#,
            0,
        ),
        (
            r#"{"status": 200, "headers": [["a", "1"], ["b", "2"]]}"#,
            r#"{"status": 200, "headers": [["b", "2"], ["a", "1"]]}"#,
            4,
        ),
    ];
    for (was, is, count) in cases {
        let lines = differences(&told(was), &told(is), &secrets);
        assert_eq!(lines.len(), count, "{was} {is}: {lines:?}");
    }
    let bytes = STANDARD.encode(format!("a {token} b"));
    let told = serde_json::json!({"binary": bytes});
    assert!(shows_any(&told, &secrets) && !shows_any(&told, &Secrets::others()));
    let again = serde_json::json!({"binary": STANDARD.encode("a <token-1> b")});
    assert_eq!(differences(&told, &again, &secrets), Vec::<String>::new());
}
