//! An origin that runs a function for each connection and works on raw bytes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use crate::support::PATIENCE;

/// A connection of the gateway to the origin.
pub(crate) struct Peer(TcpStream);

/// Starts an origin that runs this function for each connection and then closes it. Returns its
/// address. It runs until the process exits.
pub(crate) fn peer(serve: impl Fn(&mut Peer) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, serve) = (stream.unwrap(), Arc::clone(&serve));
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.set_nodelay(true).unwrap();
            std::thread::spawn(move || serve(&mut Peer(stream)));
        }
    });
    address
}

impl Peer {
    /// Reads the head of a request; empty at the end of the connection.
    pub(crate) fn head(&mut self) -> String {
        self.read_until(b"\r\n\r\n")
    }

    /// Reads up to and including `end`, or to the end of the connection.
    pub(crate) fn read_until(&mut self, end: &[u8]) -> String {
        let (mut read, mut byte) = (Vec::new(), [0]);
        while !read.ends_with(end) && self.0.read_exact(&mut byte).is_ok() {
            read.push(byte[0]);
        }
        String::from_utf8_lossy(&read).into_owned()
    }

    /// Reads `count` bytes; fewer if the connection ends earlier.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut limited = (&self.0).take(count as u64);
        // A connection error counts as the end.
        let _ = limited.read_to_end(&mut bytes);
        bytes
    }

    /// Sends these bytes; does nothing if the gateway closed the connection.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.0.write_all(bytes.as_ref());
    }
}
