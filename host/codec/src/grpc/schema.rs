//! Protobuf descriptors of the messages of a call.

use prost_reflect::{DescriptorError, DescriptorPool, MessageDescriptor};

use super::json_view::{MappedMessage, MappingMode};
use ouli_message::stream::Side;

/// The services and messages of descriptor sets. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    pool: DescriptorPool,
}

/// The type of a message.
#[derive(Clone, Debug)]
pub struct MessageType(MessageDescriptor);

/// Why a descriptor set is invalid.
#[derive(Debug, thiserror::Error)]
#[error("the descriptor set is invalid")]
pub struct SchemaError(#[from] DescriptorError);

impl Schema {
    /// Adds an encoded `google.protobuf.FileDescriptorSet`. Files that are already known are
    /// skipped.
    ///
    /// # Errors If it is malformed or imports a file that it does not contain.
    pub fn add(&mut self, descriptor_set: &[u8]) -> Result<(), SchemaError> {
        Ok(self.pool.decode_file_descriptor_set(descriptor_set)?)
    }

    /// The type of the messages that a side sends in a call to a path, `/package.Service/Method`.
    pub fn message_type(&self, path: &str, side: Side) -> Option<MessageType> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        let service = self.pool.get_service_by_name(service)?;
        let method = service.methods().find(|found| found.name() == method)?;
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

    /// Maps a message to JSON (ProtoJSON), members in the order of their field numbers and map
    /// entries in the order of the wire. An `Any` of an unknown type is shown as its bytes. None if
    /// the bytes are not a message of this type, or are nested too deeply.
    pub fn to_json(&self, message: &[u8]) -> Option<String> {
        MappedMessage::of(&self.0, message, MappingMode::Display).map(MappedMessage::into_json)
    }

    /// Maps a message to JSON for search: every value on the wire is in it and can be replaced.
    /// None if the bytes are not a message.
    pub fn map_for_search(&self, message: &[u8]) -> Option<MappedMessage> {
        MappedMessage::of(&self.0, message, MappingMode::Search)
    }

    #[cfg(test)]
    pub(super) fn descriptor(&self) -> &MessageDescriptor {
        &self.0
    }
}
