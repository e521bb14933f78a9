//! The path of a name: file names that Linux, macOS and Windows accept, and that
//! differ in more than the case of letters if the names differ.
//!
//! - `%` and two lower-case hexadecimal digits are one byte of UTF-8.
//! - `+` precedes an upper-case letter.
//! - A folder that ends with `%` is the first part of a longer file name.
//!
//! `/` separates folders, unless a folder would have no name.

use super::own_suffixes;

/// Maximum length in bytes of one file name: with all suffixes it must fit in the 255 bytes of file
/// systems.
const MAX_PART: usize = 200;

/// Marks the part of a file name that the next folder or file continues.
const CONTINUES: char = '%';

/// The names of devices on Windows, with any suffix.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// The path of a name.
pub(super) fn escape(name: &str) -> String {
    let mut parts = name.split('/').peekable();
    let mut components: Vec<String> = Vec::new();
    let mut current = parts.next().unwrap_or_default().to_owned();
    for next in parts {
        // A slash without a name on each side is a character of the file name.
        if current.is_empty() || current.ends_with('/') || next.is_empty() {
            current.push('/');
            current.push_str(next);
        } else {
            components.push(std::mem::replace(&mut current, next.to_owned()));
        }
    }
    components.push(current);
    let last = components.len() - 1;
    let escaped = components
        .iter()
        .enumerate()
        .map(|(at, component)| escape_component(component, at < last));
    escaped.collect::<Vec<_>>().join("/")
}

/// The name of a path; `None` if the path is not made by [`escape`]. Whether the name has just this
/// path is for the caller to check.
pub(super) fn unescape(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let joined = path.replace(&format!("{CONTINUES}/"), "");
    let mut rest = joined.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'%' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &rest[2..];
            }
            b'+' => {}
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// One file name, or several folders of which each continues the one before.
fn escape_component(component: &str, is_folder: bool) -> String {
    let mut parts = vec![String::new()];
    for character in component.chars() {
        let token = token(character);
        let last = parts
            .last_mut()
            .filter(|part| part.len() + token.len() <= MAX_PART);
        match last {
            // A hidden file is not a cassette.
            Some(part) if part.is_empty() && character == '.' => part.push_str(&hex(b'.')),
            Some(part) => part.push_str(&token),
            None => {
                let first = if character == '.' { hex(b'.') } else { token };
                parts.push(first);
            }
        }
    }
    let last = parts.len() - 1;
    for (at, part) in parts.iter_mut().enumerate() {
        if at < last {
            part.push(CONTINUES);
            continue;
        }
        if is_device(part) {
            *part = hex(part.as_bytes()[0]) + &part[1..];
        }
        if is_folder && (own_suffixes::is_own(part) || part.ends_with('.')) {
            let dot = part.rfind('.').unwrap_or_default();
            part.replace_range(dot..=dot, &hex(b'.'));
        }
    }
    parts.join("/")
}

fn token(character: char) -> String {
    match character {
        'a'..='z' | '0'..='9' | '.' | '-' | '_' | '[' | ']' | '(' | ')' | ',' | '=' | '@' => {
            character.to_string()
        }
        'A'..='Z' => format!("+{character}"),
        _ => {
            let mut buffer = [0; 4];
            let bytes = character.encode_utf8(&mut buffer).bytes();
            bytes.map(hex).collect()
        }
    }
}

fn hex(byte: u8) -> String {
    format!("%{byte:02x}")
}

