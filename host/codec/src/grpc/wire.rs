//! The wire format of protocol buffers (Encoding guide): fields without any descriptor.

use std::ops::Range;

/// One field, with its place in the message that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its number.
    pub number: u32,
    /// What stands behind its tag, with the length or the closing tag where there is one.
    pub range: Range<usize>,
    /// What it holds.
    pub wire: Wire,
}

/// What a field holds, by its wire type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Type 0.
    Varint(u64),
    /// Type 1.
    Fixed64(u64),
    /// Type 2: where its content stands, behind the length.
    Len(Range<usize>),
    /// Types 3 and 4: where its content stands, between the tags.
    Group(Range<usize>),
    /// Type 5.
    Fixed32(u32),
}

/// The largest number of a field.
const MAX_FIELD_NUMBER: u64 = (1 << 29) - 1;
/// Groups within groups up to this depth are read, as deep as the usual readers go.
const MAX_GROUP_DEPTH: usize = 100;

/// True where a part of the bytes is a whole message: any number of fields, none of them cut.
pub fn is_message(bytes: &[u8], part: Range<usize>) -> bool {
    fields(bytes, part).all(|field| field.is_some())
}

/// The fields of a message that is a part of the bytes, in order. The last one is none where the
/// rest is no field; nothing comes behind it.
pub fn fields(bytes: &[u8], part: Range<usize>) -> impl Iterator<Item = Option<Field>> {
    let end = part.end.min(bytes.len());
    let mut at = part.start;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let field = field(&bytes[..end], at);
        at = field.as_ref().map_or(end, |field| field.range.end);
        Some(field)
    })
}

fn field(bytes: &[u8], at: usize) -> Option<Field> {
    let (number, kind, start) = tag(bytes, at)?;
    let (wire, end) = match kind {
        3 => {
            let (content, end) = group(bytes, start, number)?;
            (Wire::Group(content), end)
        }
        _ => read_value(bytes, start, kind)?,
    };
    Some(Field {
        number,
        range: start..end,
        wire,
    })
}

fn tag(bytes: &[u8], at: usize) -> Option<(u32, u64, usize)> {
    let (tag, start) = varint(bytes, at)?;
    let number = tag >> 3;
    let number = (1..=MAX_FIELD_NUMBER).contains(&number).then_some(number)?;
    Some((u32::try_from(number).ok()?, tag & 7, start))
}

/// What a field other than a group holds, and where it ends.
fn read_value(bytes: &[u8], at: usize, kind: u64) -> Option<(Wire, usize)> {
    match kind {
        0 => {
            let (value, end) = varint(bytes, at)?;
            Some((Wire::Varint(value), end))
        }
        1 => {
            let value = bytes.get(at..)?.first_chunk()?;
            Some((Wire::Fixed64(u64::from_le_bytes(*value)), at + 8))
        }
        2 => {
            let (length, start) = varint(bytes, at)?;
            let end = start.checked_add(usize::try_from(length).ok()?)?;
            (end <= bytes.len()).then_some((Wire::Len(start..end), end))
        }
        5 => {
            let value = bytes.get(at..)?.first_chunk()?;
            Some((Wire::Fixed32(u32::from_le_bytes(*value)), at + 4))
        }
        _ => None,
    }
}

/// The content of a group, and the place behind its closing tag.
fn group(bytes: &[u8], start: usize, number: u32) -> Option<(Range<usize>, usize)> {
    let mut open = vec![number];
    let mut at = start;
    loop {
        let (number, kind, next) = tag(bytes, at)?;
        match kind {
            3 if open.len() < MAX_GROUP_DEPTH => {
                open.push(number);
                at = next;
            }
            4 if open.pop() == Some(number) => {
                if open.is_empty() {
                    return Some((start..at, next));
                }
                at = next;
            }
            _ => at = read_value(bytes, next, kind)?.1,
        }
    }
}

/// A number in base 128, and the place behind it. What does not fit into 64 bits is cut off.
pub fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0;
    for (place, byte) in bytes.get(at..)?.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((value, at + place + 1));
        }
    }
    None
}

/// The same in as few bytes as it takes.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Content with its length before it, as a field of wire type 2 has it behind its tag.
pub fn with_length(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 5);
    put_varint(&mut out, content.len() as u64);
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = Option<Vec<(u32, Wire)>>;

    fn read(bytes: &[u8]) -> Read {
        let all = fields(bytes, 0..bytes.len());
        all.map(|field| field.map(|field| (field.number, field.wire)))
            .collect()
    }

    #[test]
    fn fields_of_all_types_are_read() {
        let cases: [(&[u8], _); 14] = [
            (&[], Some(vec![])),
            (&[0x08, 0x96, 0x01], Some(vec![(1, Wire::Varint(150))])),
            (&[0x12, 0x01, b'x'], Some(vec![(2, Wire::Len(2..3))])),
            (&[0x0d, 1, 0, 0, 0], Some(vec![(1, Wire::Fixed32(1))])),
            (
                &[0x09, 1, 0, 0, 0, 0, 0, 0, 0x80],
                Some(vec![(1, Wire::Fixed64(1 << 63 | 1))]),
            ),
            // A group, and one within it.
            (&[0x0b, 0x08, 1, 0x0c], Some(vec![(1, Wire::Group(1..3))])),
            (
                &[0x0b, 0x13, 0x14, 0x0c],
                Some(vec![(1, Wire::Group(1..3))]),
            ),
            // Groups that are not closed, or not by their own number, and a close without a begin.
            (&[0x0b, 0x08, 1], None),
            (&[0x0b, 0x14], None),
            (&[0x0c], None),
            // Cut fields, no number, unknown types.
            (&[0x12, 0x02, b'x'], None),
            (&[0x00], None),
            (&[0x0e], None),
            (&[0x08, 0xff], None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read(bytes), expected, "{bytes:?}");
            assert_eq!(is_message(bytes, 0..bytes.len()), expected.is_some());
        }
        let ten = [[0xff; 9].as_slice(), &[0x01]].concat();
        assert_eq!(varint(&ten, 0), Some((u64::MAX, 10)));
        assert_eq!(varint(&[0xff; 11], 0), None);
        assert!(!is_message(&[0x0b; 4000], 0..4000), "groups without end");
    }

    #[test]
    fn numbers_survive() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(varint(&out, 0), Some((value, out.len())));
        }
        assert_eq!(with_length(&[7; 200])[..2], [0xc8, 0x01]);
    }
}
