//! Choices that depend on the input: first its bytes, then numbers derived from all of it.

/// Reads an input from its start. After its end every byte is zero.
pub(super) struct Choices<'a> {
    rest: &'a [u8],
}

impl<'a> Choices<'a> {
    /// All choices of an input.
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// True at the end of the input.
    pub(super) fn are_made(&self) -> bool {
        self.rest.is_empty()
    }

    /// One byte.
    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else {
            return 0;
        };
        self.rest = rest;
        *first
    }

    /// A boolean.
    pub(super) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number below `end`, which is at most 256.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    /// A number of two bytes.
    pub(super) fn number(&mut self) -> u64 {
        u64::from(u16::from_be_bytes([self.byte(), self.byte()]))
    }

    /// One of several.
    pub(super) fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Bytes with a length prefix.
    pub(super) fn bytes(&mut self) -> &'a [u8] {
        let size = usize::from(self.byte()).min(self.rest.len());
        let (taken, rest) = self.rest.split_at(size);
        self.rest = rest;
        taken
    }

    /// Text with a length prefix in bytes.
    pub(super) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// The rest of the input.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// Pseudorandom numbers that depend on the input alone (FNV-1a as the seed of xorshift by
/// Marsaglia).
pub(super) struct Dice(u64);

impl Dice {
    /// The generator for an input.
    pub(super) fn of(input: &[u8]) -> Self {
        let mix = |state: u64, byte: &u8| (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self(input.iter().fold(0xcbf2_9ce4_8422_2325, mix) | 1)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap_or(0)
    }

    /// Cuts bytes into pieces of 1 to `most` bytes.
    pub(super) fn cut<'a>(&mut self, mut bytes: &'a [u8], most: usize) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let size = (1 + self.below(most)).min(bytes.len());
            let (piece, rest) = bytes.split_at(size);
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }
}