/// True if Windows takes the file name for a device: a device and any suffix.
fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default();
    let port = ["com", "lpt"]
        .iter()
        .find_map(|port| stem.strip_prefix(port));
    let is_port = port.is_some_and(|digit| {
        digit.len() == 1 && digit != "0" && digit.as_bytes()[0].is_ascii_digit()
    });
    DEVICES.contains(&stem) || is_port
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::store::session_name::SessionName;

    fn path(name: &str) -> String {
        SessionName::parse(name).unwrap().path().to_owned()
    }

    #[test]
    fn names_of_tests_have_readable_paths() {
        for (name, expected) in [
            (
                "tests/test_a.py::TestCart::test_b[param1-2]",
                "tests/test_a.py%3a%3a+Test+Cart%3a%3atest_b[param1-2]",
            ),
            ("test_foo[a b]", "test_foo[a%20b]"),
            ("TestAdd/with_1+1=2", "+Test+Add/with_1%2b1=2"),
            ("caf\u{e9}", "caf%c3%a9"),
            ("cafe\u{301}", "cafe%cc%81"),
            ("a\\b", "a%5cb"),
            ("50%", "50%25"),
            ("..", "%2e."),
            ("a/../b", "a/%2e%2e/b"),
            ("a/./b", "a/%2e/b"),
            ("/a", "%2fa"),
            ("a/", "a%2f"),
            ("a//b", "a%2f%2fb"),
            (".hidden", "%2ehidden"),
            ("a.bodies/b", "a%2ebodies/b"),
            ("a./b~", "a%2e/b%7e"),
            (
                "x:/con/aux.txt/com1/com0",
                "x%3a/%63on/%61ux.txt/%63om1/com0",
            ),
        ] {
            assert_eq!(path(name), expected, "{name}");
        }
    }

    #[test]
    fn a_long_name_continues_in_folders() {
        let long = format!("{}.{}", "x".repeat(200), "\u{e9}".repeat(120));
        let path = path(&long);
        let parts: Vec<_> = path.split('/').collect();
        assert_eq!(parts[0], "x".repeat(200) + "%");
        assert!(parts[1].starts_with("%2e%c3%a9"), "{path}");
        assert!(
            parts.iter().all(|part| part.len() <= MAX_PART + 3),
            "{path}"
        );
        assert_eq!(SessionName::from_path(&path).unwrap().as_str(), long);
    }

    /// A generator of numbers (xorshift64).
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % bound as u64).unwrap()
        }
    }

    /// Texts that escapes, folders, devices and suffixes are made of.
    const PIECES: [&str; 40] = [
        "a",
        "A",
        "b",
        "B",
        "/",
        "//",
        ".",
        "..",
        "%",
        "%41",
        "%2f",
        "%/",
        "+",
        "+A",
        " ",
        "_",
        "-",
        "::",
        "[",
        "]",
        "con",
        "Con",
        "com1",
        "aux.",
        ".bodies",
        ".jsons",
        ".previous",
        ".incomplete",
        ".recording",
        ".torn",
        ".new",
        "\\",
        "?",
        "*",
        "\u{e9}",
        "e\u{301}",
        "\u{c9}",
        "\u{1f980}",
        "~",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ];

    /// As a file system that ignores case and trailing dots of folders sees a path.
    fn folded(path: &str) -> String {
        path.to_lowercase()
    }

    fn assert_is_portable(path: &str) {
        for part in path.split('/') {
            assert!((1..=MAX_PART + 3).contains(&part.len()), "{path}");
            assert!(
                part.is_ascii() && !part.starts_with('.') && !part.ends_with(' '),
                "{path}"
            );
            assert!(
                !part.contains(['<', '>', ':', '"', '\\', '|', '?', '*', ' ']),
                "{path}"
            );
        }
        let (folders, last) = path.rsplit_once('/').unwrap_or(("", path));
        // No folder is a file or the stored bodies of another session.
        assert!(!folders.split('/').any(own_suffixes::is_own), "{path}");
        assert!(
            !folders
                .split('/')
                .any(|it| it.ends_with('.') || is_device(it)),
            "{path}"
        );
        assert!(!is_device(last), "{path}");
    }

    #[test]
    fn every_name_has_a_path_of_its_own_that_names_it() {
        let mut numbers = Numbers(0x0dd_ba11);
        let mut seen: HashMap<String, String> = HashMap::new();
        for _ in 0..60_000 {
            let most = if numbers.below(20) == 0 { 30 } else { 6 };
            let count = 1 + numbers.below(most);
            let name: String = (0..count)
                .map(|_| PIECES[numbers.below(PIECES.len())])
                .collect();
            let parsed = SessionName::parse(&name).unwrap();
            let again = SessionName::from_path(parsed.path());
            assert_eq!(again.as_ref(), Some(&parsed), "{name:?}");
            assert_eq!(
                SessionName::parse(parsed.as_str()).unwrap(),
                parsed,
                "{name:?}"
            );
            if !name.contains(' ') {
                assert_eq!(parsed.as_str(), name);
            }
            assert_is_portable(parsed.path());
            let other = seen.insert(folded(parsed.path()), parsed.as_str().to_owned());
            assert!(
                other.as_ref().is_none_or(|other| other == parsed.as_str()),
                "{name:?} and {other:?} have the path {}",
                parsed.path()
            );
        }
    }

    /// What a session creates: its files, and the folders that hold them.
    fn created(path: &str) -> (Vec<String>, Vec<String>) {
        let cassette = format!("{path}{}", own_suffixes::CASSETTE);
        let beside = own_suffixes::BESIDE.iter();
        let mut files: Vec<_> = beside.map(|it| format!("{cassette}{it}")).collect();
        files.push(cassette);
        let bodies = format!("{path}{}", own_suffixes::BODIES);
        let above = path
            .match_indices('/')
            .map(|(end, _)| path[..end].to_owned());
        let mut folders: Vec<_> = above.collect();
        files.push(format!("{bodies}/{}", "0".repeat(64)));
        files.push(format!("{bodies}/.writing-{}", "0".repeat(64)));
        folders.push(bodies);
        (files, folders)
    }

    /// The lock of a session is on its cassette, so it is one of the files.
    #[test]
    fn no_name_collides_with_the_files_of_another_session() {
        let mut numbers = Numbers(0x0c01_11de);
        let mut names = Vec::new();
        for _ in 0..3000 {
            let count = 1 + numbers.below(3);
            let base: String = (0..count)
                .map(|_| PIECES[numbers.below(PIECES.len())])
                .collect();
            // Names that are made of the file names of another one.
            let beside = own_suffixes::BESIDE[numbers.below(own_suffixes::BESIDE.len())];
            let piece = PIECES[numbers.below(PIECES.len())];
            names.extend([
                format!("{base}.jsons"),
                format!("{base}.jsons/{piece}"),
                format!("{base}.jsons{beside}"),
                format!("{base}.jsons{beside}/{piece}"),
                format!("{base}.bodies/{piece}"),
                format!("{base}.bodies/{}", "0".repeat(64)),
                format!("{base}.bodies/.writing-{}", "0".repeat(64)),
                base.to_uppercase(),
                base.to_lowercase(),
                base,
            ]);
        }
        let mut owners: HashMap<String, (String, bool)> = HashMap::new();
        for name in names {
            let parsed = SessionName::parse(&name).unwrap();
            let (files, folders) = created(parsed.path());
            let files = files.iter().map(|it| (it, true));
            let folders = folders.iter().map(|it| (it, false));
            for (path, is_file) in files.chain(folders) {
                let own = (parsed.as_str().to_owned(), is_file);
                let other = owners.entry(folded(path)).or_insert_with(|| own.clone());
                // Folders may be shared, unless they hold the bodies of one session.
                let is_shared = !is_file && !other.1 && !path.ends_with(own_suffixes::BODIES);
                assert!(
                    *other == own || is_shared,
                    "{name:?} and {:?} both have {path}",
                    other.0
                );
            }
        }
    }

    #[test]
    fn any_text_is_a_path_of_one_name_or_of_none() {
        let mut numbers = Numbers(77);
        for _ in 0..60_000 {
            let count = 1 + numbers.below(6);
            let path: String = (0..count)
                .map(|_| PIECES[numbers.below(PIECES.len())])
                .collect();
            if let Some(name) = SessionName::from_path(&path) {
                assert!(name.path() == path || name.former_path() == Some(&path));
            }
        }
    }
}
