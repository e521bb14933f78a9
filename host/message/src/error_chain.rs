//! An error and its causes as one line.

use crate::printable::printable;

/// The text of the error and of each cause, separated by colons. A cause whose text is already at
/// the end is left out. File names and texts of other programs in it are escaped.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let message = cause.to_string();
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = cause.source();
    }
    printable(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::error_chain;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn joins_causes_with_colons() {
        let error = Outer(std::io::Error::other("inner"));
        assert_eq!(error_chain(&error), "outer: inner");
        let error = Outer(std::io::Error::other("in\n\x1b[2Jner"));
        assert_eq!(error_chain(&error), "outer: in\\n\\u{1b}[2Jner");
    }
}
