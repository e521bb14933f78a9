//! The protobuf wire format (Encoding guide), read without a descriptor.

use std::ops::Range;

/// A field with its range in the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field number.
    pub number: u32,
    /// The range after its tag, including the length or the end-group tag.
    pub range: Range<usize>,
    /// The value.
    pub wire: Wire,
}

/// The value of a field by wire type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Type 0.
    Varint(u64),
    /// Type 1.
    Fixed64(u64),
    /// Type 2: the range of the content after the length.
    Len(Range<usize>),
    /// Types 3 and 4: the range of the content between the tags.
    Group(Range<usize>),
    /// Type 5.
    Fixed32(u32),
}

/// The largest field number.
const MAX_FIELD_NUMBER: u64 = (1 << 29) - 1;
/// Maximum nesting of groups, the limit of common protobuf decoders.
const MAX_GROUP_DEPTH: usize = 100;

/// True if a range of the bytes is a sequence of complete fields.
pub fn is_message(bytes: &[u8], part: Range<usize>) -> bool {
    fields(bytes, part).all(|field| field.is_some())
}

/// The fields of a message in a range of the bytes, in order. The last item is None if the rest is
/// not a field.
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

/// The value of a field other than a group, and its end.
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

/// The content of a group, and the position after its end-group tag.
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

/// A varint and the position after it. Bits beyond 64 are dropped.
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

/// Writes a varint in the shortest form.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Content with its length prefix, as in a field of wire type 2.
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
    fn parses_fields_of_all_types() {
        let cases: [(&[u8], _); 14] = [
            (&[], Some(vec![])),
            (&[0x08, 0x96, 0x01], Some(vec![(1, Wire::Varint(150))])),
            (&[0x12, 0x01, b'x'], Some(vec![(2, Wire::Len(2..3))])),
            (&[0x0d, 1, 0, 0, 0], Some(vec![(1, Wire::Fixed32(1))])),
            (
                &[0x09, 1, 0, 0, 0, 0, 0, 0, 0x80],
                Some(vec![(1, Wire::Fixed64(1 << 63 | 1))]),
            ),
            // Nested groups.
            (&[0x0b, 0x08, 1, 0x0c], Some(vec![(1, Wire::Group(1..3))])),
            (
                &[0x0b, 0x13, 0x14, 0x0c],
                Some(vec![(1, Wire::Group(1..3))]),
            ),
            // Groups without an end or with the end of another group, and an end without a start.
            (&[0x0b, 0x08, 1], None),
            (&[0x0b, 0x14], None),
            (&[0x0c], None),
            // Truncated fields, no field number, unknown wire types.
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
    fn varints_survive_a_round_trip() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(varint(&out, 0), Some((value, out.len())));
        }
        assert_eq!(with_length(&[7; 200])[..2], [0xc8, 0x01]);
    }
}
