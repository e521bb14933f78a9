//! A schema for tests, built without a protobuf compiler, and messages for it.

use prost_reflect::DescriptorPool;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FieldOptions, FileDescriptorProto, FileDescriptorSet, MessageOptions, MethodDescriptorProto,
    OneofDescriptorProto, ServiceDescriptorProto,
};

use super::wire::{put_varint, with_length};
use super::{MessageType, Schema};
use ouli_message::stream::Side;

/// Field number of `user`.
pub const USER: u64 = 1;
/// Field number of `password`.
pub const PASSWORD: u64 = 2;
/// Field number of `raw`.
pub const RAW: u64 = 3;
/// Field number of `pin`.
pub const PIN: u64 = 4;
/// Field number of `inner`.
pub const INNER: u64 = 20;
/// Field number of `children`.
pub const CHILDREN: u64 = 21;
/// Field number of `names`.
pub const NAMES: u64 = 22;
/// Field number of `packed`.
pub const PACKED: u64 = 24;
/// Field number of `tags`.
pub const TAGS: u64 = 26;
/// Field number of `nodes`.
pub const NODES: u64 = 27;
/// Field number of `card`.
pub const CARD: u64 = 29;
/// Field number of `either`.
pub const EITHER: u64 = 30;
/// Field number of `maybe`.
pub const MAYBE: u64 = 33;
/// Field number of `any`.
pub const ANY: u64 = 40;
/// Field number of `struct`.
pub const STRUCT: u64 = 41;
/// Field number of `value`.
pub const VALUE: u64 = 42;
/// Field number of `timestamp`.
pub const TIMESTAMP: u64 = 43;
/// Field number of `wrapped`.
pub const WRAPPED: u64 = 46;

fn field(name: &str, number: u64, kind: Type) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number as i32),
        r#type: Some(kind as i32),
        label: Some(Label::Optional as i32),
        ..FieldDescriptorProto::default()
    }
}

fn message_field(name: &str, number: u64, type_name: &str) -> FieldDescriptorProto {
    FieldDescriptorProto {
        type_name: Some(type_name.to_owned()),
        ..field(name, number, Type::Message)
    }
}

fn repeated(mut field: FieldDescriptorProto) -> FieldDescriptorProto {
    field.label = Some(Label::Repeated as i32);
    field
}

fn in_oneof(mut field: FieldDescriptorProto, at: i32) -> FieldDescriptorProto {
    field.oneof_index = Some(at);
    field
}

fn unpacked(mut field: FieldDescriptorProto) -> FieldDescriptorProto {
    field.options = Some(FieldOptions {
        packed: Some(false),
        ..FieldOptions::default()
    });
    repeated(field)
}

fn entry(name: &str, key: Type, value: FieldDescriptorProto) -> DescriptorProto {
    DescriptorProto {
        name: Some(name.to_owned()),
        field: vec![field("key", 1, key), value],
        options: Some(MessageOptions {
            map_entry: Some(true),
            ..MessageOptions::default()
        }),
        ..DescriptorProto::default()
    }
}

fn numbers() -> Vec<FieldDescriptorProto> {
    let kinds = [
        Type::Int64,
        Type::Uint32,
        Type::Uint64,
        Type::Sint32,
        Type::Sint64,
        Type::Fixed32,
        Type::Fixed64,
        Type::Sfixed32,
        Type::Sfixed64,
        Type::Float,
        Type::Double,
        Type::Bool,
    ];
    let names = 5..;
    kinds
        .into_iter()
        .zip(names)
        .map(|(kind, number)| field(&format!("number_{number}"), number, kind))
        .collect()
}

