//! Patterns in which `*` matches any characters, `/` included.

/// True if `pattern` matches the whole `text`. The worst-case time is the product of both lengths;
/// there is no recursion.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // The last star, and the end of the text that it matches so far.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star, from)) = retry {
            // The last star matches one more byte, and the rest is tried again.
            retry = Some((star, from + 1));
            p = star + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
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
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }
}
