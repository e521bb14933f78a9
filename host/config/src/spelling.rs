//! Suggestions for misspelled words, and keys as TOML writes them.

/// The known word that was probably meant.
pub(super) fn closest_match<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    let scored = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate));
    let (distance, candidate) = scored.min()?;
    // A third of the letters may differ; anything more is a guess.
    (distance * 3 <= candidate.len().max(3)).then_some(candidate)
}

/// A key as TOML writes it: in quotes unless it is bare.
pub(super) fn quote_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) {
        return key.to_owned();
    }
    format!("{key:?}")
}
