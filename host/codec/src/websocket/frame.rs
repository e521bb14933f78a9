//! Frame heads (RFC 6455, section 5.2) and masking.

use super::{DeflateParams, Violation};
use ouli_message::stream::Side;

/// Maximum body of a control frame in bytes (RFC 6455, section 5.5).
pub const MAX_CONTROL: usize = 125;
/// Maximum reason of a close frame in bytes, which a code precedes.
pub const MAX_CLOSE_REASON: usize = MAX_CONTROL - size_of::<u16>();
/// Maximum size of a head in bytes.
pub(super) const MAX_HEAD: usize = 14;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
const MASKED: u8 = 0x80;
/// Length values that announce a length of 16 or 64 bits.
const LENGTH_16_BIT: u8 = 126;
const LENGTH_64_BIT: u8 = 127;

/// The type of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    pub(super) fn of(code: u8) -> Option<Self> {
        match code {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xa => Some(Self::Pong),
            _ => None,
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    pub(super) fn is_control(self) -> bool {
        match self {
            Self::Close | Self::Ping | Self::Pong => true,
            Self::Continuation | Self::Text | Self::Binary => false,
        }
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// FIN: the last frame of its message.
    pub(super) fin: bool,
    /// RSV1: the message is compressed (RFC 7692, section 6). Set in its first frame only.
    pub(super) compressed: bool,
    pub(super) opcode: Opcode,
    pub(super) mask: Option<[u8; 4]>,
    /// The size of the body in bytes.
    pub(super) size: u64,
}

impl Head {
    /// Parses the head at the start of the bytes and returns it with its size. None if more bytes
    /// are needed. Violations are reported as early as possible.
    pub(super) fn parse(
        bytes: &[u8],
        sender: Side,
        deflate: Option<&DeflateParams>,
    ) -> Result<Option<(Self, usize)>, Violation> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        let opcode = Opcode::of(first & 0x0f);
        let opcode = opcode.ok_or(Violation::protocol("a frame has a reserved opcode"))?;
        let fin = first & FIN != 0;
        let compressed = first & RSV1 != 0;
        let starts = matches!(opcode, Opcode::Text | Opcode::Binary);
        if first & RSV2_RSV3 != 0 || (compressed && !(starts && deflate.is_some())) {
            return Err(Violation::protocol("a frame has a reserved bit"));
        }
        let masked = second & MASKED != 0;
        if masked != (sender == Side::Client) {
            return Err(Violation::protocol(match sender {
                Side::Client => "a frame of a client has no mask",
                Side::Server => "a frame of a server has a mask",
            }));
        }
        let length = second & !MASKED;
        if opcode.is_control() && !fin {
            return Err(Violation::protocol("a control frame is fragmented"));
        }
        if opcode.is_control() && usize::from(length) > MAX_CONTROL {
            return Err(Violation::protocol("a control frame is too long"));
        }
        let Some((size, rest)) = parse_size(length, rest)? else {
            return Ok(None);
        };
        let (mask, rest) = match rest {
            _ if !masked => (None, rest),
            [a, b, c, d, rest @ ..] => (Some([*a, *b, *c, *d]), rest),
            _ => return Ok(None),
        };
        let head = Self {
            fin,
            compressed,
            opcode,
            mask,
            size,
        };
        Ok(Some((head, bytes.len() - rest.len())))
    }

    /// The size of the head with the shortest form of the length.
    pub(super) fn shortest(&self) -> usize {
        let length = match self.size {
            0..=0x7d => 0,
            0x7e..=0xffff => 2,
            _ => 8,
        };
        2 + length + self.mask.map_or(0, |mask| mask.len())
    }

    /// Appends the head to a buffer.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let fin = if self.fin { FIN } else { 0 };
        let compressed = if self.compressed { RSV1 } else { 0 };
        let masked = if self.mask.is_some() { MASKED } else { 0 };
        out.push(fin | compressed | self.opcode.code());
        match (u8::try_from(self.size), u16::try_from(self.size)) {
            (Ok(size), _) if size < LENGTH_16_BIT => out.push(masked | size),
            (_, Ok(size)) => {
                out.push(masked | LENGTH_16_BIT);
                out.extend_from_slice(&size.to_be_bytes());
            }
            _ => {
                out.push(masked | LENGTH_64_BIT);
                out.extend_from_slice(&self.size.to_be_bytes());
            }
        }
        out.extend_from_slice(self.mask.as_ref().map_or(&[], |mask| mask.as_slice()));
    }
}

/// Parses the size of a body and returns it with the rest. Sizes that are not in the shortest form
/// are accepted.
fn parse_size(length: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Violation> {
    match length {
        LENGTH_16_BIT => Ok(rest
            .split_first_chunk()
            .map(|(size, rest)| (u64::from(u16::from_be_bytes(*size)), rest))),
        LENGTH_64_BIT => {
            // The first byte contains the highest bit.
            if rest.first().is_some_and(|byte| byte & 0x80 != 0) {
                return Err(Violation::protocol(
                    "the length of a frame has its highest bit set",
                ));
            }
            Ok(rest
                .split_first_chunk()
                .map(|(size, rest)| (u64::from_be_bytes(*size), rest)))
        }
        size => Ok(Some((u64::from(size), rest))),
    }
}

/// Masks or unmasks bytes (RFC 6455, section 5.3). `offset` is the position of the first byte in
/// the body of its frame.
pub(super) fn mask(bytes: &mut [u8], mask: [u8; 4], offset: u64) {
    let mut rotated = mask;
    rotated.rotate_left((offset % 4) as usize);
    let [a, b, c, d] = rotated;
    let wide_mask = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide_mask).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(rotated.iter().cycle()) {
        *byte ^= mask;
    }
}
