//! Slow clients of several kinds.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::harness::Harness;
use super::{Outcome, honest, limit, none_wrong, origin};

/// Sockets of each way.
const SOCKETS: usize = 1_200;
/// Between two sockets: what is looked at is a crowd that stays, not one that comes at once.
const APART: Duration = Duration::from_millis(1);
/// Between two bytes.
const BYTE: Duration = Duration::from_millis(500);
/// Connections to the origin that may be kept, for those that come next.
const KEPT: usize = 600;
/// How long they go on.
const LONG: Duration = Duration::from_secs(12);

/// A way to be slow: what is sent first, and whether a byte follows now and then.
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

pub(super) fn slow() -> Outcome {
    let short =
        ["request_body_idle_timeout", "response_send_timeout"].map(|key| limit(key, "\"5s\""));
    // Turns are bounds of their own, and are not what this looks at.
    let concurrency = "max_concurrent_requests = 4000\nupstream_max_concurrent_requests = 4000";
    let limits = format!(
        "request_header_timeout = \"5s\"\n{concurrency}\n{}",
        short.concat()
    );
    let harness = Harness::passing(origin::start(), &limits);
    let (measured, left) = harness.under(|| {
        let before = harness.descriptors();
        let mut open: Vec<Vec<TcpStream>> = WAYS
            .iter()
            .map(|(_, first, _)| {
                let sockets = (0..SOCKETS).map(|_| {
                    let mut stream = honest::connect(harness.address).unwrap();
                    // Else the kernel takes all of an answer for who reads nothing.
                    SockRef::from(&stream).set_recv_buffer_size(4096).unwrap();
                    stream.write_all(first).unwrap();
                    std::thread::sleep(APART);
                    stream
                });
                sockets.collect()
            })
            .collect();
        let begin = Instant::now();
        while begin.elapsed() < LONG {
            for (sockets, (_, _, goes_on)) in open.iter_mut().zip(WAYS) {
                for stream in sockets.iter_mut().filter(|_| goes_on) {
                    // Who was shown out is not heard any more.
                    let _ = stream.write_all(b"x");
                }
            }
            std::thread::sleep(BYTE);
        }
        harness.descriptors().saturating_sub(before)
    });
    // Who reads nothing does not see that nobody sends any more, so the gateway's sockets count.
    let mut faults = Vec::new();
    if left > KEPT {
        faults.push(format!("{left} sockets are still there"));
    }
    let word = format!("{} sockets, all shown out", SOCKETS * WAYS.len());
    (measured, none_wrong(word, &faults))
}
