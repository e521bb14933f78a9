//! Decodes and encodes `aws-chunked` piece by piece.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::ops::Range;

/// Passes on the bytes in some ranges, and drops the bytes between them.
pub(super) struct RangeWriter {
    inner: Box<dyn Write>,
    ranges: VecDeque<Range<usize>>,
    at: usize,
}

impl RangeWriter {
    /// The ranges are ascending.
    pub(super) fn new(inner: Box<dyn Write>, ranges: Vec<Range<usize>>) -> Self {
        Self {
            inner,
            ranges: ranges.into(),
            at: 0,
        }
    }
}

impl Write for RangeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let end = self.at + bytes.len();
        while let Some(range) = self.ranges.front() {
            let (from, to) = (range.start.max(self.at), range.end.min(end));
            if from < to {
                self.inner.write_all(&bytes[from - self.at..to - self.at])?;
            }
            if range.end > end {
                break;
            }
            self.ranges.pop_front();
        }
        self.at = end;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes each piece as a chunk of `aws-chunked`, and the last chunk when it is dropped.
pub(super) struct ChunkWriter(Box<dyn Write>);

impl ChunkWriter {
    pub(super) fn new(inner: Box<dyn Write>) -> Self {
        Self(inner)
    }
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !bytes.is_empty() {
            write!(self.0, "{:x}\r\n", bytes.len())?;
            self.0.write_all(bytes)?;
            self.0.write_all(b"\r\n")?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Drop for ChunkWriter {
    fn drop(&mut self) {
        // It writes to memory.
        let _ = self.0.write_all(b"0\r\n\r\n");
    }
}
