//! What descriptors of protocol buffers tell of the messages of a call.

use bytes::Bytes;
use prost_reflect::prost::Message as _;
use prost_reflect::{
    DescriptorError, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey,
    MessageDescriptor, ReflectMessage as _, SerializeOptions, Value,
};

use crate::exchange::stream::Side;

/// The services and messages of some descriptor sets. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    pool: DescriptorPool,
}

/// The type of a message.
#[derive(Clone, Debug)]
pub struct Shape(MessageDescriptor);

/// Why a descriptor set cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("it cannot be read")]
pub struct SchemaError(#[from] DescriptorError);

impl Schema {
    /// Adds an encoded `google.protobuf.FileDescriptorSet`. Files that are there already are passed
    /// over.
    ///
    /// # Errors
    /// Where it is none, or names a file that it does not hold.
    pub fn add(&mut self, descriptor_set: &[u8]) -> Result<(), SchemaError> {
        Ok(self.pool.decode_file_descriptor_set(descriptor_set)?)
    }

    /// The type of what a side sends in a call to this path, which is `/package.Service/Method`.
    pub fn shape(&self, path: &str, side: Side) -> Option<Shape> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        let service = self.pool.get_service_by_name(service)?;
        let method = service.methods().find(|own| own.name() == method)?;
        Some(Shape(match side {
            Side::Client => method.input(),
            Side::Server => method.output(),
        }))
    }
}

impl Shape {
    /// The full name of the type.
    pub fn name(&self) -> &str {
        self.0.full_name()
    }

    /// The message as JSON (the JSON mapping of proto3). None where it is no message of this type.
    pub fn to_json(&self, message: &[u8]) -> Option<String> {
        let message = DynamicMessage::decode(self.0.clone(), message).ok()?;
        let options = SerializeOptions::new();
        let mut out = serde_json::Serializer::new(Vec::new());
        message.serialize_with_options(&mut out, &options).ok()?;
        String::from_utf8(out.into_inner()).ok()
    }

    /// The message with other texts at some places of its JSON, each the names and indices that
    /// lead to it. Fields that the descriptor does not know stay. Numbers and the like, which
    /// cannot hold a text, get their default.
    ///
    /// None where it is no message of this type.
    pub fn rewrite(&self, message: &[u8], changes: &[(Vec<String>, String)]) -> Option<Bytes> {
        let mut decoded = DynamicMessage::decode(self.0.clone(), message).ok()?;
        for (steps, text) in changes {
            let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
            set(&mut decoded, &steps, text);
        }
        Some(decoded.encode_to_vec().into())
    }
}

/// Sets a text in a message. A place that is not there is left alone.
fn set(message: &mut DynamicMessage, steps: &[&str], text: &str) {
    let Some((name, rest)) = steps.split_first() else {
        return;
    };
    let Some(field) = message.descriptor().get_field_by_json_name(name) else {
        return;
    };
    let value = message.get_field_mut(&field);
    set_value(value, &field, rest, text);
}

fn set_value(value: &mut Value, field: &FieldDescriptor, steps: &[&str], text: &str) {
    match (value, steps) {
        (Value::Message(message), steps) if !steps.is_empty() => set(message, steps, text),
        (Value::List(items), [index, rest @ ..]) => {
            let item = index.parse::<usize>().ok().and_then(|at| items.get_mut(at));
            if let Some(item) = item {
                set_value(item, field, rest, text);
            }
        }
        (Value::Map(entries), [key, rest @ ..]) => {
            let entry = entries.iter_mut().find(|(own, _)| shown(own) == *key);
            if let (Some((_, item)), Kind::Message(entry)) = (entry, field.kind()) {
                set_value(item, &entry.map_entry_value_field(), rest, text);
            }
        }
        (Value::String(own), []) => text.clone_into(own),
        (Value::Bytes(own), []) => *own = Bytes::copy_from_slice(text.as_bytes()),
        (other, []) => *other = default(field),
        (_, _) => {}
    }
}

fn default(field: &FieldDescriptor) -> Value {
    Value::default_value(&field.kind())
}

/// A key as it stands in JSON.
fn shown(key: &MapKey) -> String {
    match key {
        MapKey::Bool(value) => value.to_string(),
        MapKey::I32(value) => value.to_string(),
        MapKey::I64(value) => value.to_string(),
        MapKey::U32(value) => value.to_string(),
        MapKey::U64(value) => value.to_string(),
        MapKey::String(value) => value.clone(),
    }
}
