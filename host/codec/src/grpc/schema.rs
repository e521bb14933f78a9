//! What descriptors of protocol buffers tell of the messages of a call.

use prost_reflect::{DescriptorError, DescriptorPool, MessageDescriptor};

use super::json_view::{MappedMessage, MappingMode};
use ouli_message::stream::Side;

/// The services and messages of some descriptor sets. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    pool: DescriptorPool,
}

/// The type of a message.
#[derive(Clone, Debug)]
pub struct MessageType(MessageDescriptor);

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
    pub fn message_type(&self, path: &str, side: Side) -> Option<MessageType> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        let service = self.pool.get_service_by_name(service)?;
        let method = service.methods().find(|own| own.name() == method)?;
        Some(MessageType(match side {
            Side::Client => method.input(),
            Side::Server => method.output(),
        }))
    }
}

impl MessageType {
    /// The full name of the type.
    pub fn name(&self) -> &str {
        self.0.full_name()
    }

    /// The message as JSON (the JSON mapping of proto3), members in the order of their numbers.
    /// Where the type of an `Any` is unknown, its bytes are shown. None where it is no message of
    /// this type, or too deep.
    pub fn to_json(&self, message: &[u8]) -> Option<String> {
        MappedMessage::of(&self.0, message, MappingMode::Display).map(MappedMessage::into_json)
    }

    /// The message as JSON in which all that is on the wire can be searched and replaced. None
    /// where it is no message.
    pub fn map_for_search(&self, message: &[u8]) -> Option<MappedMessage> {
        MappedMessage::of(&self.0, message, MappingMode::Search)
    }

    #[cfg(test)]
    pub(super) fn descriptor(&self) -> &MessageDescriptor {
        &self.0
    }
}
