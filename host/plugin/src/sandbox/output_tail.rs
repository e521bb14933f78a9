//! The end of what a guest wrote to its standard output and error during a call. A language runtime
//! writes there why it gives up.

use ouli_message::printable::printable;

/// Bytes that are kept. The last lines name the error.
const MAX_BYTES: usize = 800;

/// The last bytes of the output of one call.
#[derive(Debug, Default)]
pub(crate) struct OutputTail {
    bytes: Vec<u8>,
    /// Output was dropped, since it may quote a secret that is not known yet.
    is_withheld: bool,
}

impl OutputTail {
    /// Forgets the output of the call before.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.is_withheld = false;
    }

    /// Notes that there was output that must not be shown.
    pub(super) fn withhold(&mut self) {
        self.is_withheld = true;
    }

    /// Adds output.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let last = &bytes[bytes.len().saturating_sub(MAX_BYTES)..];
        let kept = MAX_BYTES - last.len();
        self.bytes.drain(..self.bytes.len().saturating_sub(kept));
        self.bytes.extend_from_slice(last);
    }

    /// What an error says about the output. `sanitize` removes what must not be shown.
    pub(crate) fn explain(&self, sanitize: impl FnOnce(&str) -> String) -> String {
        if self.is_withheld {
            return "; its output is withheld, since that of a redactor may quote a secret"
                .to_owned();
        }
        let text = String::from_utf8_lossy(&self.bytes);
        let text = text.trim();
        match text.is_empty() {
            true => String::new(),
            false => {
                let shown = sanitize(text);
                // One line, as an error is part of other texts.
                let lines = shown.lines().map(|line| printable(line.trim()));
                format!("; its output: {}", lines.collect::<Vec<_>>().join(" | "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_are_kept_and_escaped() {
        let mut tail = OutputTail::default();
        let shown = |tail: &OutputTail| tail.explain(str::to_owned);
        assert_eq!(shown(&tail), "");
        tail.push(b"Traceback:\n  line 1\n");
        tail.push(b"ValueError: \x1b[31mdoor\n");
        assert_eq!(
            shown(&tail),
            "; its output: Traceback: | line 1 | ValueError: \\u{1b}[31mdoor"
        );
        tail.push(&[b'x'; 10_000]);
        tail.push(b"end");
        assert_eq!(tail.bytes.len(), MAX_BYTES);
        assert!(shown(&tail).ends_with("xend"));
        tail.withhold();
        assert!(!shown(&tail).contains("end"));
        tail.clear();
        assert_eq!(shown(&tail), "");
    }
}
