//! Patterns in which `*` matches any characters, `/` included.

/// True if `pattern` matches the whole `text`, in time linear in both lengths: each part between
/// two stars is taken at its first place.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut left) = text.strip_prefix(first) else {
        return false;
    };
    let (between, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in between.split('*') {
        let Some(at) = left.find(part) else {
            return false;
        };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn star_matches_any_characters() {
        let cases = [
            ("/v1/*", "/v1/chat/completions", true),
            ("/v1/*", "/v1/", true),
            ("/v1/*", "/v1", false),
            ("/healthz", "/healthz", true),
            ("/healthz", "/healthz/x", false),
            ("*", "", true),
            ("*.json", "/a/b.json", true),
            ("/a*b*c", "/axxbyyc", true),
            ("/a*b*c", "/axxbyyd", false),
            ("/a*aa", "/aa", false),
            ("/a*aa", "/aaa", true),
            ("**", "x", true),
            ("*é*", "aéb", true),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }
}
