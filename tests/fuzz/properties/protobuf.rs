//! Protocol Buffers messages: any message can be shown and searched, and a redacted message stays
//! valid.

use bytes::Bytes;
use ouli_codec::grpc::{MessageType, Schema};
use ouli_codec::json::Document;
use ouli_message::stream::Side;
use ouli_redaction::{Purpose, Redaction, Secrets};

use super::redaction::{PIN, rules, secrets};

/// The input is a message.
pub(super) fn check(input: &[u8]) {
    thread_local! {
        static SHAPE: MessageType = shape();
    }
    let message = Bytes::copy_from_slice(input);
    SHAPE.with(|shape| {
        let shown = shape.to_json(&message);
        if let Some(json) = &shown {
            assert!(Document::parse(json.clone().into()).is_some(), "{json}");
        }
        let (rid, found) = rid(&message, Some(shape));
        // Bytes of adjacent fields may form a secret. It is removed even if the message is invalid
        // afterwards. So is a number once it only borders placeholders.
        let spelled = secrets().searcher().find_any(&message).is_some()
            || message.windows(PIN.len()).any(|bytes| bytes == PIN)
            || found.searcher().find(&message).len() > 1;
        let shown = shown.filter(|_| !spelled);
        assert!(
            shown.is_none() || shape.to_json(&rid).is_some(),
            "{rid:?} is not a message"
        );
    });
    rid(&message, None);
}

fn rid(message: &Bytes, shape: Option<&MessageType>) -> (Bytes, Secrets) {
    let (rules, secrets) = (rules(), secrets());
    let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
    let first = redaction.redact_protobuf(message, shape).value;
    if let Some(hit) = secrets.searcher().find_any(&first) {
        panic!("{:?} is left in {first:?}", hit.secret);
    }
    let again = redaction.redact_protobuf(&first, shape).value;
    assert_eq!(again, first, "a second pass changes the message");
    (first, secrets)
}

/// A type with a field of most kinds, including itself.
fn shape() -> MessageType {
    const FIELDS: [(&str, u64, u64, bool); 10] = [
        ("password", 1, STRING, false),
        ("note", 2, STRING, false),
        ("raw", 3, BYTES, false),
        ("pin", 4, INT64, false),
        ("names", 5, STRING, true),
        ("numbers", 6, INT32, true),
        ("ratio", 7, DOUBLE, false),
        ("inner", 8, MESSAGE, false),
        ("children", 9, MESSAGE, true),
        ("sig", 10, FIXED64, false),
    ];
    let mut message = field(1, b"All");
    for (name, number, kind, many) in FIELDS {
        let mut one = field(1, name.as_bytes());
        one.extend(varint(3, number));
        one.extend(varint(4, if many { 3 } else { 1 }));
        one.extend(varint(5, kind));
        if kind == MESSAGE {
            one.extend(field(6, b".test.All"));
        }
        message.extend(field(2, &one));
    }
    let mut method = field(1, b"Ask");
    method.extend(field(2, b".test.All"));
    method.extend(field(3, b".test.All"));
    let mut service = field(1, b"Asked");
    service.extend(field(2, &method));
    let mut file = field(1, b"test.proto");
    file.extend(field(2, b"test"));
    file.extend(field(4, &message));
    file.extend(field(6, &service));
    file.extend(field(12, b"proto3"));
    let mut schema = Schema::default();
    schema.add(&field(1, &file)).expect("a descriptor set");
    schema
        .message_type("/test.Asked/Ask", Side::Client)
        .expect("the call is described")
}

const DOUBLE: u64 = 1;
const INT64: u64 = 3;
const INT32: u64 = 5;
const FIXED64: u64 = 6;
const STRING: u64 = 9;
const MESSAGE: u64 = 11;
const BYTES: u64 = 12;

fn number(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn varint(at: u64, value: u64) -> Vec<u8> {
    [number(at << 3), number(value)].concat()
}

fn field(at: u64, content: &[u8]) -> Vec<u8> {
    [
        number(at << 3 | 2),
        number(content.len() as u64),
        content.to_vec(),
    ]
    .concat()
}
