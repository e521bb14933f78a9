//! A strict incremental decoder for the frames of one side.
//!
//! No memory is allocated for announced lengths: it grows with the received bytes.

use bytes::{Buf, Bytes, BytesMut};

use super::deflate::Inflater;
use super::frame::{Head, MAX_CONTROL, Opcode, mask};
use super::{Bounds, DeflateParams, ReceivedMessage, Violation, is_close_code};
use crate::content_coding::RATIO_FROM;
use ouli_message::stream::Side;

/// Decodes the frames of one side into messages.
#[derive(Debug)]
pub struct Decoder {
    sender: Side,
    bounds: Bounds,
    deflate: Option<DeflateParams>,
    inflater: Option<Inflater>,
    /// The frame with an incomplete body.
    frame: Option<PartialFrame>,
    /// The message with missing fragments.
    message: Option<PartialMessage>,
    /// The received body of a control frame.
    control: Vec<u8>,
    /// Text is UTF-8, and close frames have codes that may be sent.
    checks_content: bool,
    /// The length of a frame has its shortest form.
    checks_length: bool,
    /// After so many decompressed bytes [`Self::decode`] returns, although input is left.
    step: usize,
    /// The bytes that this call has decompressed.
    decompressed: usize,
    state: State,
}

/// Bytes that are decompressed at one time by a decoder that pauses: to 264 KB at most.
const MAX_STEP_INPUT: usize = 256;

/// Whether frames are decoded.
#[derive(Debug)]
enum State {
    Open,
    /// A close frame was received.
    Closed,
    /// The side violated the protocol.
    Broken(Violation),
}

/// A frame whose head is decoded.
#[derive(Debug)]
struct PartialFrame {
    head: Head,
    /// Number of received bytes of its body.
    read: u64,
}

/// The received part of a message.
#[derive(Debug)]
struct PartialMessage {
    text: bool,
    checks_utf8: bool,
    compressed: bool,
    /// Number of received bytes before decompression.
    wire_size: u64,
    content: Vec<u8>,
    /// Number of bytes of the content that are complete UTF-8 characters.
    valid_up_to: usize,
}

impl Decoder {
    /// A decoder for the frames of `sender`, with the negotiated compression.
    pub fn new(sender: Side, bounds: Bounds, deflate: Option<DeflateParams>) -> Self {
        Self {
            sender,
            bounds,
            deflate,
            inflater: deflate.map(|deflate| Inflater::new(sender, &deflate)),
            frame: None,
            message: None,
            control: Vec::new(),
            checks_content: true,
            checks_length: false,
            step: usize::MAX,
            decompressed: 0,
            state: State::Open,
        }
    }

    /// The same decoder for content that the receiver checks: text that is not UTF-8, and close
    /// codes that must not be sent, are no violations.
    #[must_use]
    pub fn without_content_checks(self) -> Self {
        Self {
            checks_content: false,
            ..self
        }
    }

    /// The same decoder for frames that are sent again: a length that is not in its shortest form
    /// (RFC 6455, section 5.2), which receivers accept, is a violation.
    #[must_use]
    pub fn with_length_checks(self) -> Self {
        Self {
            checks_length: true,
            ..self
        }
    }

    /// The same decoder, which pauses within a compressed message after about so many bytes of its
    /// content: a few bytes of the input may stand for a thousand times as many.
    #[must_use]
    pub fn with_step(self, step: usize) -> Self {
        Self { step, ..self }
    }

    /// True if the last call of [`Self::decode`] returned none because it paused: it is to be
    /// called again without more input.
    pub fn is_paused(&self) -> bool {
        matches!(self.state, State::Open) && self.decompressed >= self.step
    }

