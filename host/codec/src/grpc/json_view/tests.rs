//! Compares mapped messages with the JSON of prost-reflect.

use prost_reflect::{DynamicMessage, Kind, MessageDescriptor};
use serde_json::Value;

use super::{MappedMessage, MappingMode};
use crate::grpc::sample_schema::{self, Noise, message_type, put, put_number};
use crate::grpc::wire::{put_varint, with_length};
use crate::json::Document;

/// The JSON of prost-reflect. None if it rejects the message.
fn expected(descriptor: &MessageDescriptor, message: &[u8]) -> Option<Value> {
    let decoded = DynamicMessage::decode(descriptor.clone(), message).ok()?;
    let json = serde_json::to_string(&decoded).ok()?;
    serde_json::from_str(&json).ok()
}

fn number(random: &mut Noise) -> u64 {
    match random.below(5) {
        0 => 0,
        1 => random.below(200),
        2 => u64::from(u32::MAX) - random.below(3),
        3 => u64::MAX - random.below(3),
        _ => random.below(u64::MAX),
    }
}

/// A message with random fields of its type in any order. Fields may repeat.
fn message(descriptor: &MessageDescriptor, random: &mut Noise, depth: u64) -> Vec<u8> {
    let fields: Vec<_> = descriptor.fields().collect();
    let mut out = Vec::new();
    let count = if fields.is_empty() {
        0
    } else {
        random.below(6)
    };
    for _ in 0..count {
        let field = &fields[random.below(fields.len() as u64) as usize];
        let tag = u64::from(field.number()) << 3;
        let content = match field.kind() {
            Kind::String => {
                Some(["", "a", "p\u{e4}ss \"quoted\"\n"][random.below(3) as usize].into())
            }
            Kind::Bytes => Some(vec![0xff; random.below(4) as usize]),
            Kind::Message(_) if depth == 0 => continue,
            Kind::Message(inner) => Some(message(&inner, random, depth - 1)),
            Kind::Fixed32 | Kind::Sfixed32 | Kind::Float => {
                put_varint(&mut out, tag | 5);
                let four = [0, 0x3fc0_0000, 0x7fc0_0000, 0xff80_0000, 7][random.below(5) as usize];
                out.extend_from_slice(&u32::to_le_bytes(four));
                continue;
            }
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => {
                put_varint(&mut out, tag | 1);
                let eight = f64::to_le_bytes([0.0, 1.5, f64::NAN, 1e300][random.below(4) as usize]);
                out.extend_from_slice(&eight);
                continue;
            }
            _ if field.is_list() && random.below(2) == 0 => {
                let mut packed = Vec::new();
                (0..random.below(4)).for_each(|_| put_varint(&mut packed, number(random)));
                Some(packed)
            }
            _ => {
                put_varint(&mut out, tag);
                put_varint(&mut out, number(random));
                continue;
            }
        };
        put_varint(&mut out, tag | 2);
        out.extend_from_slice(&with_length(&content.unwrap_or_default()));
    }
    out
}

#[test]
fn display_equals_the_json_of_prost_reflect() {
    let message_type = message_type();
    let descriptor = message_type.descriptor();
    let mut random = Noise(11);
    let mut same = 0;
    for _ in 0..20_000 {
        let message = message(descriptor, &mut random, 4);
        let Some(expected) = expected(descriptor, &message) else {
            continue;
        };
        let json = message_type.to_json(&message).unwrap();
        let shown: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(shown, expected, "{message:?}");
        same += usize::from(!message.is_empty());
    }
    assert!(same > 10_000, "{same} messages were compared");
}

#[test]
fn rewriting_without_changes_keeps_the_message() {
    let message_type = message_type();
    let descriptor = message_type.descriptor();
    let mut random = Noise(5);
    for _ in 0..5000 {
        let message = message(descriptor, &mut random, 4);
        let mapped = MappedMessage::of(descriptor, &message, MappingMode::Search).unwrap();
        assert_eq!(mapped.rewrite(&message, &[]), message);
        let all: Vec<_> = (0..mapped.leaves())
            .map(|at| (at, "new".to_owned()))
            .collect();
        let new = mapped.rewrite(&message, &all);
        let again = MappedMessage::of(descriptor, &new, MappingMode::Search).unwrap();
        assert_eq!(again.rewrite(&new, &all).len(), new.len(), "{message:?}");
    }
}

#[test]
fn orders_members_by_field_number() {
    let tag = |key: &str| put(sample_schema::TAGS, [put(1, key), put(2, "v")].concat());
    let message = [
        tag("b"),
        put(sample_schema::PASSWORD, "p"),
        tag("a"),
        put(sample_schema::USER, "u"),
    ];
    let json = message_type().to_json(&message.concat()).unwrap();
    assert_eq!(
        json,
        r#"{"user":"u","password":"p","tags":{"b":"v","a":"v"}}"#
    );
}

#[test]
fn accepts_deeply_nested_and_malformed_messages() {
    let message_type = message_type();
    let mut any = Vec::new();
    for _ in 0..8000 {
        any = [put(1, "/google.protobuf.Any"), put(2, &any)].concat();
    }
    // A message that is nested too deeply is shown as its bytes.
    let json = message_type
        .to_json(&put(sample_schema::ANY, &any))
        .unwrap();
    assert!(Document::parse(json.into()).is_some());
    for field in [sample_schema::INNER, sample_schema::CHILDREN] {
        let mut deep = put(sample_schema::USER, "u");
        for _ in 0..5000 {
            deep = put(field, &deep);
        }
        assert_eq!(message_type.to_json(&deep), None);
        assert!(message_type.map_for_search(&deep).is_some());
    }
    for cut in [
        &[0x0a, 5][..],
        &[0xff; 20],
        &[0x0c],
        &put(sample_schema::INNER, [0xff]),
    ] {
        assert_eq!(message_type.to_json(cut), None, "{cut:?}");
    }
    // Unknown fields and fields with another wire type are omitted.
    let unknown = [
        put_number(sample_schema::USER, 1),
        put(99, "x"),
        put(sample_schema::PIN, "x"),
    ]
    .concat();
    assert_eq!(message_type.to_json(&unknown).as_deref(), Some("{}"));
}

#[test]
fn an_unknown_any_is_shown_as_bytes() {
    let any = [put(1, "x/test.Unknown"), put(2, [8, 1])].concat();
    let message = [
        put(sample_schema::USER, "ann"),
        put(sample_schema::ANY, &any),
    ]
    .concat();
    let json = message_type().to_json(&message).unwrap();
    let expected = r#"{"user":"ann","any":{"@type":"x/test.Unknown","value":"CAE="}}"#;
    assert_eq!(json, expected);
}
