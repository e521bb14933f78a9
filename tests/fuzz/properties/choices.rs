//! Choices made by the bytes of an input: first what it says, then numbers derived from all of it.

/// Reads an input from its front. What it does not say any more is zero.
pub(super) struct Choices<'a> {
    rest: &'a [u8],
}

impl<'a> Choices<'a> {
    /// All choices of an input.
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// True where the input says nothing more.
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

    /// Yes or no.
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

    /// Some bytes, with their number in front.
    pub(super) fn bytes(&mut self) -> &'a [u8] {
        let size = usize::from(self.byte()).min(self.rest.len());
        let (taken, rest) = self.rest.split_at(size);
        self.rest = rest;
        taken
    }

    /// Some text, with its size in bytes in front.
    pub(super) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// Everything that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// Numbers that look random and are the same for the same input (FNV-1a, then xorshift by
/// Marsaglia).
pub(super) struct Dice(u64);

impl Dice {
    /// The dice of an input.
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
