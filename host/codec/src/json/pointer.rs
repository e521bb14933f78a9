//! JSON pointers (RFC 6901).

use std::fmt;
use std::str::FromStr;

/// A JSON pointer (RFC 6901) in which the step `*` matches every index or member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pointer(Vec<Step>);

/// One step of a pointer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Every member of an object and every element of an array.
    Wildcard,
    /// The member of this name, or the element of this index.
    Name(String),
}

impl Pointer {
    /// Parses a pointer: empty for the whole document, else steps that each begin with `/`.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let steps = text.strip_prefix('/').ok_or(PointerError::NoSlash)?;
        let steps = steps.split('/').map(|step| match step {
            "*" => Ok(Step::Wildcard),
            name => unescape(name).map(Step::Name),
        });
        Ok(Self(steps.collect::<Result<_, _>>()?))
    }

    /// The steps from the root, for those who walk a document along several pointers at once.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        Self::parse(text)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            match step {
                Step::Wildcard => out.write_str("/*")?,
                Step::Name(name) => write!(out, "/{}", escape(name))?,
            }
        }
        Ok(())
    }
}

impl Step {
    /// True if the step matches a member of this name.
    pub fn is_member(&self, member: &str) -> bool {
        match self {
            Self::Wildcard => true,
            Self::Name(name) => name == member,
        }
    }

    /// True if the step matches the element at this index.
    pub fn is_element(&self, element: usize) -> bool {
        match self {
            Self::Wildcard => true,
            Self::Name(name) => index(name) == Some(element),
        }
    }
}

/// Why a text is not a JSON pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// It is neither empty nor starts with `/`.
    #[error("a JSON pointer is empty or begins with `/`")]
    NoSlash,
    /// A `~` is not followed by `0` or `1`.
    #[error("`~` is written `~0` in a JSON pointer, and `/` in a name `~1`")]
    Escape,
}

/// Escapes a member name for a pointer: `~` becomes `~0`, `/` becomes `~1`.
pub fn escape(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

fn unescape(step: &str) -> Result<String, PointerError> {
    let mut parts = step.split('~');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some(rest) = part.strip_prefix('0') {
            name.push('~');
            name.push_str(rest);
        } else if let Some(rest) = part.strip_prefix('1') {
            name.push('/');
            name.push_str(rest);
        } else {
            return Err(PointerError::Escape);
        }
    }
    Ok(name)
}

/// Parses an index. It has no leading zeros and no sign (RFC 6901, section 4).
pub(super) fn index(name: &str) -> Option<usize> {
    let digits = name.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (name == "0" || !name.starts_with('0'));
    canonical.then(|| name.parse().ok()).flatten()
}
