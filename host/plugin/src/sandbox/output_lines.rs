//! Lines of what a guest writes to its standard output and error. A language runtime writes a line
//! in several pieces.

/// Bytes of a line that are kept until its end arrives. What is longer is several lines.
const MAX_BYTES: usize = 4096;

/// The line that has begun.
#[derive(Debug, Default)]
pub(super) struct OutputLines {
    begun: Vec<u8>,
}

impl OutputLines {
    /// Adds output. `write` gets each line that is complete.
    pub(super) fn push(&mut self, bytes: &[u8], mut write: impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            for part in piece.chunks(MAX_BYTES) {
                if self.begun.len() + part.len() > MAX_BYTES {
                    self.end(&mut write);
                }
                self.begun.extend_from_slice(part);
            }
            if piece.ends_with(b"\n") {
                self.end(&mut write);
            }
        }
    }

    /// Ends the line that has begun: no more output comes.
    pub(super) fn end(&mut self, write: impl FnOnce(&str)) {
        let line = std::mem::take(&mut self.begun);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if !text.is_empty() {
            write(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_line_are_joined() {
        let (mut lines, mut seen) = (OutputLines::default(), Vec::new());
        for piece in ["one", " ", "two\n", "\n \nthree\r\nfo", "ur"] {
            lines.push(piece.as_bytes(), |line| seen.push(line.to_owned()));
        }
        assert_eq!(seen, ["one two", "three"]);
        lines.end(|line| seen.push(line.to_owned()));
        lines.end(|line| seen.push(line.to_owned()));
        assert_eq!(seen, ["one two", "three", "four"]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let (mut lines, mut sizes) = (OutputLines::default(), Vec::new());
        lines.push(&[b'x'; 3 * MAX_BYTES + 1], |line| sizes.push(line.len()));
        lines.end(|line| sizes.push(line.len()));
        assert_eq!(sizes, [MAX_BYTES, MAX_BYTES, MAX_BYTES, 1]);
    }
}
