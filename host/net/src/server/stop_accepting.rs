//! Closes a listening socket without losing connections.
//!
//! Closing it at once would reset the connections in its accept queue, whose clients believe that
//! they are connected. So the kernel first stops taking new connections, the queued ones are
//! served, and then the socket is closed. A client that connects in between retries after a second,
//! as for any lost SYN (RFC 6298), and is refused then.

use std::io;
use std::net::TcpListener;

/// Makes the kernel drop new connections to this socket. Handshakes that have begun complete, and
/// their connections wait to be accepted.
///
/// # Errors
/// If the system has no socket filters or does not allow them. The socket is unchanged then.
#[cfg(target_os = "linux")]
pub fn stop_accepting(socket: &TcpListener) -> io::Result<()> {
    use socket2::{SockFilter, SockRef};

    // Classic BPF: drops a segment whose TCP flags (byte 13 of its header) have SYN and no ACK.
    let (load_byte, and, jump_if_equal, return_length) = (0x30, 0x54, 0x15, 0x06);
    let (syn, syn_and_ack) = (0x02, 0x12);
    let filter = [
        SockFilter::new(load_byte, 0, 0, 13),
        SockFilter::new(and, 0, 0, syn_and_ack),
        SockFilter::new(jump_if_equal, 0, 1, syn),
        SockFilter::new(return_length, 0, 0, 0),
        SockFilter::new(return_length, 0, 0, u32::MAX),
    ];
    SockRef::from(socket).attach_filter(&filter)
}

/// Other systems have no such filter.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn stop_accepting(_: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;

    #[test]
    fn keeps_queued_connections_and_takes_no_new_ones() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let queued = TcpStream::connect(address).unwrap();
        stop_accepting(&socket).unwrap();
        let late = TcpStream::connect_timeout(&address, Duration::from_millis(100));
        assert!(late.is_err(), "a new connection was accepted");
        let (accepted, _) = socket.accept().unwrap();
        assert_eq!(accepted.peer_addr().unwrap(), queued.local_addr().unwrap());
        drop(socket);
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
