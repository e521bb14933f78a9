//! An HTTP/2 connection to an upstream, whose field blocks are checked before h2 reads them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

use super::dial::Socket;
use super::response_fields::{ResponseFields, is_headers};
use crate::delegate_writes::delegate_writes;
use crate::fair_share;
use crate::server::frames::{FRAME_HEADER_LEN, FrameHeader};

/// Bytes that are read at once after a part of a frame.
const READ_SIZE: usize = 4 << 10;

/// A connection on which a HEADERS frame is passed on once it is whole.
#[derive(Debug)]
pub(super) struct InspectedStream {
    io: Box<dyn Socket>,
    fields: ResponseFields,
    /// Bytes of the current frame that are passed on as they arrive.
    payload_left: usize,
    /// Checked bytes that did not fit into the buffer of h2.
    checked: BytesMut,
    /// The beginning of a frame.
    held: BytesMut,
    has_ended: bool,
}

impl InspectedStream {
    pub(super) fn new(io: Box<dyn Socket>) -> Self {
        Self {
            io,
            fields: ResponseFields::default(),
            payload_left: 0,
            checked: BytesMut::new(),
            held: BytesMut::new(),
            has_ended: false,
        }
    }

    /// The number of bytes that can be passed on as they are.
    fn check(&mut self, bytes: &[u8]) -> usize {
        let mut passed = 0;
        while let Some(rest) = bytes.get(passed..).filter(|rest| !rest.is_empty()) {
            if self.payload_left > 0 {
                let count = rest.len().min(self.payload_left);
                self.payload_left -= count;
                passed += count;
                continue;
            }
            let Some(header) = rest.first_chunk().map(|it| FrameHeader::parse(*it)) else {
                break;
            };
            if is_headers(&header) {
                break;
            }
            self.fields.on_frame(&header);
            self.payload_left = header.length;
            passed += FRAME_HEADER_LEN;
        }
        passed
    }

    /// Moves what can be passed on from the held bytes to the checked ones.
    fn release(&mut self) {
        while !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            let passed = self.check(&held);
            self.held = held;
            self.checked.extend_from_slice(&self.held[..passed]);
            self.held.advance(passed);
            if self.held.is_empty() {
                break;
            }
            let Some(header) = self.held.first_chunk().map(|it| FrameHeader::parse(*it)) else {
                return;
            };
            let end = FRAME_HEADER_LEN + header.length;
            let Some(payload) = self.held.get(FRAME_HEADER_LEN..end) else {
                return;
            };
            let more = self.fields.on_headers(&header, payload);
            let length = u32::try_from(payload.len() + more.len()).unwrap_or(u32::MAX);
            self.checked.extend_from_slice(&length.to_be_bytes()[1..]);
            self.checked.extend_from_slice(&self.held[3..end]);
            self.checked.extend_from_slice(more);
            self.held.advance(end);
        }
        // An idle connection keeps no buffer.
        self.held = BytesMut::new();
    }

    fn take_checked(&mut self, target: &mut ReadBuf<'_>) {
        let count = self.checked.len().min(target.remaining());
        target.put_slice(&self.checked[..count]);
        self.checked.advance(count);
        if self.checked.is_empty() {
            self.checked = BytesMut::new();
        }
    }

    /// Reads into the buffer of h2. What cannot be passed on yet is held.
    fn poll_read_through(
        &mut self,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = target.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, target))?;
        let read = &target.filled()[before..];
        self.has_ended = read.is_empty();
        let passed = self.check(read);
        self.held.extend_from_slice(&read[passed..]);
        target.set_filled(before + passed);
        Poll::Ready(Ok(()))
    }

    /// Reads more of a frame that is held.
    fn poll_read_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; READ_SIZE];
        let mut buffer = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
        self.has_ended = buffer.filled().is_empty();
        self.held.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for InspectedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = target.filled().len();
        loop {
            self.take_checked(target);
            if target.filled().len() > before || self.has_ended || target.remaining() == 0 {
                fair_share::charge_read(cx, target, before);
                return Poll::Ready(Ok(()));
            }
            match self.held.is_empty() {
                true => ready!(self.poll_read_through(cx, target))?,
                false => ready!(self.poll_read_more(cx))?,
            }
            self.release();
            if self.has_ended {
                // h2 reports a part of a frame.
                let rest = self.held.split();
                self.checked.extend_from_slice(&rest);
            }
        }
    }
}

delegate_writes!(InspectedStream);
