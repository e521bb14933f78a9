//! Session names, and the paths of their cassettes below the cassettes folder.

use thiserror::Error;

use super::escaped_path;

/// The name of a session, and its cassette's path below the cassettes folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionName {
    name: String,
    path: String,
}

impl SessionName {
    /// The session of a name. A simple name is its own path, and a space in it is `_`. Any other
    /// name is escaped, so that different names have different paths.
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
            return Ok(Self {
                path: simple.clone(),
                name: simple,
            });
        }
        Ok(Self {
            path: escaped_path::escape(name),
            name: name.to_owned(),
        })
    }

    /// The session whose cassette has this path, without the suffix; `None` if no session has it.
    pub fn from_path(path: &str) -> Option<Self> {
        let name = if is_simple(path) {
            path.to_owned()
        } else {
            escaped_path::unescape(path)?
        };
        Self::parse(&name).ok().filter(|parsed| parsed.path == path)
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

    /// The folder of the session's stored bodies, relative to the folder of its cassette.
    pub(crate) fn bodies_dir(&self) -> String {
        let last = self.path.rsplit('/').next().unwrap_or_default();
        format!("{last}{BODIES_SUFFIX}")
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

/// True if the name is a path below the cassettes folder as it is: ASCII letters, digits, `.`, `-`
/// and `_`, with `/` between folders.
fn is_simple(name: &str) -> bool {
    let is_allowed = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_' | '/');
    let mut folders = name.split('/');
    let last = folders.next_back().unwrap_or_default();
    let is_visible = |part: &str| !part.is_empty() && !part.starts_with('.');
    name.len() <= MAX_SIMPLE
        && name.chars().all(is_allowed)
        && folders.all(|part| is_visible(part) && !part.ends_with(BODIES_SUFFIX))
        && is_visible(last)
}

/// Maximum length of a name in bytes. Its path, where each byte may take three, fits in the 4,096
/// bytes of a path together with the cassettes folder.
const MAX_NAME: usize = 1024;

/// The longest file name, with all suffixes, must fit in the 255 bytes of file systems.
const MAX_SIMPLE: usize = 200;

/// The suffix of a folder of stored bodies.
pub(super) const BODIES_SUFFIX: &str = ".bodies";

/// The suffix of a cassette.
pub(super) const CASSETTE_SUFFIX: &str = ".jsons";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simple_name_is_its_path() {
        let long = "x".repeat(200);
        for (name, parsed) in [
            ("default", "default"),
            ("My Test-1.2_x", "My_Test-1.2_x"),
            ("suite/case", "suite/case"),
            ("a..b", "a..b"),
            ("a.bodies", "a.bodies"),
            ("aux", "aux"),
            (&*long, &*long),
        ] {
            let found = SessionName::parse(name).unwrap();
            assert_eq!((found.as_str(), found.path()), (parsed, parsed));
        }
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
