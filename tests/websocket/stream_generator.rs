//! Random streams of WebSocket frames with at most one fault each.

use ouli_codec::websocket::ReceivedMessage;
use ouli_message::stream::Side;

use crate::support::seeded::Random;

/// The sizes of frames and messages that a receiver accepts, in bytes.
pub(super) const FRAME_LIMIT: usize = 2000;
pub(super) const MESSAGE_LIMIT: usize = 3000;

/// Status codes that a close frame may have.
pub(super) const CLOSE_CODES: [u16; 12] = [
    1000, 1001, 1002, 1003, 1007, 1008, 1010, 1011, 1012, 1013, 3000, 4999,
];

/// The fault of the last frame of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    ReservedBit,
    ReservedOpcode,
    WrongMask,
    FragmentedControl,
    LongControl,
    NothingToContinue,
    MessageWithinMessage,
    InvalidUtf8,
    IncompleteUtf8,
    InvalidCloseCode,
    HalfCloseCode,
    InvalidCloseReason,
    HighestLengthBit,
    LargeFrame,
    LargeMessage,
}

impl Fault {
    pub(super) const ALL: [Self; 15] = [
        Self::ReservedBit,
        Self::ReservedOpcode,
        Self::WrongMask,
        Self::FragmentedControl,
        Self::LongControl,
        Self::NothingToContinue,
        Self::MessageWithinMessage,
        Self::InvalidUtf8,
        Self::IncompleteUtf8,
        Self::InvalidCloseCode,
        Self::HalfCloseCode,
        Self::InvalidCloseReason,
        Self::HighestLengthBit,
        Self::LargeFrame,
        Self::LargeMessage,
    ];
}

/// The bytes of one sender.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) bytes: Vec<u8>,
    pub(super) fault: Option<Fault>,
}

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// Writes frames in random valid forms.
struct Writer<'a> {
    random: &'a mut Random,
    masked: bool,
    bytes: Vec<u8>,
}

/// A random stream: messages in fragments with control frames between them, then a close, a fault,
/// an incomplete message or nothing.
pub(super) fn stream(random: &mut Random, sender: Side) -> Stream {
    let masked = sender == Side::Client;
    let fault = random.one_in(2).then(|| random.one_of(&Fault::ALL));
    let closes = random.one_in(2);
    let messages = random.below(5);
    let bytes = Vec::new();
    let mut writer = Writer {
        random,
        masked,
        bytes,
    };
    for _ in 0..messages {
        writer.message();
    }
    match fault {
        Some(fault) => writer.fault(fault),
        None if closes => {
            let body = close_body(writer.random);
            writer.frame(FIN | CLOSE, &body);
            // A receiver reads nothing after a close or a fault.
            writer.message();
        }
        None => {}
    }
    let bytes = writer.bytes;
    Stream { bytes, fault }
}

