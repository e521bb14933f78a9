//! Names the form in which two paths differ that look like the same path.

use ouli_codec::form;

/// The name of a form, and what makes paths equal that differ in nothing else.
type Form = (&'static str, fn(&str) -> String);

/// The form in which the paths differ. None if more than their form differs.
pub(super) fn difference(live: &str, recorded: &str) -> Option<&'static str> {
    let forms: [Form; 5] = [
        ("case", |path| path.to_lowercase()),
        ("a trailing slash", without_trailing_slash),
        ("case and a trailing slash", |path| {
            without_trailing_slash(&path.to_lowercase())
        }),
        ("percent-encoding", decoded),
        ("repeated slashes", without_repeated_slashes),
    ];
    let same = |normalise: fn(&str) -> String| normalise(live) == normalise(recorded);
    let found = forms.into_iter().find(|(_, normalise)| same(*normalise));
    found.map(|(name, _)| name)
}

/// True if the paths are equal but for case and a trailing slash.
pub(super) fn is_alike(live: &str, recorded: &str) -> bool {
    let strip = |path| str::strip_suffix(path, '/').unwrap_or(path);
    strip(live).eq_ignore_ascii_case(strip(recorded))
}

fn without_trailing_slash(path: &str) -> String {
    path.strip_suffix('/').unwrap_or(path).to_owned()
}

/// A plus sign stands for itself in a path.
fn decoded(path: &str) -> String {
    form::decode(path.replace('+', "%2B").as_bytes())
}

fn without_repeated_slashes(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !text.ends_with('/') {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_alone_differs() {
        for (live, recorded, expected) in [
            ("/V1/Users", "/v1/users", Some("case")),
            ("/v1/users/", "/v1/users", Some("a trailing slash")),
            ("/v1/Users", "/v1/users/", Some("case and a trailing slash")),
            ("/a%7Eb+c", "/a~b%2Bc", Some("percent-encoding")),
            ("/a//b", "/a/b", Some("repeated slashes")),
            ("/a", "/b", None),
            ("/a+b", "/a b", None),
            ("/", "", Some("a trailing slash")),
        ] {
            assert_eq!(difference(live, recorded), expected, "{live} {recorded}");
        }
        assert!(is_alike("/A/b/", "/a/B"));
        assert!(!is_alike("/A/b/", "/a/c"));
    }
}
