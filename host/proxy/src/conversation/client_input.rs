//! Reads what a client sends without a buffer of its own while nothing comes.

use std::future::poll_fn;
use std::io;
use std::task::{Poll, ready};

use bytes::BytesMut;
use tokio::io::AsyncRead;

use crate::session::MemoryReservation;
use ouli_codec::websocket::{Decoder, ReceivedMessage};
use ouli_net::shared_buffer;

/// Adds what has come to `input`; waits where nothing has. Nothing is lost where the wait is given
/// up. False at the end.
pub(super) async fn read(
    from: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
) -> io::Result<bool> {
    poll_fn(|cx| {
        shared_buffer::poll_read(from, cx, |_, bytes| {
            input.extend_from_slice(bytes);
            !bytes.is_empty()
        })
    })
    .await
}

/// Waits until the other side has ended, and forgets what comes before.
pub(super) async fn drain(from: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    poll_fn(|cx| {
        loop {
            if ready!(shared_buffer::poll_read(from, cx, |_, bytes| bytes.is_empty()))? {
                return Poll::Ready(Ok(()));
            }
        }
    })
    .await
}

/// True once the client's close frame is here; false where it left or broke the protocol, or there
/// is no memory for what it says.
pub(super) async fn drain_until_close(
    io: &mut (impl AsyncRead + Unpin),
    (mut input, mut decoder): (BytesMut, Decoder),
    mut hold: MemoryReservation,
) -> bool {
    loop {
        let decoded = decoder.decode(&mut input);
        hold.resize(input.len() + decoder.buffered());
        match decoded {
            Ok(Some(ReceivedMessage::Close { .. })) => return true,
            Ok(Some(_)) => {}
            Ok(None) if hold.budget().above_soft_limit() && !hold.is_empty() => return false,
            Ok(None) => match read(io, &mut input).await {
                Ok(true) => {}
                Ok(false) | Err(_) => return false,
            },
            Err(_) => return false,
        }
    }
}
