//! The header fields of a request as a server compares them to select a response (RFC 9111, section
//! 4.1): by name, each with the elements of its values.

use std::ops::Range;

use http::HeaderValue;

use ouli_message::Fields;

/// The fields of a request by name. It is made once for a look-up, so that no variant searches the
/// whole head for each of its names.
pub struct SelectingFields<'a> {
    pub(super) request: &'a Fields,
    /// Each name once, sorted, with the place of its encoded value.
    by_name: Vec<(&'a str, Range<usize>)>,
    encoded: Vec<u8>,
}

impl<'a> SelectingFields<'a> {
    /// The fields of this request.
    pub fn of(request: &'a Fields) -> Self {
        let fields = request.iter().map(|(name, value)| (name.as_str(), value));
        let mut fields: Vec<_> = fields.collect();
        fields.sort_by_key(|(name, _)| *name);
        let (mut by_name, mut encoded) = (Vec::with_capacity(fields.len()), Vec::new());
        for lines in fields.chunk_by(|one, other| one.0 == other.0) {
            let begin = encoded.len();
            encode(lines.iter().map(|(_, value)| *value), &mut encoded);
            by_name.push((lines[0].0, begin..encoded.len()));
        }
        Self {
            request,
            by_name,
            encoded,
        }
    }

    /// Those that are among these sorted names: the place among the names, and the encoded value.
    pub(super) fn among<'s>(
        &'s self,
        names: &'s [Box<str>],
    ) -> impl Iterator<Item = (usize, &'s [u8])> {
        self.by_name.iter().filter_map(|(name, value)| {
            let place = names.binary_search_by(|it| (**it).cmp(name)).ok()?;
            Some((place, &self.encoded[value.clone()]))
        })
    }
}

/// Appends the elements of a value, each after its length, so that equal texts are equal lists.
fn encode<'a>(values: impl Iterator<Item = &'a HeaderValue>, encoded: &mut Vec<u8>) {
    for element in elements(values) {
        encoded.extend_from_slice(&length(element.len()));
        encoded.extend_from_slice(element);
    }
}

/// A length or a place as bytes.
pub(super) fn length(length: usize) -> [u8; 8] {
    (length as u64).to_be_bytes()
}

/// The values of a field as one list: neither the number of lines nor the white space at its commas
/// counts (RFC 9111, section 4.1). A value with a quoted string is compared as it is.
fn elements<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> impl Iterator<Item = &'a [u8]> {
    values.flat_map(|value| {
        let bytes = value.as_bytes();
        let is_quoted = bytes.contains(&b'"');
        let elements = bytes.split(move |byte| *byte == b',' && !is_quoted);
        elements.map(<[u8]>::trim_ascii)
    })
}
