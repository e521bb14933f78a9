//! Session names. They are used as file names, so they must not lead out of the cassettes folder.

use thiserror::Error;

/// A name that is safe as a path below the cassettes folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionName(String);

impl SessionName {
    /// Validates a name, and replaces each space by `_`.
    ///
    /// # Errors
    /// If the name is empty or longer than 200 bytes, has a character other than ASCII letters,
    /// digits, `.`, `-`, `_`, space and `/`, or a component that is empty, starts with a dot, or is
    /// the folder of another cassette's bodies.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        if name.is_empty() || name.len() > MAX_LENGTH {
            return Err(NameError::Length(name.len()));
        }
        if let Some(character) = name.chars().find(|it| !is_allowed(*it)) {
            return Err(NameError::Character(character));
        }
        let name = name.replace(' ', "_");
        let mut folders = name.split('/');
        let last = folders.next_back().unwrap_or_default();
        let is_invalid = |part: &str| part.is_empty() || part.starts_with('.');
        match folders.find(|part| is_invalid(part) || part.ends_with(BODIES_SUFFIX)) {
            Some(part) => Err(NameError::Component(part.to_owned())),
            None if is_invalid(last) => Err(NameError::Component(last.to_owned())),
            None => Ok(Self(name)),
        }
    }

    /// The name, with `/` between folders.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder of the session's stored bodies, relative to the folder of its cassette.
    pub(crate) fn bodies_dir(&self) -> String {
        let last = self.0.rsplit('/').next().unwrap_or_default();
        format!("{last}{BODIES_SUFFIX}")
    }
}

/// Why a text is not a valid session name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// The length in bytes.
    #[error("a session name must have 1 to {MAX_LENGTH} bytes, not {0}")]
    Length(usize),
    /// The first character that is not allowed.
    #[error("a session name may contain letters, digits, `.`, `-`, `_`, `/` and spaces, not {0:?}")]
    Character(char),
    /// The first part between slashes that is not allowed.
    #[error("a session name must not have the part {0:?} between slashes")]
    Component(String),
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_' | '/' | ' ')
}

/// The longest file name, with all suffixes, must fit in the 255 bytes of file systems.
const MAX_LENGTH: usize = 200;

/// The suffix of a folder of stored bodies.
pub(super) const BODIES_SUFFIX: &str = ".bodies";

/// The suffix of a cassette.
pub(super) const CASSETTE_SUFFIX: &str = ".jsons";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_safe_names() {
        let long = "x".repeat(200);
        for (name, parsed) in [
            ("default", "default"),
            ("My Test-1.2_x", "My_Test-1.2_x"),
            ("suite/case", "suite/case"),
            ("a..b", "a..b"),
            ("a.bodies", "a.bodies"),
            (&*long, &*long),
        ] {
            assert_eq!(SessionName::parse(name).unwrap().as_str(), parsed);
        }
        let long = "x".repeat(201);
        for name in [
            "",
            &*long,
            ".",
            "..",
            "/a",
            "a/",
            "a//b",
            "a/../b",
            "a/./b",
            ".hidden",
            "a/.b",
            "a\\b",
            "a\0",
            "a%2e",
            "a\n",
            "\u{e9}",
            "~",
            "a:b",
            "a.bodies/b",
        ] {
            assert!(SessionName::parse(name).is_err(), "{name:?}");
        }
    }
}
