//! Values that the client made up in its messages come back as its own.

use bytes::Bytes;

use super::{ConversationCursor, has_key};
use ouli_message::Content;
use ouli_message::stream::{Protocol, Side};

impl ConversationCursor {
    /// Keeps what the client calls otherwise than the recorded one did in the message in this
    /// place.
    pub(super) fn keep_own_ids(&mut self, live: &Bytes) {
        if self.parties.protocol != Protocol::WebSocket {
            return;
        }
        // Those before the position were received before.
        let rest = self.messages().get(self.position..).unwrap_or_default();
        let mut sent = rest
            .iter()
            .filter(|it| it.side == Side::Client && has_key(&it.kind));
        let message = sent.nth(self.received.len() - self.client_messages_passed);
        let payload = message.and_then(|message| message.kind.payload());
        if let Some(Content::Inline(recorded)) = payload.map(|payload| payload.content.clone()) {
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