    /// Consumes bytes from the start of `input` until a message or control frame is complete. None
    /// if more bytes are needed; then at most an incomplete frame head is left in `input`.
    ///
    /// After a close frame all bytes are discarded. After a violation every call returns it again.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<ReceivedMessage>, Violation> {
        match self.state {
            State::Open => {}
            State::Closed => {
                input.clear();
                return Ok(None);
            }
            State::Broken(violation) => return Err(violation),
        }
        self.decompressed = 0;
        let message = self.advance(input);
        match &message {
            Ok(Some(ReceivedMessage::Close { .. })) => self.state = State::Closed,
            Ok(_) => {}
            Err(violation) => {
                self.state = State::Broken(*violation);
                self.message = None;
                self.inflater = None;
            }
        }
        message
    }

    /// Takes the decoder out, to use it elsewhere. What is left decodes nothing.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let mut left = Self::new(self.sender, self.bounds, None);
        left.state = State::Closed;
        std::mem::replace(self, left)
    }

    /// True once a close frame was received.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// True if a frame or a message is incomplete. The head of a frame may be incomplete too: it is
    /// left in the input.
    pub fn is_within_message(&self) -> bool {
        self.frame.is_some() || self.message.is_some()
    }

    /// Memory of an incomplete message in bytes.
    pub fn buffered(&self) -> usize {
        let message = self.message.as_ref();
        message.map_or(0, |message| message.content.capacity())
    }

    fn advance(&mut self, input: &mut BytesMut) -> Result<Option<ReceivedMessage>, Violation> {
        loop {
            let mut frame = match self.frame.take() {
                Some(frame) => frame,
                None => match Head::parse(input, self.sender, self.deflate.as_ref())? {
                    None => return Ok(None),
                    Some((head, size)) if self.checks_length && size > head.shortest() => {
                        return Err(Violation::protocol(
                            "the length of a frame is not in its shortest form",
                        ));
                    }
                    Some((head, size)) => {
                        input.advance(size);
                        self.begin_frame(&head)?;
                        PartialFrame { head, read: 0 }
                    }
                },
            };
            self.read_body(&mut frame, input)?;
            if frame.read < frame.head.size {
                let pauses = self.decompressed >= self.step;
                self.frame = Some(frame);
                if input.is_empty() || pauses {
                    return Ok(None);
                }
                continue;
            }
            if let Some(message) = self.end_frame(&frame.head)? {
                return Ok(Some(message));
            }
            if self.decompressed >= self.step {
                return Ok(None);
            }
        }
    }

    /// Checks that a frame is expected and within the limits.
    fn begin_frame(&mut self, head: &Head) -> Result<(), Violation> {
        if head.opcode.is_control() {
            return Ok(());
        }
        match (head.opcode == Opcode::Continuation, &self.message) {
            (true, None) => {
                return Err(Violation::protocol(
                    "a continuation frame without a message",
                ));
            }
            (false, Some(_)) => {
                return Err(Violation::protocol("a message within a fragmented message"));
            }
            (true, Some(_)) => {}
            (false, None) => {
                self.message = Some(PartialMessage::new(head, self.checks_content));
            }
        }
        if head.size > self.bounds.frame {
            return Err(Violation::too_large("a frame is too large"));
        }
        let message = self.message.as_ref().filter(|message| !message.compressed);
        let before = message.map(|message| message.content.len() as u64);
        if before.is_some_and(|before| before.saturating_add(head.size) > self.bounds.message) {
            return Err(too_large());
        }
        Ok(())
    }

    /// Consumes the received part of the body of a frame.
    fn read_body(
        &mut self,
        frame: &mut PartialFrame,
        input: &mut BytesMut,
    ) -> Result<(), Violation> {
        let rest = frame.head.size - frame.read;
        let mut size = usize::try_from(rest).map_or(input.len(), |rest| rest.min(input.len()));
        if self.step < usize::MAX && self.message.as_ref().is_some_and(|it| it.compressed) {
            size = size.min(MAX_STEP_INPUT);
        }
        let bytes = &mut input[..size];
        if let Some(key) = frame.head.mask {
            mask(bytes, key, frame.read);
        }
        frame.read += size as u64;
        if frame.head.opcode.is_control() {
            // Longer control frames are rejected with their head.
            debug_assert!(self.control.len() + size <= MAX_CONTROL);
            self.control.extend_from_slice(bytes);
        } else if let Some(message) = &mut self.message {
            message.wire_size += size as u64;
            match &mut self.inflater {
                Some(inflater) if message.compressed => {
                    let before = message.content.len();
                    inflater.push(bytes, |out| message.push_compressed(out, &self.bounds))?;
                    self.decompressed += message.content.len() - before;
                }
                _ => message.push(bytes)?,
            }
        }
        input.advance(size);
        Ok(())
    }

    /// The message or control frame that is complete at the end of a frame.
    fn end_frame(&mut self, head: &Head) -> Result<Option<ReceivedMessage>, Violation> {
        match head.opcode {
            Opcode::Ping => Ok(Some(ReceivedMessage::Ping(self.take_control()))),
            Opcode::Pong => Ok(Some(ReceivedMessage::Pong(self.take_control()))),
            Opcode::Close => {
                let body = self.take_control();
                parse_close(&body, self.checks_content).map(Some)
            }
            Opcode::Continuation | Opcode::Text | Opcode::Binary if !head.fin => Ok(None),
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                let Some(mut message) = self.message.take() else {
                    return Ok(None);
                };
                if let Some(inflater) = self.inflater.as_mut().filter(|_| message.compressed) {
                    inflater.finish(|out| message.push_compressed(out, &self.bounds))?;
                }
                message.finish().map(Some)
            }
        }
    }

    fn take_control(&mut self) -> Bytes {
        std::mem::take(&mut self.control).into()
    }
}

