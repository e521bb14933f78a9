//! Encodes the messages of the server. A large one is compressed on a thread that serves no
//! connection.

use bytes::Bytes;

use super::cursor::ConversationCursor;
use crate::handler::ExchangeError;
use ouli_codec::websocket::{DeflateParams, Encoder};
use ouli_message::stream::Side;

/// The encoder of one WebSocket.
pub(super) struct MessageEncoder {
    encoder: Encoder,
}

impl MessageEncoder {
    pub(super) fn new(deflate: Option<DeflateParams>) -> Self {
        let encoder = Encoder::new(Side::Server, deflate);
        Self { encoder }
    }

    /// For control frames.
    pub(super) fn control(&self) -> &Encoder {
        &self.encoder
    }

    /// A message with the values that the client made up.
    ///
    /// # Errors
    /// If there is not enough memory for it. Only control frames can be sent then.
    pub(super) async fn message(
        &mut self,
        cursor: &ConversationCursor,
        (is_text, bytes): (bool, Bytes),
        compressed: bool,
    ) -> Result<Bytes, ExchangeError> {
        let bytes = cursor.with_own_ids(is_text, bytes).await?;
        if !compressed {
            return Ok(self.encoder.message(is_text, &bytes, false, None));
        }
        let control = Encoder::new(Side::Server, None);
        let mut encoder = std::mem::replace(&mut self.encoder, control);
        let encode = {
            let bytes = bytes.clone();
            move || {
                let frame = encoder.message(is_text, &bytes, true, None);
                (encoder, frame)
            }
        };
        let (encoder, frame) = cursor.work(bytes.len(), encode).await?;
        self.encoder = encoder;
        Ok(frame)
    }
}
