//! Session names, and the paths of their cassettes below the cassettes folder.

use thiserror::Error;

use super::{escaped_path, own_suffixes};

/// The name of a session, and its cassette's path below the cassettes folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionName {
    name: String,
    path: String,
    /// The path that earlier versions gave to the name.
    former: Option<String>,
}

impl SessionName {
    /// The session of a name. A space in a simple name is `_`. The path is the name, escaped so
    /// that names have different paths, and no path is that of another session's files.
    ///
    /// # Errors
    /// If the name is empty, longer than 1,024 bytes, or has a control character.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(NameError::Length(name.len()));
        }
        if let Some(character) = name.chars().find(|it| it.is_control()) {
            return Err(NameError::Control(character));
        }
        let simple = name.replace(' ', "_");
        if is_simple(&simple) {
            let path = escaped_path::escape(&simple);
            return Ok(Self {
                former: (path != simple).then(|| simple.clone()),
                path,
                name: simple,
            });
        }
        Ok(Self {
            path: escaped_path::escape(name),
            name: name.to_owned(),
            former: None,
        })
    }

    /// The session whose cassette has this path, without the suffix; `None` if no session has it.
    pub fn from_path(path: &str) -> Option<Self> {
        let named = escaped_path::unescape(path).and_then(|name| Self::parse(&name).ok());
        let former = || {
            let named = Self::parse(path).ok();
            named.filter(|named| named.former.as_deref() == Some(path))
        };
        named.filter(|named| named.path == path).or_else(former)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The path of the cassette below the cassettes folder, with `/` between folders and without
    /// the suffix.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path that earlier versions gave to the name, if it is another one.
    pub(super) fn former_path(&self) -> Option<&str> {
        self.former.as_deref()
    }
}

/// Why a text is not a valid session name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// The length in bytes.
    #[error("a session name must have 1 to {MAX_NAME} bytes, not {0}")]
    Length(usize),
    /// The first control character.
    #[error("a session name must not have the control character {0:?}; leave it out")]
    Control(char),
}

/// True if earlier versions took the name for a path as it is: ASCII letters, digits, `.`, `-` and
/// `_`, with `/` between folders.
fn is_simple(name: &str) -> bool {
    let is_allowed = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_' | '/');
    let mut folders = name.split('/');
    let last = folders.next_back().unwrap_or_default();
    let is_visible = |part: &str| !part.is_empty() && !part.starts_with('.');
    name.len() <= MAX_SIMPLE
        && name.chars().all(is_allowed)
        && folders.all(|part| is_visible(part) && !part.ends_with(own_suffixes::BODIES))
        && is_visible(last)
}

/// Maximum length of a name in bytes. Its path, where each byte may take three, fits in the 4,096
/// bytes of a path together with the cassettes folder.
const MAX_NAME: usize = 1024;

/// The longest file name, with all suffixes, must fit in the 255 bytes of file systems.
const MAX_SIMPLE: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simple_name_is_its_path() {
        let long = "x".repeat(200);
        for (name, parsed) in [
            ("default", "default"),
            ("my test-1.2_x", "my_test-1.2_x"),
            ("suite/case", "suite/case"),
            ("a..b", "a..b"),
            ("a.bodies", "a.bodies"),
            (&*long, &*long),
        ] {
            let found = SessionName::parse(name).unwrap();
            assert_eq!((found.as_str(), found.path()), (parsed, parsed));
        }
    }

    #[test]
    fn a_simple_name_that_others_could_collide_with_has_another_path_than_before() {
        for (name, path) in [
            ("TestAdd", "+Test+Add"),
            ("x.jsons/y", "x%2ejsons/y"),
            ("x.jsons.recording/y", "x.jsons%2erecording/y"),
            ("x.jsons.new/y", "x.jsons%2enew/y"),
            ("a./b", "a%2e/b"),
            ("aux", "%61ux"),
        ] {
            let found = SessionName::parse(name).unwrap();
            assert_eq!((found.path(), found.former_path()), (path, Some(name)));
            assert_eq!(SessionName::from_path(path).as_ref(), Some(&found));
            assert_eq!(SessionName::from_path(name).as_ref(), Some(&found));
        }
        let same = SessionName::parse("suite/case-1").unwrap();
        assert_eq!(same.former_path(), None);
    }

    #[test]
    fn names_without_a_path_are_refused() {
        let long = "x".repeat(1025);
        for (name, reason) in [
            ("", "1 to 1024 bytes, not 0"),
            (&*long, "1 to 1024 bytes, not 1025"),
            ("a\0", "the control character '\\0'"),
            ("a\n", "the control character '\\n'"),
            ("a\u{85}", "the control character '\\u{85}'"),
        ] {
            let error = SessionName::parse(name).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_path_that_no_name_has_is_no_session() {
        for path in [
            "",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/../b",
            "a.bodies/b",
            "a b",
            "a%",
            "a%4",
            "a%41",
            "a%3A",
            "a+",
            "a+b",
            "A[",
            "%61",
            "a%/b",
            "a%ff",
            "a%0a",
            "con[%5d",
        ] {
            assert_eq!(SessionName::from_path(path), None, "{path}");
        }
    }
}
