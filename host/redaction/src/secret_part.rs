//! Whether a text ends with the first part of a known secret.

use crate::encoded_secret::EncodedSecret;
use crate::encodings::Encoding;
use crate::secret::Secret;

/// True if a text ends with the first part of a secret, in any encoding.
pub(super) fn ends_with_part(text: &[u8], secret: &Secret) -> bool {
    let mut encodings = EncodedSecret::all(secret.value()).into_iter();
    encodings.any(|encoded| {
        let is_word = encoded.encoding == Encoding::Raw && secret.is_word();
        // No more of a secret fits into the text.
        let bytes = encoded.part(0..encoded.len.min(text.len() + 1));
        part_starts(text, &bytes, encoded.len).any(|start| !is_word || starts_word(text, start))
    })
}

/// Where a text may end with a part of a secret that begins with these bytes and has this length,
/// if the part is long enough to tell something.
fn part_starts(text: &[u8], bytes: &[u8], len: usize) -> impl Iterator<Item = usize> {
    let min_len = (len / 2).clamp(1, MAX_COMMON_LEN);
    let from = (text.len() + 1).saturating_sub(len);
    let starts = memchr::memmem::find_iter(&text[from..], &bytes[..min_len.min(bytes.len())]);
    let starts = starts.map(move |at| from + at).collect::<Vec<_>>();
    starts
        .into_iter()
        .filter(|start| bytes.starts_with(&text[*start..]))
}

/// A shorter part occurs by chance.
const MAX_COMMON_LEN: usize = 6;

fn starts_word(text: &[u8], start: usize) -> bool {
    let before = start.checked_sub(1).map(|at| text[at]);
    !before.is_some_and(|byte| byte.is_ascii_alphanumeric())
}
