//! An error and its causes as one line.

use std::error::Error;

use crate::printable::printable;

/// The text of the error and of each cause, separated by colons. A cause whose text is already at
/// the end is left out. File names and texts of other programs in it are escaped. The limit of the
/// system on the size of a file is named, since the error alone does not tell whose limit it is.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    let mut is_beyond_limit = is_beyond_file_size(error);
    while let Some(cause) = source {
        is_beyond_limit |= is_beyond_file_size(cause);
        let message = cause.to_string();
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = cause.source();
    }
    if is_beyond_limit {
        text.push_str(FILE_SIZE_REMEDY);
    }
    printable(&text).into_owned()
}

/// What to do about [`is_beyond_file_size`].
const FILE_SIZE_REMEDY: &str = "; the system limits the size of the files of this process \
    (RLIMIT_FSIZE): raise it with `ulimit -f`, or with `LimitFSIZE` of its service";

/// True for the error EFBIG of a write beyond `ulimit -f`. Other libraries than the standard one
/// have types of their own for errors of the system, with the same text.
fn is_beyond_file_size(error: &dyn Error) -> bool {
    error.to_string().ends_with("(os error 27)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, ErrorKind};

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn joins_causes_with_colons() {
        let error = Outer(io::Error::other("inner"));
        assert_eq!(error_chain(&error), "outer: inner");
        let error = Outer(io::Error::other("in\n\x1b[2Jner"));
        assert_eq!(error_chain(&error), "outer: in\\n\\u{1b}[2Jner");
    }

    #[test]
    fn the_limit_of_the_system_on_the_size_of_a_file_is_named() {
        const EFBIG: i32 = 27;
        let error = Outer(io::Error::from_raw_os_error(EFBIG));
        assert!(error_chain(&error).ends_with(FILE_SIZE_REMEDY));
        // A limit of the gateway.
        let error = Outer(ErrorKind::FileTooLarge.into());
        assert!(!error_chain(&error).contains("ulimit"));
    }
}
