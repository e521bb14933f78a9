//! Collects decoded bytes within the limits.

use std::io::{self, Read};

use bytes::Bytes;

use super::bounds::{Bounds, CHUNK_SIZE, RATIO_FROM};
use super::coding::Coding;
use super::error::{CodingError, invalid};

/// Collects decoded bytes within the limits.
pub(super) struct Sink {
    out: Vec<u8>,
    input: u64,
    coding: Coding,
    bounds: Bounds,
}

impl Sink {
    pub(super) fn new(input: usize, coding: Coding, bounds: Bounds) -> Self {
        Self {
            out: Vec::new(),
            input: input as u64,
            coding,
            bounds,
        }
    }

    pub(super) fn read(&mut self, mut from: impl Read) -> Result<(), CodingError> {
        let mut buffer = vec![0; CHUNK_SIZE];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(size) => self.take(buffer.get(..size).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(invalid(self.coding, error)),
            }
        }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), CodingError> {
        let size = (self.out.len() + bytes.len()) as u64;
        if size > self.bounds.bytes {
            return Err(CodingError::TooLarge(self.bounds.bytes));
        }
        if size > RATIO_FROM && size / self.bounds.ratio.max(1) > self.input {
            return Err(CodingError::Ratio(self.bounds.ratio));
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn error(&self, kind: io::ErrorKind) -> CodingError {
        invalid(self.coding, kind.into())
    }

    /// Forgets what was collected.
    pub(super) fn clear(&mut self) {
        self.out.clear();
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.out.into()
    }
}
