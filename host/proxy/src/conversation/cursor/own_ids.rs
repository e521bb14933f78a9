//! Values that the client made up in its messages come back as its own.

use bytes::Bytes;

use super::{ConversationCursor, has_key};
use crate::handler::ExchangeError;
use ouli_message::Content;
use ouli_message::stream::{Message, Protocol, Side};

impl ConversationCursor {
    /// Keeps what the client calls otherwise than the recorded one did in the message in this
    /// place. Work on a large one leaves this thread.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub(super) async fn keep_own_ids(&mut self, live: &Bytes) -> Result<(), ExchangeError> {
        if self.parties.protocol != Protocol::WebSocket {
            return Ok(());
        }
        let payload = self.next_client_message().and_then(|it| it.kind.payload());
        let Some(Content::Inline(recorded)) = payload.map(|payload| payload.content.clone()) else {
            return Ok(());
        };
        self.own_ids.follow_run(&self.parties.session);
        let Some(values) = self.own_ids.message_values(live, &recorded) else {
            return Ok(());
        };
        let values = self.work(live.len() + recorded.len(), values).await?;
        self.own_ids.add_values(values);
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

    /// A message of the server with the values that the client made up. Only text has some.
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
            return Ok(self.own_ids.renamed(bytes));
        }
        let own_ids = self.own_ids.clone();
        let size = bytes.len();
        self.work(size, move || own_ids.renamed(bytes)).await
    }
}
