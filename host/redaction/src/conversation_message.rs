//! A message of a WebSocket or of gRPC, with the request that opened the conversation.

use std::sync::Arc;

use bytes::Bytes;

use crate::pass::{Outcome, Redaction};
use crate::stream_part::{StreamPart, StreamPartKind};
use ouli_codec::MessageView;
use ouli_codec::grpc::{MessageType, Schema};
use ouli_message::stream::{Protocol, Side};

/// A message of a conversation.
#[derive(Clone, Copy)]
pub struct ConversationMessage<'a> {
    /// The request that opened the conversation, as plugins see it.
    pub request: &'a Arc<dyn MessageView>,
    /// The protocol of the conversation.
    pub protocol: Protocol,
    /// Who sent the message.
    pub side: Side,
    /// True for a binary message of a WebSocket, which no text message equals.
    pub is_binary: bool,
    /// The payload, decompressed.
    pub bytes: &'a Bytes,
}

impl ConversationMessage<'_> {
    /// The type of the message, if the schema knows it.
    pub(crate) fn message_type(self, schema: &Schema) -> Option<MessageType> {
        message_type(schema, self.protocol, self.request.path(), self.side)
    }

    /// The message with this payload, as plugins see it.
    pub(crate) fn to_part(self, bytes: Bytes, message_type: Option<&MessageType>) -> StreamPart {
        let json = message_type.and_then(|message_type| message_type.to_json(&bytes));
        let request = Arc::clone(self.request);
        let part = StreamPart::new(request, StreamPartKind::Message, self.side, bytes);
        part.with_json(json).with_type(self.is_binary)
    }
}

/// The type of the messages that a side sends, if the schema knows it.
pub(crate) fn message_type(
    schema: &Schema,
    protocol: Protocol,
    path: &str,
    side: Side,
) -> Option<MessageType> {
    match protocol {
        Protocol::Grpc => schema.message_type(path, side),
        Protocol::WebSocket => None,
    }
}

impl Redaction<'_> {
    /// Takes the secrets out of a text message of a WebSocket, which a server may have sent without
    /// being UTF-8.
    pub(crate) fn redact_text_message(&self, bytes: &Bytes) -> Outcome<Bytes> {
        self.redact_body(Some("text/plain"), bytes)
    }

    /// Takes the secrets out of the payload of one message of a conversation.
    pub(crate) fn redact_message(
        &self,
        protocol: Protocol,
        message_type: Option<&MessageType>,
        bytes: &Bytes,
    ) -> Outcome<Bytes> {
        match protocol {
            Protocol::WebSocket => self.redact_body(None, bytes),
            Protocol::Grpc => self.redact_protobuf(bytes, message_type),
        }
    }
}
