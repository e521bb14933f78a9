//! Header fields as HPACK literals (RFC 7541, section 6.2.2), which neither use nor change a table.

/// The index of `:status` in the static table (RFC 7541, appendix A).
const STATUS_INDEX: u8 = 8;

/// Bytes of a string whose length fits into the prefix of seven bits.
const MAX_SHORT_STRING: usize = 127;

/// Appends `:status`.
pub(in crate::server) fn encode_status(block: &mut Vec<u8>, status: &str) {
    block.push(STATUS_INDEX);
    encode_string(block, status.as_bytes());
}

/// Appends a field.
pub(in crate::server) fn encode_field(block: &mut Vec<u8>, name: &str, value: &[u8]) {
    block.push(0);
    encode_string(block, name.as_bytes());
    encode_string(block, value);
}

/// A string without Huffman coding (sections 5.1 and 5.2).
fn encode_string(block: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.len().checked_sub(MAX_SHORT_STRING) {
        None => block.push(bytes.len().to_le_bytes()[0]),
        Some(mut rest) => {
            block.push(MAX_SHORT_STRING.to_le_bytes()[0]);
            while rest >= 128 {
                block.push(rest.to_le_bytes()[0] | 128);
                rest >>= 7;
            }
            block.push(rest.to_le_bytes()[0]);
        }
    }
    block.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_strings_have_a_length_of_several_bytes() {
        // The examples of RFC 7541, appendix C.1, with a prefix of seven bits.
        for (length, encoded) in [
            (126, &[126][..]),
            (127, &[127, 0]),
            (128, &[127, 1]),
            (127 + 1337, &[127, 0xb9, 0x0a]),
        ] {
            let mut block = Vec::new();
            encode_string(&mut block, &vec![b'x'; length]);
            assert_eq!(&block[..encoded.len()], encoded, "{length}");
            assert_eq!(block.len(), encoded.len() + length);
        }
    }
}
