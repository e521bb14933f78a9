//! Readings beside those of a library that decodes and serializes messages for itself.

use prost_reflect::{DynamicMessage, Kind, MessageDescriptor};
use serde_json::Value;

use super::{MappedMessage, MappingMode};
use crate::grpc::sample_schema::{self, Noise, message_type, put, put_number};
use crate::grpc::wire::{put_varint, with_length};
use crate::json::Document;

/// What the library makes of a message; none where it does not like it.
fn expected(descriptor: &MessageDescriptor, message: &[u8]) -> Option<Value> {
    let decoded = DynamicMessage::decode(descriptor.clone(), message).ok()?;
    let json = serde_json::to_string(&decoded).ok()?;
    serde_json::from_str(&json).ok()
}

fn number(noise: &mut Noise) -> u64 {
    match noise.below(5) {
        0 => 0,
        1 => noise.below(200),
        2 => u64::from(u32::MAX) - noise.below(3),
        3 => u64::MAX - noise.below(3),
        _ => noise.below(u64::MAX),
    }
}

/// A message of some fields of its type, each maybe more than once, in any order.
fn message(descriptor: &MessageDescriptor, noise: &mut Noise, depth: u64) -> Vec<u8> {
    let fields: Vec<_> = descriptor.fields().collect();
    let mut out = Vec::new();
    let count = if fields.is_empty() { 0 } else { noise.below(6) };
    for _ in 0..count {
        let field = &fields[noise.below(fields.len() as u64) as usize];
        let tag = u64::from(field.number()) << 3;
        let content = match field.kind() {
            Kind::String => {
                Some(["", "a", "p\u{e4}ss \"quoted\"\n"][noise.below(3) as usize].into())
            }
            Kind::Bytes => Some(vec![0xff; noise.below(4) as usize]),
            Kind::Message(_) if depth == 0 => continue,
            Kind::Message(inner) => Some(message(&inner, noise, depth - 1)),
            Kind::Fixed32 | Kind::Sfixed32 | Kind::Float => {
                put_varint(&mut out, tag | 5);
                let four = [0, 0x3fc0_0000, 0x7fc0_0000, 0xff80_0000, 7][noise.below(5) as usize];
                out.extend_from_slice(&u32::to_le_bytes(four));
                continue;
            }
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => {
                put_varint(&mut out, tag | 1);
                let eight = f64::to_le_bytes([0.0, 1.5, f64::NAN, 1e300][noise.below(4) as usize]);
                out.extend_from_slice(&eight);
                continue;
            }
            _ if field.is_list() && noise.below(2) == 0 => {
                let mut row = Vec::new();
                (0..noise.below(4)).for_each(|_| put_varint(&mut row, number(noise)));
                Some(row)
            }
            _ => {
                put_varint(&mut out, tag);
                put_varint(&mut out, number(noise));
                continue;
            }
        };
        put_varint(&mut out, tag | 2);
        out.extend_from_slice(&with_length(&content.unwrap_or_default()));
    }
    out
}

#[test]
fn messages_are_shown_as_the_library_shows_them() {
    let shape = message_type();
    let descriptor = shape.descriptor();
    let mut noise = Noise(11);
    let mut same = 0;
    for _ in 0..20_000 {
        let message = message(descriptor, &mut noise, 4);
        let Some(expected) = expected(descriptor, &message) else {
            continue;
        };
        let json = shape.to_json(&message).unwrap();
        let shown: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(shown, expected, "{message:?}");
        same += usize::from(!message.is_empty());
    }
    assert!(same > 10_000, "{same} messages were compared");
}

#[test]
fn readings_without_changes_are_the_message() {
    let shape = message_type();
    let descriptor = shape.descriptor();
    let mut noise = Noise(5);
    for _ in 0..5000 {
        let message = message(descriptor, &mut noise, 4);
        let reading = MappedMessage::of(descriptor, &message, MappingMode::Search).unwrap();
        assert_eq!(reading.rewrite(&message, &[]), message);
        let all: Vec<_> = (0..reading.leaves())
            .map(|at| (at, "new".to_owned()))
            .collect();
        let new = reading.rewrite(&message, &all);
        let again = MappedMessage::of(descriptor, &new, MappingMode::Search).unwrap();
        assert_eq!(again.rewrite(&new, &all).len(), new.len(), "{message:?}");
    }
}

#[test]
fn members_stand_in_the_order_of_their_numbers() {
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
fn what_is_deep_or_broken_is_no_danger() {
    let shape = message_type();
    let mut any = Vec::new();
    for _ in 0..8000 {
        any = [put(1, "/google.protobuf.Any"), put(2, &any)].concat();
    }
    // Where it is too deep, its bytes are shown.
    let json = shape.to_json(&put(sample_schema::ANY, &any)).unwrap();
    assert!(Document::parse(json.into()).is_some());
    for field in [sample_schema::INNER, sample_schema::CHILDREN] {
        let mut deep = put(sample_schema::USER, "u");
        for _ in 0..5000 {
            deep = put(field, &deep);
        }
        assert_eq!(shape.to_json(&deep), None);
        assert!(shape.map_for_search(&deep).is_some());
    }
    for cut in [
        &[0x0a, 5][..],
        &[0xff; 20],
        &[0x0c],
        &put(sample_schema::INNER, [0xff]),
    ] {
        assert_eq!(shape.to_json(cut), None, "{cut:?}");
    }
    // What the descriptor does not know, or knows to be something else, is left out.
    let odd = [
        put_number(sample_schema::USER, 1),
        put(99, "x"),
        put(sample_schema::PIN, "x"),
    ]
    .concat();
    assert_eq!(shape.to_json(&odd).as_deref(), Some("{}"));
}

#[test]
fn an_unknown_type_hides_nothing_else() {
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
