//! Whether a text ends with the first part of a known secret.

use crate::encodings::Encoding;
use crate::secret::Secret;

/// True if a text ends with the first part of a secret, in any encoding.
pub(super) fn ends_with_part(text: &[u8], secret: &Secret) -> bool {
    let encodings = Encoding::distinct_encodings(secret.value()).into_iter();
    let mut parts = encodings.filter(|(encoding, bytes)| {
        let is_word = *encoding == Encoding::Raw && secret.is_word();
        part_starts(text, bytes).any(|start| !is_word || starts_word(text, start))
    });
    parts.next().is_some()
}

/// Where a text may end with a part of these bytes that is long enough to tell something.
fn part_starts(text: &[u8], bytes: &[u8]) -> impl Iterator<Item = usize> {
    let min_len = (bytes.len() / 2).clamp(1, MAX_COMMON_LEN);
    let from = (text.len() + 1).saturating_sub(bytes.len());
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
