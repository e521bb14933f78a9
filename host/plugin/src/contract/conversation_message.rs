//! Messages of conversations as matchers see them.

use std::sync::Arc;

use bytes::Bytes;

use crate::PluginFailure;
use crate::contract::stream_part::{StreamPart, StreamPartKind};
use crate::redaction::{Redactors, call_redactor, into_shared, wrong};
use ouli_codec::{MessageView, grpc};
use ouli_message::stream::{Protocol, Side};
use ouli_redaction::{Outcome, Purpose, Redaction, Secrets};

/// A message of a conversation.
#[derive(Clone, Copy)]
pub struct ConversationMessage<'a> {
    /// The request that began the conversation, as matchers see it.
    pub request: &'a Arc<dyn MessageView>,
    /// What the sides speak.
    pub protocol: Protocol,
    /// Who sent it.
    pub side: Side,
    /// Its content, without compression.
    pub bytes: &'a Bytes,
}

impl ConversationMessage<'_> {
    /// The message with this content, as plugins see it.
    pub(crate) fn to_part(&self, bytes: Bytes, shape: Option<&grpc::MessageType>) -> StreamPart {
        let shown = shape.and_then(|shape| shape.to_json(&bytes));
        StreamPart::new(
            Arc::clone(self.request),
            StreamPartKind::Message,
            self.side,
            bytes,
        )
        .with_json(shown)
    }
}

impl Redactors {
    /// The type of what a side says, where a descriptor tells it.
    pub(crate) fn message_type(
        &self,
        protocol: Protocol,
        path: &str,
        side: Side,
    ) -> Option<grpc::MessageType> {
        match protocol {
            Protocol::Grpc => self.schema().message_type(path, side),
            Protocol::WebSocket => None,
        }
    }

    pub(crate) fn message_view(
        &self,
        said: ConversationMessage<'_>,
        secrets: &Arc<Secrets>,
    ) -> Result<Arc<dyn MessageView>, PluginFailure> {
        let rules = self.rules(said.request.path());
        let redaction = Redaction::new(&rules, secrets, Purpose::Key);
        let shape = self.message_type(said.protocol, said.request.path(), said.side);
        let rid =
            |bytes: &Bytes| redact_message(&redaction, said.protocol, shape.as_ref(), bytes).value;
        let mut bytes = rid(said.bytes);
        for plugin in self.called_redactors(said.request.path()) {
            let part = said.to_part(bytes.clone(), shape.as_ref());
            let wanted = call_redactor(plugin, &into_shared(part), secrets)?;
            if wanted.edits.is_empty() {
                continue;
            }
            let edited = ouli_redaction::edit_part(&bytes, wanted.edits, 0);
            bytes = rid(&edited.map_err(|error| wrong(plugin, &error))?.bytes);
        }
        Ok(Arc::new(said.to_part(bytes, shape.as_ref())))
    }
}

/// A message without what the declared rules take out.
pub(crate) fn redact_message(
    redaction: &Redaction<'_>,
    protocol: Protocol,
    shape: Option<&grpc::MessageType>,
    bytes: &Bytes,
) -> Outcome<Bytes> {
    match protocol {
        Protocol::WebSocket => redaction.redact_body(None, bytes),
        Protocol::Grpc => redaction.redact_protobuf(bytes, shape),
    }
}
