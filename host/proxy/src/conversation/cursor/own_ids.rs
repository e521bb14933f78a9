//! Values that the client made up in its messages come back as its own.

use bytes::Bytes;

use super::{ConversationCursor, has_key};
use crate::conversation::client_message::Parties;
use crate::handler::ExchangeError;
use crate::replay::OwnIds;
use ouli_message::stream::{Message, Protocol, Side};

impl ConversationCursor {
    /// Keeps what the client calls otherwise than the recorded one did in the message in this
    /// place. Work on a large one leaves this thread.
    ///
    /// # Errors
    /// If the recorded message cannot be read, or there is not enough memory.
    pub(super) async fn keep_own_ids(&mut self, live: &Bytes) -> Result<(), ExchangeError> {
        if self.parties.protocol != Protocol::WebSocket {
            return Ok(());
        }
        let message = self.next_client_message();
        let payload = message.and_then(|message| message.kind.payload()).cloned();
        let Some(payload) = payload.filter(|_| self.own_ids.may_have_any(live)) else {
            return Ok(());
        };
        let recorded = self.payload_bytes(&payload).await;
        let recorded = recorded.map_err(|error| ExchangeError::StoredBody(error.to_string()))?;
        self.own_ids.follow_run(&self.parties.session);
        let (mut own_ids, live) = (std::mem::take(&mut self.own_ids), live.clone());
        let size = live.len() + recorded.len();
        self.own_ids = self
            .work(size, move || {
                own_ids.add_message(&live, &recorded);
                own_ids
            })
            .await?;
        Ok(())
    }

    /// The recorded message in the place of the next one of the client. The search goes on where
    /// the last one ended.
    fn next_client_message(&mut self) -> Option<&Message> {
        let number = self.received.len();
        let (mut end, mut count) = self.looked_for;
        let rest = self.messages().get(end..).unwrap_or_default();
        for message in rest {
            end += 1;
            count += usize::from(message.side == Side::Client && has_key(&message.kind));
            if count > number {
                break;
            }
        }
        self.looked_for = (end, count);
        (count == number + 1).then(|| self.messages().get(end - 1))?
    }

    /// What the client calls otherwise than the recorded one in the heads of their requests.
    pub(in crate::conversation) fn own_ids_of_heads(&self) -> OwnIds {
        let Parties {
            snapshot,
            session,
            lookup,
            ..
        } = &self.parties;
        match self.entry() {
            Some(entry) => OwnIds::of_heads(&snapshot.plugins, session, (lookup, entry)),
            None => OwnIds::of_run(&snapshot.plugins, session),
        }
    }

    /// A message of the server with the values that the client made up. Only text has some. Work
    /// on a large one leaves this thread.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub(in crate::conversation) async fn with_own_ids(
        &self,
        is_text: bool,
        bytes: Bytes,
    ) -> Result<Bytes, ExchangeError> {
        if !is_text || self.own_ids.is_empty() {
            return Ok(bytes);
        }
        if bytes.len() < self.context.snapshot.config.limits.offload_size {
            return Ok(renamed(&self.own_ids, bytes));
        }
        let own_ids = self.own_ids.clone();
        self.work(bytes.len(), move || renamed(&own_ids, bytes))
            .await
    }
}

fn renamed(own_ids: &OwnIds, bytes: Bytes) -> Bytes {
    let edits = own_ids.edits(None, &bytes);
    match edits.is_empty() {
        true => bytes,
        false => edits.apply(&bytes).into(),
    }
}
