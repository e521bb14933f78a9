//! Redaction of protobuf messages with and without a descriptor.

use bytes::Bytes;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    MethodDescriptorProto, ServiceDescriptorProto,
};

use crate::{Purpose, Redaction, RuleDeclaration, Rules, Secrets};
use ouli_codec::grpc::wire::{is_message, put_varint};
use ouli_codec::grpc::{MessageType, Schema};
use ouli_message::stream::Side;

fn field(name: &str, number: i32, kind: Type, of: Option<&str>) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        r#type: Some(kind as i32),
        type_name: of.map(str::to_owned),
        label: Some(Label::Optional as i32),
        ..FieldDescriptorProto::default()
    }
}

/// `Login { user = 1, password = 2, inner = 3: Login, pins = 4 repeated, pin = 5: int32, raw = 6 }`
fn message_type() -> MessageType {
    let mut pins = field("pins", 4, Type::String, None);
    pins.label = Some(Label::Repeated as i32);
    let login = DescriptorProto {
        name: Some("Login".to_owned()),
        field: vec![
            field("user", 1, Type::String, None),
            field("password", 2, Type::String, None),
            field("inner", 3, Type::Message, Some(".test.Login")),
            pins,
            field("pin", 5, Type::Int32, None),
            field("secret", 6, Type::Bytes, None),
        ],
        ..DescriptorProto::default()
    };
    let method = MethodDescriptorProto {
        name: Some("Enter".to_owned()),
        input_type: Some(".test.Login".to_owned()),
        output_type: Some(".test.Login".to_owned()),
        ..MethodDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("test.proto".to_owned()),
        package: Some("test".to_owned()),
        message_type: vec![login],
        service: vec![ServiceDescriptorProto {
            name: Some("Door".to_owned()),
            method: vec![method],
            ..ServiceDescriptorProto::default()
        }],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    let set = FileDescriptorSet { file: vec![file] }.encode_to_vec();
    let mut schema = Schema::default();
    schema.add(&set).unwrap();
    schema.add(&set).unwrap();
    assert!(
        schema
            .message_type("/test.Door/Leave", Side::Client)
            .is_none()
    );
    schema
        .message_type("/test.Door/Enter", Side::Client)
        .unwrap()
}

fn put(number: u64, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, number << 3 | 2);
    put_varint(&mut out, content.len() as u64);
    out.extend_from_slice(content);
    out
}

fn rules() -> Rules {
    let member = |name: &str| RuleDeclaration::JsonMember {
        name: name.to_owned(),
        class: name.to_owned(),
    };
    let pattern = RuleDeclaration::Pattern {
        regex: r"\bBearer\s+([A-Za-z0-9._-]{16,})".to_owned(),
        class: "bearer".to_owned(),
    };
    let declared = vec![member("password"), member("pin"), member("secret"), pattern];
    Rules::compile(declared, &[]).unwrap()
}

fn redacted(message: Vec<u8>, descriptor: Option<&MessageType>, secrets: &Secrets) -> Bytes {
    let rules = rules();
    let message = Bytes::from(message);
    let redaction = Redaction::new(&rules, secrets, Purpose::Write);
    let once = redaction.redact_protobuf(&message, descriptor).value;
    assert_eq!(
        redaction.redact_protobuf(&once, descriptor).value,
        once,
        "a second pass changes the message"
    );
    once
}

fn holds(message: &[u8], text: &str) -> bool {
    memchr::memmem::find(message, text.as_bytes()).is_some()
}

#[test]
fn finds_texts_without_a_descriptor() {
    let secrets = Secrets::default();
    secrets.register("token", b"s3cr3t-canary-value");
    let long = format!("a Bearer {} here, {}", "abcd".repeat(6), "x".repeat(200));
    let inner = [put(1, b"ann"), put(9, long.as_bytes())].concat();
    let deep = put(3, &put(3, &inner));
    let raw = [b"\xff\xfe".as_slice(), b"s3cr3t-canary-value", b"\0"].concat();
    let message = [deep, put(7, &raw), put(8, b"plain"), vec![5 << 3, 42]].concat();
    let new = redacted(message, None, &secrets);
    assert!(!holds(&new, "abcdabcd") && !holds(&new, "s3cr3t-canary-value"));
    assert!(holds(&new, "<bearer-1>") && holds(&new, "<token-1>") && holds(&new, "plain"));
    assert!(is_message(&new, 0..new.len()), "the result is a message");
}

#[test]
fn finds_fields_by_name_with_a_descriptor() {
    let descriptor = message_type();
    let secrets = Secrets::default();
    let inner = [put(2, b"inner-pass"), put(6, b"\xff\x00raw")].concat();
    let message = [
        put(1, b"ann"),
        put(2, b"hunter22"),
        put(3, &inner),
        put(4, b"one"),
        vec![5 << 3, 42],
        put(77, b"unknown stays"),
    ];
    let new = redacted(message.concat(), Some(&descriptor), &secrets);
    let json = descriptor.to_json(&new).unwrap();
    assert!(json.contains(r#""user":"ann""#), "{json}");
    assert!(json.contains(r#""password":"<password-1>""#), "{json}");
    assert!(json.contains(r#""password":"<password-2>""#), "{json}");
    assert!(!json.contains("42"), "{json}");
    assert!(holds(&new, "unknown stays"));
    for secret in ["hunter22", "inner-pass"] {
        assert!(!holds(&new, secret), "{secret}");
    }
}

#[test]
fn keeps_messages_without_secrets() {
    let descriptor = message_type();
    let out_of_order = [put(4, b"b"), put(1, b"ann"), put(4, b"a"), vec![5 << 3, 0]].concat();
    for message in [
        out_of_order,
        Vec::new(),
        vec![0xff; 40],
        b"just text".to_vec(),
        put(1, &[0x80, 0x80]),
    ] {
        // A pin of 0 has the name of a secret, but a default value is not a field of the view.
        let message: Vec<u8> = message;
        for descriptor in [None, Some(&descriptor)] {
            let new = redacted(message.clone(), descriptor, &Secrets::default());
            assert_eq!(new, message, "{message:?}");
        }
    }
}

#[test]
fn redaction_of_random_bytes_is_idempotent() {
    let descriptor = message_type();
    let mut seed = 7_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as u8
    };
    for _ in 0..3000 {
        let size = usize::from(next() % 60);
        let mut noise: Vec<u8> = (0..size).map(|_| next()).collect();
        if size > 4 {
            noise[0] = 0x0a;
            noise[1] = next() % 40;
        }
        redacted(noise.clone(), None, &Secrets::default());
        redacted(noise, Some(&descriptor), &Secrets::default());
    }
}
