//! Slow clients of several kinds.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::harness::Harness;
use super::{Outcome, honest, limit, none_wrong, origin};

/// The number of sockets of each kind.
const SOCKETS: usize = 1_200;
/// The pause between two sockets: the attack is their number, not the rate at which they come.
const APART: Duration = Duration::from_millis(1);
/// The time between two bytes.
const BYTE: Duration = Duration::from_millis(500);
/// The number of pooled connections to the origin that may remain.
const KEPT: usize = 600;
/// The duration of the attack.
const LONG: Duration = Duration::from_secs(12);

/// A kind of slow client: its name, the first bytes, and whether further bytes follow slowly.
type Way = (&'static str, &'static [u8], bool);

const WAYS: [Way; 3] = [
    ("slow heads", b"GET /x HTTP/1.1\r\nhost: x\r\nx: ", true),
    (
        "slow bodies",
        b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n",
        false,
    ),
    (
        "slow readers",
        b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n",
        false,
    ),
];

/// Opens so many connections of each kind and sends what follows slowly, for this time.
pub(super) fn run(to: SocketAddr, count: usize, time: Duration) {
    trickle(&mut open(to, count), time);
}

/// So many connections of each kind.
fn open(to: SocketAddr, count: usize) -> Vec<Vec<TcpStream>> {
    let opened = WAYS.iter().map(|(_, first, _)| {
        let sockets = (0..count).filter_map(|_| {
            let mut stream = honest::connect(to).ok()?;
            // A small receive buffer, so that the kernel does not take the whole response for a
            // client that does not read.
            SockRef::from(&stream).set_recv_buffer_size(4096).unwrap();
            stream.write_all(first).ok()?;
            std::thread::sleep(APART);
            Some(stream)
        });
        sockets.collect()
    });
    opened.collect()
}

/// Sends a byte at a time to those that go on.
fn trickle(open: &mut [Vec<TcpStream>], time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        for (sockets, (_, _, goes_on)) in open.iter_mut().zip(WAYS) {
            for stream in sockets.iter_mut().filter(|_| goes_on) {
                // The write fails if the gateway has closed the connection.
                let _ = stream.write_all(b"x");
            }
        }
        std::thread::sleep(BYTE);
    }
}

pub(super) fn slow() -> Outcome {
    let short =
        ["request_body_idle_timeout", "response_send_timeout"].map(|key| limit(key, "\"5s\""));
    // Limits of concurrent requests would end the attack earlier, so they are high.
    let concurrency = "max_concurrent_requests = 4000\nupstream_max_concurrent_requests = 4000";
    let limits = format!(
        "request_header_timeout = \"5s\"\n{concurrency}\n{}",
        short.concat()
    );
    let harness = Harness::passing(origin::start(), &limits);
    let (measured, left) = harness.under(|| {
        let before = harness.descriptors();
        let mut open = open(harness.address, SOCKETS);
        trickle(&mut open, LONG);
        harness.descriptors().saturating_sub(before)
    });
    // A client that does not read does not notice the close, so the gateway's sockets are counted.
    let mut faults = Vec::new();
    if left > KEPT {
        faults.push(format!("{left} sockets are still open"));
    }
    let word = format!("{} sockets, all closed", SOCKETS * WAYS.len());
    (measured, none_wrong(word, &faults))
}
