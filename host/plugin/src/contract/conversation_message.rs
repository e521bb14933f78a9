//! Messages of conversations as matchers see them.

use std::sync::Arc;

use bytes::Bytes;

use crate::PluginFailure;
use crate::contract::stream_part::{Part, PartKind};
use crate::redaction::{Redactors, ask, shared, wrong};
use ouli_codec::{Message, grpc};
use ouli_message::stream::{Protocol, Side};
use ouli_redaction::{Outcome, Purpose, Redaction, Secrets};

/// A message of a conversation.
#[derive(Clone, Copy)]
pub struct Said<'a> {
    /// The request that began the conversation, as matchers see it.
    pub request: &'a Arc<dyn Message>,
    /// What the sides speak.
    pub protocol: Protocol,
    /// Who sent it.
    pub side: Side,
    /// Its content, without compression.
    pub bytes: &'a Bytes,
}

impl Said<'_> {
    /// The message with this content, as plugins see it.
    pub(crate) fn part(&self, bytes: Bytes, shape: Option<&grpc::Shape>) -> Part {
        let shown = shape.and_then(|shape| shape.to_json(&bytes));
        Part::new(
            Arc::clone(self.request),
            PartKind::Message,
            self.side,
            bytes,
        )
        .shown_as(shown)
    }
}

impl Redactors {
    /// The type of what a side says, where a descriptor tells it.
    pub(crate) fn shape(&self, protocol: Protocol, path: &str, side: Side) -> Option<grpc::Shape> {
        match protocol {
            Protocol::Grpc => self.schema().shape(path, side),
            Protocol::WebSocket => None,
        }
    }

    pub(crate) fn said(
        &self,
        said: Said<'_>,
        secrets: &Arc<Secrets>,
    ) -> Result<Arc<dyn Message>, PluginFailure> {
        let rules = self.rules(said.request.path());
        let redaction = Redaction::new(&rules, secrets, Purpose::Key);
        let shape = self.shape(said.protocol, said.request.path(), said.side);
        let rid = |bytes: &Bytes| rid(&redaction, said.protocol, shape.as_ref(), bytes).value;
        let mut bytes = rid(said.bytes);
        for plugin in self.asked(said.request.path()) {
            let part = said.part(bytes.clone(), shape.as_ref());
            let wanted = ask(plugin, &shared(part), secrets)?;
            if wanted.edits.is_empty() {
                continue;
            }
            let edited = ouli_redaction::edit_part(&bytes, wanted.edits, 0);
            bytes = rid(&edited.map_err(|error| wrong(plugin, &error))?.bytes);
        }
        Ok(Arc::new(said.part(bytes, shape.as_ref())))
    }
}

/// A message without what the declared rules take out.
pub(crate) fn rid(
    redaction: &Redaction<'_>,
    protocol: Protocol,
    shape: Option<&grpc::Shape>,
    bytes: &Bytes,
) -> Outcome<Bytes> {
    match protocol {
        Protocol::WebSocket => redaction.body(None, bytes),
        Protocol::Grpc => redaction.protobuf(bytes, shape),
    }
}
