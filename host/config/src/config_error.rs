//! The errors of a configuration: all of them at once, each with its key, its line and what to
//! write instead.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;

/// One error of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Path of the key, as `limits.connections` or `endpoint.api.listen`; empty if the text is not
    /// TOML.
    pub key: String,
    /// Line of the file, counted from 1. None if no line of the file is at fault.
    pub line: Option<usize>,
    /// What was found, and what was expected.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

/// The errors of a configuration that cannot be used. Displays one per line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// All errors: those of the file in the order of its lines, then those of the command line.
    pub errors: Vec<ConfigError>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match (&self.file, error.line) {
                (Some(file), Some(line)) => write!(f, "{}:{line}: ", file.display())?,
                (None, Some(line)) => write!(f, "line {line}: ")?,
                (_, None) => f.write_str("configuration: ")?,
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

/// What is wrong with one value. Its reader knows the key and the line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    /// What was found, and what was expected.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl ValueError {
    /// An error without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    /// The same error with what to write instead.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The errors found so far.
#[derive(Debug, Default)]
pub(super) struct ErrorCollector {
    errors: RefCell<Vec<ConfigError>>,
    /// The text has syntax errors, so keys may be lost.
    is_incomplete: bool,
}

impl ErrorCollector {
    /// A collector that starts with the syntax errors of the text. If there are any, no key is
    /// reported as missing.
    pub(super) fn from_syntax_errors(errors: Vec<ConfigError>) -> Self {
        Self {
            is_incomplete: !errors.is_empty(),
            errors: RefCell::new(errors),
        }
    }

    /// Adds an error of a value that is present.
    pub(super) fn add(&self, key: impl Into<String>, line: Option<usize>, problem: ValueError) {
        self.errors.borrow_mut().push(ConfigError {
            key: key.into(),
            line,
            message: problem.message,
            hint: problem.hint,
        });
    }

    /// Adds the error that a key is missing.
    pub(super) fn add_missing(
        &self,
        key: impl Into<String>,
        line: Option<usize>,
        problem: ValueError,
    ) {
        if !self.is_incomplete {
            self.add(key, line, problem);
        }
    }

    /// All errors in the order of their lines; those without a line last.
    pub(super) fn into_sorted(self) -> Vec<ConfigError> {
        let mut errors = self.errors.into_inner();
        errors.sort_by_key(|error| error.line.unwrap_or(usize::MAX));
        errors
    }
}
