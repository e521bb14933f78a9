//! A client that sends raw bytes.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::support::PATIENCE;

/// An open socket.
pub(crate) struct Raw(TcpStream);

/// Connects and sends these bytes.
pub(crate) fn raw(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Raw {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut raw = Raw(stream);
    raw.write(bytes);
    raw
}

impl Raw {
    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
    }

    /// Writes bytes; false if the peer closed the connection.
    pub(crate) fn try_write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).is_ok()
    }

    /// Reads up to and including `end`, or to the end of the connection.
    pub(crate) fn read_until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        let mut byte = [0];
        while !read.ends_with(end.as_bytes()) {
            match self.0.read(&mut byte) {
                Ok(0) => break,
                Ok(_) => read.push(byte[0]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => panic!("waited for {end:?}, got {read:?}: {error}"),
            }
        }
        String::from_utf8_lossy(&read).into_owned()
    }

    /// Reads `count` bytes; none if the connection ends earlier.
    pub(crate) fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Reads the head of a response.
    pub(crate) fn head(&mut self) -> String {
        self.read_until("\r\n\r\n")
    }

    /// Reads until the peer closes the connection.
    pub(crate) fn rest(&mut self) -> String {
        self.read_until("\0 no such end \0")
    }

    /// True if nothing arrives within `time`.
    pub(crate) fn is_silent_for(&self, time: std::time::Duration) -> bool {
        self.0.set_read_timeout(Some(time)).unwrap();
        let silent = matches!(
            self.0.peek(&mut [0]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
        );
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        silent
    }
}
