//! Reads what a client sends without a buffer of its own while nothing comes.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use bytes::BytesMut;
use tokio::io::{AsyncRead, ReadBuf};

use crate::exchange::websocket::{Decoder, Heard};

/// Bytes that are read at once, into a buffer that all conversations of a thread share.
const SCRATCH: usize = 16 << 10;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// Adds what has come to `input`; waits where nothing has. Nothing is lost where the wait is given
/// up. False at the end.
pub(super) async fn read(
    from: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
) -> io::Result<bool> {
    poll_fn(|cx| {
        BUFFER.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            let polled = Pin::new(&mut *from).poll_read(cx, &mut read);
            polled.map_ok(|()| {
                input.extend_from_slice(read.filled());
                !read.filled().is_empty()
            })
        })
    })
    .await
}

/// Waits until the other side has ended, and forgets what comes before.
pub(super) async fn drain(from: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    poll_fn(|cx| {
        BUFFER.with_borrow_mut(|buffer| {
            loop {
                let mut read = ReadBuf::new(buffer);
                match Pin::new(&mut *from).poll_read(cx, &mut read) {
                    Poll::Ready(Ok(())) if !read.filled().is_empty() => {}
                    Poll::Ready(result) => return Poll::Ready(result),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
    })
    .await
}

/// True once the client's close frame is here; false where it left or broke the protocol.
pub(super) async fn drain_until_close(
    io: &mut (impl AsyncRead + Unpin),
    mut input: BytesMut,
    mut decoder: Decoder,
) -> bool {
    loop {
        match decoder.decode(&mut input) {
            Ok(Some(Heard::Close { .. })) => return true,
            Ok(Some(_)) => {}
            Ok(None) => match read(io, &mut input).await {
                Ok(true) => {}
                Ok(false) | Err(_) => return false,
            },
            Err(_) => return false,
        }
    }
}
