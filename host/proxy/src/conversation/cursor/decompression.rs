//! Decompresses large messages of the client on a thread that serves no connection.

use std::io;

use bytes::BytesMut;

use super::ConversationCursor;
use ouli_codec::websocket::{Decoder, ReceivedMessage, Violation};

impl ConversationCursor {
    /// The next message in the input, if it is complete. Where the decoder pauses it goes on on
    /// another thread.
    pub(in crate::conversation) async fn decode(
        &self,
        (input, decoder): (&mut BytesMut, &mut Decoder),
    ) -> io::Result<Option<Result<ReceivedMessage, Violation>>> {
        let decoded = decoder.decode(input).transpose();
        if decoded.is_some() || !decoder.is_paused() {
            return Ok(decoded);
        }
        let (mut rest, mut taken) = (std::mem::take(input), decoder.take());
        let decode = move || loop {
            let decoded = taken.decode(&mut rest).transpose();
            if decoded.is_some() || !taken.is_paused() {
                return (rest, taken, decoded);
            }
        };
        let workers = &self.context.handler.shared.body_workers;
        let worked = workers.run(decode).await;
        let worked = worked.map_err(|error| io::Error::other(error.to_string()))?;
        let decoded;
        (*input, *decoder, decoded) = worked;
        Ok(decoded)
    }
}
