//! Notices an upstream that does not answer in TLS although its URL says so.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::InvalidMessage;
use tokio::io::{AsyncRead, ReadBuf};

use super::dial::Socket;
use super::error::BoxError;
use super::has_answered::HasAnswered;
use crate::delegate_writes::delegate_writes;

/// The upstream has never answered in TLS, and this is no TLS.
#[derive(Debug, thiserror::Error)]
#[error("no TLS")]
pub(super) struct NotTls(#[source] io::Error);

/// The types of TLS records (RFC 8446, section 5.1).
const RECORD_TYPES: std::ops::RangeInclusive<u8> = 20..=23;

/// A connection for TLS. Its first byte tells whether the upstream answers in TLS.
#[derive(Debug)]
pub(super) struct TlsStart {
    io: Box<dyn Socket>,
    has_answered: HasAnswered,
    is_checked: bool,
}

impl TlsStart {
    pub(super) fn new(io: Box<dyn Socket>, has_answered: HasAnswered) -> Self {
        Self {
            io,
            has_answered,
            is_checked: false,
        }
    }
}

/// The error of a handshake. Bytes that are no TLS have another cause if the upstream has answered
/// in TLS.
pub(super) fn handshake_error(error: io::Error, has_answered: &HasAnswered) -> BoxError {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
    let is_other = matches!(
        tls,
        Some(rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
        ))
    );
    if is_other && !has_answered.get() {
        NotTls(error).into()
    } else {
        error.into()
    }
}

impl AsyncRead for TlsStart {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_checked {
            return Pin::new(&mut self.io).poll_read(cx, target);
        }
        let before = target.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, target))?;
        if let Some(first) = target.filled().get(before) {
            self.is_checked = true;
            if RECORD_TYPES.contains(first) {
                self.has_answered.set();
            }
        }
        Poll::Ready(Ok(()))
    }
}

delegate_writes!(TlsStart);