impl Writer<'_> {
    fn frame(&mut self, first: u8, payload: &[u8]) {
        let masked = self.masked;
        self.frame_with(first, payload, masked);
    }

    /// A frame whose length has the shortest or a longer encoding.
    fn frame_with(&mut self, first: u8, payload: &[u8], masked: bool) {
        let mask_bit = if masked { 0x80 } else { 0 };
        let is_control = first & 0x08 != 0;
        let longer = !is_control && self.random.one_in(8);
        self.bytes.push(first);
        match payload.len() {
            length @ 0..126 if !longer => self.bytes.push(mask_bit | length as u8),
            length if length < 0x1_0000 && !(longer && length >= 126) => {
                self.bytes.push(mask_bit | 126);
                self.bytes.extend((length as u16).to_be_bytes());
            }
            length => {
                self.bytes.push(mask_bit | 127);
                self.bytes.extend((length as u64).to_be_bytes());
            }
        }
        if !masked {
            self.bytes.extend(payload);
            return;
        }
        let mask = self.random.bytes(4);
        self.bytes.extend(&mask);
        let masked = payload.iter().zip(mask.iter().cycle());
        self.bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
    }

    /// A message in one or several frames.
    fn message(&mut self) {
        let text = self.random.one_in(2);
        let content = content(self.random, text);
        self.fragments(text, &content, true);
    }

    /// The frames of a message; the last one has FIN only if `ends`.
    fn fragments(&mut self, text: bool, content: &[u8], ends: bool) {
        let count = 1 + self.random.below(4);
        let mut opcode = if text { TEXT } else { BINARY };
        let mut rest = content;
        for left in (0..count).rev() {
            let size = match left {
                0 => rest.len(),
                _ => self.random.below(rest.len() as u64 + 1) as usize,
            };
            // A frame boundary may split a character.
            let (fragment, behind) = rest.split_at(size.min(FRAME_LIMIT));
            rest = behind;
            let last = left == 0 && rest.is_empty();
            self.control();
            self.frame(if last && ends { FIN | opcode } else { opcode }, fragment);
            opcode = CONTINUATION;
        }
        if !rest.is_empty() {
            let last = if ends { FIN } else { 0 };
            self.frame(last | CONTINUATION, rest);
        }
    }

    /// Sometimes writes a ping or a pong.
    fn control(&mut self) {
        if self.random.one_in(3) {
            let opcode = self.random.one_of(&[PING, PONG]);
            let size = self.random.one_of(&[0, 1, 8, 125]);
            let body = self.random.bytes(size);
            self.frame(FIN | opcode, &body);
        }
    }

    fn fault(&mut self, fault: Fault) {
        // Most faults may also occur within a message.
        let within = self.random.one_in(2);
        match fault {
            Fault::NothingToContinue => self.frame(FIN | CONTINUATION, b"more"),
            Fault::MessageWithinMessage => {
                self.fragments(true, b"first", false);
                let first = self.random.one_of(&[FIN | TEXT, BINARY]);
                self.frame(first, b"second");
            }
            Fault::InvalidUtf8 | Fault::IncompleteUtf8 => self.text_fault(fault),
            Fault::LargeFrame => self.frame(FIN | BINARY, &[7; FRAME_LIMIT + 1]),
            Fault::LargeMessage => {
                self.frame(BINARY, &[7; FRAME_LIMIT]);
                self.control();
                let rest = [7; MESSAGE_LIMIT - FRAME_LIMIT + 1];
                self.frame(FIN | CONTINUATION, &rest);
            }
            _ => {
                if within {
                    self.fragments(false, b"within", false);
                }
                self.frame_fault(fault, within);
            }
        }
    }

    fn text_fault(&mut self, fault: Fault) {
        let mut text = content(self.random, true);
        text.truncate(500);
        let valid = String::from_utf8_lossy(&text).into_owned();
        let mut text = valid.into_bytes();
        text.extend(match fault {
            Fault::IncompleteUtf8 => &[0xe2, 0x82][..],
            // A surrogate, an overlong form, a lone continuation byte, an invalid byte.
            _ => self.random.one_of(&[
                &[0xed, 0xa0, 0x80][..],
                &[0xc0, 0xaf],
                &[0x80],
                &[0xff],
                &[0xe2, 0x82, b'x'],
            ]),
        });
        self.fragments(true, &text, true);
    }

    fn frame_fault(&mut self, fault: Fault, within: bool) {
        let data = if within { CONTINUATION } else { BINARY };
        match fault {
            Fault::ReservedBit => {
                let bit = self.random.one_of(&[0x10, 0x20, 0x40]);
                let opcode = self.random.one_of(&[data, PING, CLOSE]);
                self.frame(FIN | bit | opcode, b"");
            }
            Fault::ReservedOpcode => {
                let opcode = self
                    .random
                    .one_of(&[0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf]);
                self.frame(FIN | opcode, b"");
            }
            Fault::WrongMask => {
                let masked = !self.masked;
                self.frame_with(FIN | data, b"x", masked);
            }
            Fault::FragmentedControl => {
                let opcode = self.random.one_of(&[PING, PONG, CLOSE]);
                self.frame(opcode, b"");
            }
            Fault::LongControl => {
                let opcode = self.random.one_of(&[PING, PONG, CLOSE]);
                self.frame(FIN | opcode, &[3; 126]);
            }
            Fault::InvalidCloseCode => {
                let code: u16 = self.random.one_of(&[
                    0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2999, 5000, 65_535,
                ]);
                self.frame(FIN | CLOSE, &code.to_be_bytes());
            }
            Fault::HalfCloseCode => self.frame(FIN | CLOSE, &[3]),
            Fault::InvalidCloseReason => self.frame(FIN | CLOSE, b"\x03\xe8\xff"),
            _ => {
                self.bytes.push(FIN | data);
                self.bytes.push(if self.masked { 0xff } else { 0x7f });
                self.bytes.extend((1_u64 << 63).to_be_bytes());
                self.bytes.extend([0; 4]);
            }
        }
    }
}

/// The content of a message, within the limits.
fn content(random: &mut Random, text: bool) -> Vec<u8> {
    let size = random.one_of(&[0, 1, 5, 125, 126, 127, 1000, FRAME_LIMIT, MESSAGE_LIMIT]);
    if !text {
        return random.bytes(size);
    }
    let mut content = String::new();
    loop {
        let next = random.one_of(&['a', '\0', '\u{7f}', 'ß', '€', '\u{ffff}', '😀']);
        if content.len() + next.len_utf8() > size {
            return content.into_bytes();
        }
        content.push(next);
    }
}

fn close_body(random: &mut Random) -> Vec<u8> {
    if random.one_in(4) {
        return Vec::new();
    }
    let code = random.one_of(&CLOSE_CODES).to_be_bytes();
    let reason = random.one_of(&["", "bye", "größer als erlaubt"]);
    [&code[..], reason.as_bytes()].concat()
}

/// A message that fits in one frame.
pub(super) fn message(random: &mut Random) -> ReceivedMessage {
    let text = random.one_in(2);
    let mut content = content(random, text);
    if content.len() > FRAME_LIMIT {
        content = vec![b'x'; FRAME_LIMIT];
    }
    let small = content[..content.len().min(125)].to_vec().into();
    match random.below(9) {
        0 => ReceivedMessage::Ping(small),
        1 => ReceivedMessage::Pong(small),
        2 => {
            let code = Some(random.one_of(&CLOSE_CODES));
            let reason = random.one_of(&["", "bye", "größer als erlaubt"]).to_owned();
            ReceivedMessage::Close { code, reason }
        }
        _ => ReceivedMessage::Data {
            text,
            content: content.into(),
            compressed: false,
        },
    }
}
