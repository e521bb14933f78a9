//! Messages of conversations as matchers see them.

use std::sync::Arc;

use bytes::Bytes;

use super::PluginFailure;
use super::redaction::{Redactors, ask, wrong};
use crate::exchange::part::{Part, PartKind};
use crate::exchange::redaction::{self, Purpose, Redaction, Secrets};
use crate::exchange::stream::{Protocol, Side};
use crate::exchange::{Message, grpc};

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
    /// The type of a message of gRPC, where a descriptor tells it.
    pub(super) fn shape(&self, schema: &grpc::Schema) -> Option<grpc::Shape> {
        match self.protocol {
            Protocol::Grpc => schema.shape(self.request.path(), self.side),
            Protocol::WebSocket => None,
        }
    }

    /// The message with this content, as plugins see it.
    pub(super) fn part(&self, bytes: Bytes, shape: Option<&grpc::Shape>) -> Part {
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
    pub(super) fn said(
        &self,
        said: Said<'_>,
        secrets: &Arc<Secrets>,
    ) -> Result<Arc<dyn Message>, PluginFailure> {
        let rules = self.rules(said.request.path());
        let redaction = Redaction::new(&rules, secrets, Purpose::Key);
        let shape = said.shape(self.schema());
        let mut bytes = self.rid(&redaction, said, shape.as_ref());
        for plugin in self.asked(said.request.path()) {
            let part = said.part(bytes.clone(), shape.as_ref());
            let wanted = ask(plugin, Arc::new(part), secrets)?;
            if wanted.edits.is_empty() {
                continue;
            }
            bytes = redaction::edit_part(&bytes, wanted.edits, 0)
                .map_err(|error| wrong(plugin, &error))?
                .bytes;
            let again = Said {
                bytes: &bytes.clone(),
                ..said
            };
            bytes = self.rid(&redaction, again, shape.as_ref());
        }
        Ok(Arc::new(said.part(bytes, shape.as_ref())))
    }

    /// A message without what the declared rules take out.
    fn rid(&self, redaction: &Redaction<'_>, said: Said<'_>, shape: Option<&grpc::Shape>) -> Bytes {
        match said.protocol {
            Protocol::WebSocket => redaction.body(None, said.bytes).value,
            Protocol::Grpc => redaction.protobuf(said.bytes, shape).value,
        }
    }
}