impl PartialMessage {
    fn new(head: &Head, checks_content: bool) -> Self {
        let text = head.opcode == Opcode::Text;
        Self {
            text,
            checks_utf8: text && checks_content,
            compressed: head.compressed,
            wire_size: 0,
            content: Vec::new(),
            valid_up_to: 0,
        }
    }

    /// Adds decompressed bytes, within the limits.
    fn push_compressed(&mut self, bytes: &[u8], bounds: &Bounds) -> Result<(), Violation> {
        let size = (self.content.len() + bytes.len()) as u64;
        if size > bounds.message {
            return Err(too_large());
        }
        if size > RATIO_FROM && size > self.wire_size.saturating_mul(bounds.ratio) {
            return Err(Violation::too_large(
                "a message exceeds the compression ratio",
            ));
        }
        self.push(bytes)
    }

    /// Adds bytes. Invalid UTF-8 is reported at the first invalid byte.
    fn push(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        self.content.extend_from_slice(bytes);
        if !self.checks_utf8 {
            return Ok(());
        }
        match std::str::from_utf8(&self.content[self.valid_up_to..]) {
            Ok(_) => self.valid_up_to = self.content.len(),
            Err(error) if error.error_len().is_none() => self.valid_up_to += error.valid_up_to(),
            Err(_) => return Err(invalid_utf8()),
        }
        Ok(())
    }

    fn finish(self) -> Result<ReceivedMessage, Violation> {
        if self.checks_utf8 && self.valid_up_to < self.content.len() {
            return Err(invalid_utf8());
        }
        Ok(ReceivedMessage::Data {
            text: self.text,
            // Messages are kept for a long time, so spare capacity is freed.
            content: self.content.into_boxed_slice().into(),
            compressed: self.compressed,
        })
    }
}

/// Parses the body of a close frame (RFC 6455, section 5.5.1).
fn parse_close(body: &[u8], checks_code: bool) -> Result<ReceivedMessage, Violation> {
    let (code, reason) = match body {
        [] => (None, &[][..]),
        [_] => return Err(Violation::protocol("a close frame with an incomplete code")),
        [high, low, reason @ ..] => (Some(u16::from_be_bytes([*high, *low])), reason),
    };
    if checks_code && code.is_some_and(|code| !is_close_code(code)) {
        return Err(Violation::protocol("a close frame with an invalid code"));
    }
    let reason = std::str::from_utf8(reason)
        .map_err(|_| Violation::content("the reason of a close frame is not UTF-8"))?
        .to_owned();
    Ok(ReceivedMessage::Close { code, reason })
}

fn too_large() -> Violation {
    Violation::too_large("a message is too large")
}

fn invalid_utf8() -> Violation {
    Violation::content("a text message is not UTF-8")
}
