//! Values that the client made up in its messages come back as its own.

use bytes::Bytes;

use super::{ConversationCursor, has_key};
use ouli_message::Content;
use ouli_message::stream::{Protocol, Side};

impl ConversationCursor {
    /// Keeps what the client calls otherwise than the recorded one did in the message in this
    /// place.
    pub(super) fn keep_own_ids(&mut self, live: &Bytes) {
        let messages = self.messages().iter();
        let mut sent = messages.filter(|it| it.side == Side::Client && has_key(&it.kind));
        let message = sent.nth(self.received_keys.len());
        let payload = message.and_then(|message| message.kind.payload());
        let recorded = payload.map(|payload| payload.content.clone());
        let is_websocket = self.parties.protocol == Protocol::WebSocket;
        if let Some(Content::Inline(recorded)) = recorded.filter(|_| is_websocket) {
            self.own_ids.follow_run(&self.parties.session);
            self.own_ids.add_message(live, &recorded);
        }
    }

    /// A message of the server with the values that the client made up. Only text has some.
    pub(in crate::conversation) fn with_own_ids(&self, is_text: bool, bytes: Bytes) -> Bytes {
        if !is_text || self.own_ids.is_empty() {
            return bytes;
        }
        let edits = self.own_ids.edits(None, &bytes);
        match edits.is_empty() {
            true => bytes,
            false => edits.apply(&bytes).into(),
        }
    }
}
