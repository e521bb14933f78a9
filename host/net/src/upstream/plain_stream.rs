//! Notices an upstream that speaks another protocol than its URL says: TLS, or the other version of
//! HTTP. Its first bytes tell it, or that there are none.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::dial::Socket;
use super::has_answered::HasAnswered;

/// What an upstream does that speaks another protocol. The texts are complete: h2 passes on no more
/// of an error.
#[derive(Debug, thiserror::Error)]
enum OtherProtocol {
    #[error("it answers with a TLS alert: write `https://` in `upstream`")]
    Tls,
    #[error("it answers in HTTP/2: write `h2c://` in `upstream`")]
    Http2,
    #[error("it does not answer in HTTP/2; if it speaks HTTP/1.1, write `http://` in `upstream`")]
    NotHttp2,
    #[error("it does not answer in HTTP: check host and port in `upstream`")]
    NotHttp1,
    /// As Node does when it expects TLS.
    #[error(
        "connection closed before message completed, without any answer; if it speaks TLS, write \
         `https://` in `upstream`"
    )]
    Closed,
    /// As OpenSSL does when it expects TLS and closes with unread data.
    #[error("connection reset before any answer; if it speaks TLS, write `https://` in `upstream`")]
    Reset,
}

/// How a TLS alert begins: the type of the record, and the major version (RFC 8446, section 5.1).
const ALERT: [u8; 2] = [21, 3];

/// The types of an HTTP/2 frame (RFC 9113, section 6).
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const LAST_FRAME_TYPE: u8 = 9;

/// A connection without TLS. Its first bytes are checked, or that there are none.
#[derive(Debug)]
pub(super) struct PlainStream {
    io: Box<dyn Socket>,
    is_http2: bool,
    has_answered: HasAnswered,
    is_checked: bool,
    /// The error of the last write.
    write_error: Option<io::ErrorKind>,
}

impl PlainStream {
    pub(super) fn new(io: Box<dyn Socket>, is_http2: bool, has_answered: HasAnswered) -> Self {
        Self {
            io,
            is_http2,
            has_answered,
            is_checked: false,
            write_error: None,
        }
    }

    /// Checks the result of the first read.
    fn check(&self, read: io::Result<&[u8]>) -> io::Result<()> {
        if self.has_answered.get() {
            return read.map(drop);
        }
        match read {
            // The error of the write tells more than the end that follows.
            Ok([]) => match self.write_error {
                Some(kind) if is_reset(kind) => Err(io::Error::new(kind, OtherProtocol::Reset)),
                _ => Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    OtherProtocol::Closed,
                )),
            },
            Ok(bytes) => match other_protocol(bytes, self.is_http2) {
                Some(other) => Err(io::Error::new(io::ErrorKind::InvalidData, other)),
                None => {
                    self.has_answered.set();
                    Ok(())
                }
            },
            Err(error) if is_reset(error.kind()) => {
                Err(io::Error::new(error.kind(), OtherProtocol::Reset))
            }
            Err(error) => Err(error),
        }
    }
}

fn is_reset(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted
    )
}

/// Which other protocol begins with these bytes.
fn other_protocol(bytes: &[u8], is_http2: bool) -> Option<OtherProtocol> {
    if bytes.starts_with(&ALERT) {
        return Some(OtherProtocol::Tls);
    }
    // A frame begins with three bytes of its length.
    let frame_type = bytes.get(3).copied();
    if is_http2 {
        let is_frame = frame_type.is_none_or(|frame_type| frame_type <= LAST_FRAME_TYPE);
        return (!is_frame).then_some(OtherProtocol::NotHttp2);
    }
    if bytes[0] == 0 && matches!(frame_type, Some(SETTINGS | GOAWAY)) {
        return Some(OtherProtocol::Http2);
    }
    // The line ends before a response are those that the parser skips.
    let first = bytes.iter().position(|byte| !b"\r\n".contains(byte))?;
    let is_response = bytes[first..].iter().zip(b"HTTP/").all(|(a, b)| a == b);
    (!is_response).then_some(OtherProtocol::NotHttp1)
}

impl AsyncRead for PlainStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_checked || target.remaining() == 0 {
            return Pin::new(&mut self.io).poll_read(cx, target);
        }
        let before = target.filled().len();
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, target));
        let checked = self.check(read.map(|()| &target.filled()[before..]));
        self.is_checked = checked.is_ok();
        Poll::Ready(checked)
    }
}

impl AsyncWrite for PlainStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, bytes));
        self.write_error = written.as_ref().err().map(io::Error::kind);
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, buffers));
        self.write_error = written.as_ref().err().map(io::Error::kind);
        Poll::Ready(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_protocol() {
        for (bytes, is_http2, expected) in [
            (&b"HTTP/1.1 200 OK"[..], false, ""),
            (b"\r\nHTTP/1.0 200", false, ""),
            (b"H", false, ""),
            (b"SSH-2.0", false, "check host and port"),
            (b"\0\0\0\x04\0\0\0\0\0", false, "`h2c://`"),
            (b"\0\0\x08\x07\0\0\0\0\0", false, "`h2c://`"),
            (b"\x15\x03\x03\0\x02\x02\x32", false, "`https://`"),
            (b"\x15\x03\x03\0\x02\x02\x32", true, "`https://`"),
            (b"\0\0\x12\x04\0\0\0\0\0", true, ""),
            (b"HTTP/1.1 400 Bad Request", true, "`http://`"),
            (b"<html>", true, "`http://`"),
        ] {
            let told =
                other_protocol(bytes, is_http2).map_or_else(String::new, |it| it.to_string());
            assert_eq!(told.is_empty(), expected.is_empty(), "{bytes:?}: {told}");
            assert!(told.contains(expected), "{bytes:?}: {told}");
        }
    }
}
