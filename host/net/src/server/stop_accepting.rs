//! How a listening socket is closed without the loss of a connection.
//!
//! Closed as it is, it resets what the kernel has accepted and nobody has taken yet: such a client
//! believes that it is connected. So the socket first takes no new ones, then those that wait are
//! served, then it is closed. A client that comes in between asks again by itself after a second,
//! as for any SYN that is lost (RFC 6298), and is refused then.

use std::io;
use std::net::TcpListener;

/// From here on the kernel takes no new connection for this socket. What it has begun to take is
/// completed, and waits to be accepted.
///
/// # Errors
/// Where the system has no such filter, or does not allow it. The socket is as it was then.
#[cfg(target_os = "linux")]
pub fn stop_accepting(socket: &TcpListener) -> io::Result<()> {
    use socket2::{SockFilter, SockRef};

    // The flags of the TCP header: byte 13, with FIN, SYN, RST, PSH, ACK from the lowest bit on.
    let (load_flags, keep_bits, if_equal, give) = (0x30, 0x54, 0x15, 0x06);
    let (syn, syn_or_ack) = (0x02, 0x12);
    let filter = [
        SockFilter::new(load_flags, 0, 0, 13),
        SockFilter::new(keep_bits, 0, 0, syn_or_ack),
        SockFilter::new(if_equal, 0, 1, syn),
        SockFilter::new(give, 0, 0, 0),
        SockFilter::new(give, 0, 0, u32::MAX),
    ];
    SockRef::from(socket).attach_filter(&filter)
}

/// Other systems have no such filter.
#[cfg(not(target_os = "linux"))]
pub fn refuse(_: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_connected_stays_and_nothing_new_comes() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let before = TcpStream::connect(address).unwrap();
        stop_accepting(&socket).unwrap();
        let late = TcpStream::connect_timeout(&address, Duration::from_millis(100));
        assert!(late.is_err(), "a new connection was taken");
        let (taken, _) = socket.accept().unwrap();
        assert_eq!(taken.peer_addr().unwrap(), before.local_addr().unwrap());
        drop(socket);
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
