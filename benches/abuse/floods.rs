//! HTTP/2 frames that cost a client nothing (RFC 9113, section 10.5).

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::corpus::frames::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, RST_STREAM, SETTINGS, frame,
};
use super::harness::Harness;
use super::{Outcome, honest, limit, none_wrong, origin};

const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// The number of frames in a flood.
const FRAMES: u32 = 100_000;
/// The time limit for the end of a flood.
const LONGEST: Duration = Duration::from_secs(5);

/// `GET /` and `POST /` with authority `x`, from the static table (RFC 7541, appendix A).
const GET: [u8; 6] = [0x82, 0x86, 0x84, 0x41, 1, b'x'];
const POST: [u8; 6] = [0x83, 0x86, 0x84, 0x41, 1, b'x'];

/// The end of a flood.
struct Flood {
    /// The time until the gateway closed the connection.
    closed: Option<Duration>,
    /// The error code of its GOAWAY.
    code: Option<u32>,
}

/// Sends frames until the gateway closes the connection or all are sent.
fn flood(to: SocketAddr, settings: &[u8], frames: impl Iterator<Item = Vec<u8>>) -> Flood {
    let mut stream = honest::connect(to).unwrap();
    let mut reading = stream.try_clone().unwrap();
    let begin = Instant::now();
    let reader = std::thread::spawn(move || {
        let mut read = Vec::new();
        let mut bytes = [0; 16 << 10];
        // A reset counts as a close; a read timeout does not.
        let ended = loop {
            match reading.read(&mut bytes) {
                Ok(0) => break true,
                Ok(count) => read.extend(&bytes[..count]),
                Err(error) => break error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        };
        (ended.then(|| begin.elapsed()), goaway(&read))
    });
    let mut all = [PREFACE, &frame(SETTINGS, 0, 0, settings)].concat();
    for one in frames {
        all.extend(one);
        if all.len() > 8 << 10 {
            if stream.write_all(&all).is_err() || begin.elapsed() > LONGEST {
                break;
            }
            all.clear();
        }
    }
    let _ = stream.write_all(&all);
    std::thread::sleep(Duration::from_millis(200));
    let left = begin.elapsed();
    // The connection may be closed already.
    let _ = stream.shutdown(Shutdown::Read);
    let (closed, code) = reader.join().unwrap();
    Flood {
        // A close after this client's own shutdown does not count.
        closed: closed.filter(|after| *after < left || code.is_some()),
        code,
    }
}

/// The error code of the GOAWAY frame.
fn goaway(mut read: &[u8]) -> Option<u32> {
    while let Some(head) = read.get(..9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = read.get(9..9 + length)?;
        if head[3] == GOAWAY {
            return Some(u32::from_be_bytes(payload.get(4..8)?.try_into().unwrap()));
        }
        read = &read[9 + length..];
    }
    None
}

/// Requests that are reset at once.
fn resets(to: SocketAddr) -> Flood {
    let pairs = (0..FRAMES).map(|number| {
        let stream = 2 * number + 1;
        let head = frame(HEADERS, END_HEADERS | END_STREAM, stream, &GET);
        [head, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    });
    flood(to, &[], pairs)
}

/// All floods after each other, whatever their end is.
pub(super) fn run(to: SocketAddr) {
    resets(to);
    for (_, frames) in floods() {
        flood(to, &[], frames);
    }
}

pub(super) fn rapid_reset() -> Outcome {
    let harness = Harness::passing(origin::start(), "");
    let (measured, flood) = harness.under(|| resets(harness.address));
    let told = match flood {
        Flood {
            closed: Some(after),
            code: Some(0xb),
        } => Ok(format!("ENHANCE_YOUR_CALM after {} ms", after.as_millis())),
        Flood { closed, code } => Err(format!("ended {closed:?}, code {code:?}")),
    };
    (measured, told)
}

/// The frames to send.
type Frames = Box<dyn Iterator<Item = Vec<u8>> + Send>;

/// The frames `first`, then `one` repeatedly.
fn again(first: Vec<u8>, one: Vec<u8>) -> Frames {
    let many = (0..FRAMES).map(move |_| one.clone());
    Box::new(std::iter::once(first).chain(many))
}

/// The floods of frames other than resets.
fn floods() -> [(&'static str, Frames); 7] {
    let open = || frame(HEADERS, END_HEADERS, 1, &POST);
    let made_you_reset = (0..FRAMES).map(|number| {
        let stream = 2 * number + 1;
        let head = frame(HEADERS, END_HEADERS, stream, &POST);
        [head, frame(WINDOW_UPDATE, 0, stream, &[0; 4])].concat()
    });
    let field = [0, 1, b'a', 1, b'b'];
    [
        ("resets that it is made to send", Box::new(made_you_reset)),
        (
            "CONTINUATION",
            again(
                frame(HEADERS, 0, 1, &GET),
                frame(CONTINUATION, 0, 1, &field),
            ),
        ),
        ("SETTINGS", again(Vec::new(), frame(SETTINGS, 0, 0, &[]))),
        ("PING", again(Vec::new(), frame(PING, 0, 0, &[7; 8]))),
        ("empty DATA", again(open(), frame(DATA, 0, 1, &[]))),
        ("DATA of a byte", again(open(), frame(DATA, 0, 1, b"x"))),
        (
            "WINDOW_UPDATE",
            again(Vec::new(), frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes())),
        ),
    ]
}

pub(super) fn frames() -> Outcome {
    let harness = Harness::passing(origin::start(), "");
    let (measured, ended) = harness.under(|| {
        let ended = floods().map(|(name, frames)| (name, flood(harness.address, &[], frames)));
        ended.map(|(name, flood)| (name, flood.closed))
    });
    // DATA frames are bounded by the flow-control window, however small they are.
    let open = ended
        .iter()
        .filter(|(name, closed)| closed.is_none() && *name != "DATA of a byte");
    let faults: Vec<_> = open
        .map(|(name, _)| format!("{name}: not closed"))
        .collect();
    let slowest = ended.iter().filter_map(|(_, closed)| *closed).max();
    let word = format!("closed within {:?}", slowest.unwrap_or_default());
    (measured, none_wrong(word, &faults))
}

/// The number of clients with an HPACK bomb.
const BOMBERS: usize = 50;
/// The pause between two clients: the memory is measured, not the rate of connections.
const APART: Duration = Duration::from_millis(20);
/// The number of concurrent requests of each client.
const STREAMS: u32 = 100;

/// Requests with many fields of one byte each; the responses are not read.
pub(super) fn bomb() -> Outcome {
    let stall = limit("response_send_timeout", "\"3s\"");
    let harness = Harness::passing(origin::start(), &stall);
    let address = harness.address;
    // SETTINGS_INITIAL_WINDOW_SIZE of 0: no body can be sent.
    let settings = [0, 4, 0, 0, 0, 0];
    // A literal with indexing (RFC 7541, section 6.2.1), which gets the index 62.
    let entry = [&[0x40, 1, b'a', 0x1f][..], &[b'b'; 31]].concat();
    let requests = move || {
        let entry = entry.clone();
        (0..STREAMS).map(move |number| {
            let entry: &[u8] = if number == 0 { &entry } else { &[] };
            let target = [
                0x82, 0x86, 0x04, 6, b'/', b'l', b'a', b'r', b'g', b'e', 0x41, 1, b'x',
            ];
            let block = [&target[..], entry, &[0xbe; 120]].concat();
            frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, &block)
        })
    };
    let (measured, open) = harness.under(|| {
        let mut open: Vec<TcpStream> = Vec::new();
        for _ in 0..BOMBERS {
            let mut stream = honest::connect(address).unwrap();
            let all = requests().flatten().collect::<Vec<_>>();
            let start = [PREFACE, &frame(SETTINGS, 0, 0, &settings), &all].concat();
            // The write fails if the gateway closes the connection earlier.
            let _ = stream.write_all(&start);
            open.push(stream);
            std::thread::sleep(APART);
        }
        // A field list above the limit.
        let large = [
            &GET[..],
            &[0x40, 1, b'c', 0x7f, 0xe1, 0x1e],
            &[b'd'; 4000],
            &[0xbe; 16_000],
        ]
        .concat();
        let large = frame(HEADERS, END_HEADERS | END_STREAM, 1, &large[..16_384]);
        for _ in 0..BOMBERS {
            flood_quietly(address, &large);
            std::thread::sleep(APART);
        }
        std::thread::sleep(Duration::from_secs(5));
        open
    });
    let each = measured.grown as usize / BOMBERS;
    drop(open);
    let word = format!(
        "{BOMBERS} clients with {STREAMS} requests, {} KiB each",
        each >> 10
    );
    let told = if each <= 4 << 20 { Ok(word) } else { Err(word) };
    (measured, told)
}

/// Sends these bytes and ignores errors.
fn flood_quietly(to: SocketAddr, bytes: &[u8]) {
    if let Ok(mut stream) = honest::connect(to) {
        let start = [PREFACE, &frame(SETTINGS, 0, 0, &[]), bytes].concat();
        let _ = stream.write_all(&start);
    }
}