fn all() -> DescriptorProto {
    let mut fields = vec![
        field("user", USER, Type::String),
        field("password", PASSWORD, Type::String),
        field("raw_bytes", RAW, Type::Bytes),
        field("pin", PIN, Type::Int32),
        message_field("inner", INNER, ".test.All"),
        repeated(message_field("children", CHILDREN, ".test.All")),
        repeated(field("names", NAMES, Type::String)),
        repeated(field("doubles", 23, Type::Double)),
        repeated(field("packed", PACKED, Type::Sint32)),
        unpacked(field("unpacked", 25, Type::Uint32)),
        repeated(message_field("tags", TAGS, ".test.All.TagsEntry")),
        repeated(message_field("nodes", NODES, ".test.All.NodesEntry")),
        field("card", CARD, Type::Int64),
        in_oneof(field("either", EITHER, Type::String), 0),
        in_oneof(field("or_number", 31, Type::Int32), 0),
        in_oneof(message_field("or_message", 32, ".test.All"), 0),
        in_oneof(field("maybe", MAYBE, Type::Int32), 1),
        message_field("any", ANY, ".google.protobuf.Any"),
        message_field("struct", STRUCT, ".google.protobuf.Struct"),
        message_field("value", VALUE, ".google.protobuf.Value"),
        message_field("timestamp", TIMESTAMP, ".google.protobuf.Timestamp"),
        message_field("duration", 44, ".google.protobuf.Duration"),
        message_field("mask", 45, ".google.protobuf.FieldMask"),
        message_field("wrapped", WRAPPED, ".google.protobuf.StringValue"),
        message_field("wrapped_number", 47, ".google.protobuf.Int64Value"),
        message_field("empty", 48, ".google.protobuf.Empty"),
    ];
    fields[16].proto3_optional = Some(true);
    let mut kind = field("kind", 28, Type::Enum);
    kind.type_name = Some(".test.Kind".to_owned());
    fields.push(kind);
    fields.extend(numbers());
    let oneof = |name: &str| OneofDescriptorProto {
        name: Some(name.to_owned()),
        ..OneofDescriptorProto::default()
    };
    DescriptorProto {
        name: Some("All".to_owned()),
        field: fields,
        nested_type: vec![
            entry("TagsEntry", Type::String, field("value", 2, Type::String)),
            entry(
                "NodesEntry",
                Type::Int32,
                message_field("value", 2, ".test.All"),
            ),
        ],
        oneof_decl: vec![oneof("choice"), oneof("_maybe")],
        ..DescriptorProto::default()
    }
}

/// A schema with the method `/test.Door/Enter`, whose input and output type is `test.All`.
pub fn schema() -> Schema {
    let value = |name: &str, number| EnumValueDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        ..EnumValueDescriptorProto::default()
    };
    let method = MethodDescriptorProto {
        name: Some("Enter".to_owned()),
        input_type: Some(".test.All".to_owned()),
        output_type: Some(".test.All".to_owned()),
        ..MethodDescriptorProto::default()
    };
    let known = [
        "any",
        "struct",
        "timestamp",
        "duration",
        "field_mask",
        "wrappers",
        "empty",
    ];
    let file = FileDescriptorProto {
        name: Some("test.proto".to_owned()),
        package: Some("test".to_owned()),
        dependency: known
            .map(|name| format!("google/protobuf/{name}.proto"))
            .into(),
        message_type: vec![all()],
        enum_type: vec![EnumDescriptorProto {
            name: Some("Kind".to_owned()),
            value: vec![value("KIND_UNKNOWN", 0), value("KIND_SOME", 1)],
            ..EnumDescriptorProto::default()
        }],
        service: vec![ServiceDescriptorProto {
            name: Some("Door".to_owned()),
            method: vec![method],
            ..ServiceDescriptorProto::default()
        }],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    let mut schema = Schema::default();
    schema
        .add(&DescriptorPool::global().encode_to_vec())
        .unwrap();
    let set = FileDescriptorSet { file: vec![file] };
    schema.add(&set.encode_to_vec()).unwrap();
    schema
}

/// The type `test.All`.
pub fn message_type() -> MessageType {
    schema()
        .message_type("/test.Door/Enter", Side::Client)
        .unwrap()
}

/// A length-delimited field.
pub fn put(number: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, number << 3 | 2);
    out.extend_from_slice(&with_length(content.as_ref()));
    out
}

/// A varint field.
pub fn put_number(number: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, number << 3);
    put_varint(&mut out, value);
    out
}

/// A deterministic random number generator.
pub struct Noise(pub u64);

impl Noise {
    /// A random number below a limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }
}
