//! What is wrong with a configuration: all of it, each fault with its place and what to do.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;

/// One fault of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Path of the key, as `limits.connections` or `endpoint.api.listen`; empty where the text is
    /// no TOML.
    pub key: String,
    /// Line of the file, counted from 1. None for what the command line said.
    pub line: Option<usize>,
    /// What is wrong.
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

/// A configuration that cannot be used. Displays every fault, one a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    /// The file that was read, where there was one.
    pub file: Option<PathBuf>,
    /// Every fault found: those of the file by line, then those of the command line.
    pub errors: Vec<ConfigError>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match (&self.file, fault.line) {
                (Some(file), Some(line)) => write!(f, "{}:{line}: ", file.display())?,
                (None, Some(line)) => write!(f, "line {line}: ")?,
                (_, None) => f.write_str("configuration: ")?,
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

/// What is wrong with one value; its reader knows the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl ValueError {
    /// A problem without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    /// The same with what to write instead.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The faults found so far.
#[derive(Debug, Default)]
pub(super) struct ErrorCollector {
    errors: RefCell<Vec<ConfigError>>,
    incomplete: bool,
}

impl ErrorCollector {
    /// A collection that starts with the faults of the text itself. Where there are some, parts of
    /// the file may be lost, so nothing is reported as missing.
    pub(super) fn from_parse_errors(faults: Vec<ConfigError>) -> Self {
        Self {
            incomplete: !faults.is_empty(),
            errors: RefCell::new(faults),
        }
    }

    /// Adds a fault of a value that is there.
    pub(super) fn add(&self, key: impl Into<String>, line: Option<usize>, problem: ValueError) {
        self.errors.borrow_mut().push(ConfigError {
            key: key.into(),
            line,
            message: problem.message,
            hint: problem.hint,
        });
    }

    /// Adds a fault that the rest of the file could lift.
    pub(super) fn add_missing(
        &self,
        key: impl Into<String>,
        line: Option<usize>,
        what: ValueError,
    ) {
        if !self.incomplete {
            self.add(key, line, what);
        }
    }

    /// All faults: those with a line first, in order.
    pub(super) fn into_sorted(self) -> Vec<ConfigError> {
        let mut faults = self.errors.into_inner();
        faults.sort_by_key(|fault| fault.line.unwrap_or(usize::MAX));
        faults
    }
}
