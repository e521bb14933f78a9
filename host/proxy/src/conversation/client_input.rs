//! Reads the input of a client; an idle connection holds no buffer.

use std::future::poll_fn;
use std::io;
use std::task::{Poll, ready};

use bytes::BytesMut;
use tokio::io::AsyncRead;

use crate::session::MemoryReservation;
use ouli_codec::websocket::{Decoder, ReceivedMessage};
use ouli_net::shared_buffer;

/// Appends received bytes to `input`; waits if there are none. Cancel safe. False at the end of the
/// input.
pub(super) async fn read(
    reader: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
) -> io::Result<bool> {
    poll_fn(|cx| {
        shared_buffer::poll_read(reader, cx, |_, bytes| {
            input.extend_from_slice(bytes);
            !bytes.is_empty()
        })
    })
    .await
}

/// Reads and discards input until its end.
pub(super) async fn drain(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    poll_fn(|cx| {
        loop {
            if ready!(shared_buffer::poll_read(reader, cx, |_, bytes| bytes.is_empty()))? {
                return Poll::Ready(Ok(()));
            }
        }
    })
    .await
}

/// Reads until the client's close frame. False if the client disconnects, violates the protocol, or
/// the memory limit is reached.
pub(super) async fn drain_until_close(
    io: &mut (impl AsyncRead + Unpin),
    (mut input, mut decoder): (BytesMut, Decoder),
    mut reservation: MemoryReservation,
) -> bool {
    loop {
        let decoded = decoder.decode(&mut input);
        reservation.resize(input.len() + decoder.buffered());
        match decoded {
            Ok(Some(ReceivedMessage::Close { .. })) => return true,
            Ok(Some(_)) => {}
            Ok(None) if decoder.is_paused() => tokio::task::yield_now().await,
            Ok(None) if reservation.budget().above_soft_limit() && !reservation.is_empty() => {
                return false;
            }
            Ok(None) => match read(io, &mut input).await {
                Ok(true) => {}
                Ok(false) | Err(_) => return false,
            },
            Err(_) => return false,
        }
    }
}
