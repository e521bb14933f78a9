//! Line ends that another program converted, as git does with `core.autocrlf`. The digest tells
//! which form was recorded.

use memchr::memmem;

/// A header is shorter than this.
const FIRST_LINE: usize = 4096;

/// True if the first line ends with CRLF.
pub(super) fn is_crlf(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(FIRST_LINE)];
    let end = memchr::memchr(b'\n', start);
    end.is_some_and(|end| bytes[..end].last() == Some(&b'\r'))
}

/// The text with LF in the place of each CRLF.
pub(super) fn to_lf(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut copied = 0;
    for found in memmem::find_iter(bytes, b"\r\n") {
        text.extend_from_slice(&bytes[copied..found]);
        copied = found + 1;
    }
    text.extend_from_slice(&bytes[copied..]);
    text
}

fn to_crlf(lf: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(lf.len() + lf.len() / 16);
    let mut copied = 0;
    for found in memchr::memchr_iter(b'\n', lf) {
        text.extend_from_slice(&lf[copied..found]);
        text.extend_from_slice(b"\r\n");
        copied = found + 1;
    }
    text.extend_from_slice(&lf[copied..]);
    text
}

/// The bytes before their line ends were converted, one way or the other; `None` if `is_recorded`
/// accepts neither form.
pub(crate) fn restore(bytes: &[u8], is_recorded: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    memchr::memchr(b'\n', bytes)?;
    let lf = to_lf(bytes);
    if lf.len() != bytes.len() && is_recorded(&lf) {
        return Some(lf);
    }
    let crlf = to_crlf(&lf);
    (crlf.len() != bytes.len() && is_recorded(&crlf)).then_some(crlf)
}

/// Converts offsets in the result of [`to_lf`] to offsets in its input. They must not decrease from
/// call to call.
pub(super) struct OffsetMap<'a> {
    found: std::iter::Peekable<memmem::FindIter<'a, 'static>>,
    removed: usize,
}

impl<'a> OffsetMap<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            found: memmem::find_iter(bytes, b"\r\n").peekable(),
            removed: 0,
        }
    }

    pub(super) fn convert(&mut self, offset: u64) -> u64 {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        while (self.found)
            .next_if(|found| found - self.removed < offset)
            .is_some()
        {
            self.removed += 1;
        }
        (offset + self.removed) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_point_to_the_same_byte() {
        let bytes = b"a\r\n\r\nbc\r\nd\re\n\r\n";
        let lf = to_lf(bytes);
        assert_eq!(lf, b"a\n\nbc\nd\re\n\n");
        let mut map = OffsetMap::new(bytes);
        for (at, byte) in lf.iter().enumerate() {
            let mapped = map.convert(at as u64) as usize;
            let original = match bytes[mapped] {
                b'\r' if *byte == b'\n' => b'\n',
                other => other,
            };
            assert_eq!(original, *byte, "{at}");
        }
        assert_eq!(map.convert(lf.len() as u64), bytes.len() as u64);
    }

    #[test]
    fn only_the_recorded_form_is_restored() {
        let (lf, crlf) = (&b"a\nb\n"[..], &b"a\r\nb\r\n"[..]);
        assert_eq!(restore(crlf, |it| it == lf).unwrap(), lf);
        assert_eq!(restore(lf, |it| it == crlf).unwrap(), crlf);
        assert_eq!(restore(b"a\r\nb\n", |it| it == crlf).unwrap(), crlf);
        assert!(restore(lf, |_| false).is_none());
        assert!(restore(b"a", |_| true).is_none());
    }
}
