//! WebSocket frames that claim large sizes, never end or break the rules, against replay and
//! passthrough.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use super::harness::{Harness, folder};
use super::{Outcome, honest, none_wrong, origin};

/// The number of WebSockets that announce a message of 16 MiB.
const CLAIMS: usize = 1_000;
/// The memory limit for each of them in bytes.
const EACH: u64 = 32 << 10;
/// The number of frames in a flood.
const FLOOD: usize = 50_000;

const HANDSHAKE: &str = "GET /socket HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

pub(super) fn frames() -> Outcome {
    let origin = origin::start();
    let recorder = Harness::recording(origin, "");
    let mut stream = open(recorder.address).expect("a conversation");
    // These messages precede the close, so that no message is due when a rule is broken later.
    stream.read_exact(&mut [0; 7]).unwrap();
    stream.write_all(&masked(0x81, b"hi")).unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    stream
        .write_all(&masked(0x88, &1000_u16.to_be_bytes()))
        .unwrap();
    // The conversation is recorded when the server has closed it too.
    let _ = stream.read_to_end(&mut Vec::new());
    // Records the request of the honest client for the replay.
    recorder.under(|| ());
    let (_, recorded) = recorder.stop();
    let replay = Harness::start("replay", None, recorded);
    let tunnels = Harness::start("passthrough", Some(origin), folder(""));
    let (measured, faults) = replay.under(|| {
        let mut faults: Vec<_> = claims(&tunnels, "passing").into_iter().collect();
        faults.extend(claims(&replay, "replaying"));
        faults.extend(rules(replay.address));
        faults
    });
    let word = format!("{CLAIMS} announced messages of 16 MiB, twice; each violation has its code");
    (measured, none_wrong(word, &faults))
}

/// Opens a WebSocket.
pub(super) fn open(to: SocketAddr) -> Option<TcpStream> {
    let mut stream = honest::connect(to).ok()?;
    stream.write_all(HANDSHAKE.as_bytes()).ok()?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    head.starts_with(b"HTTP/1.1 101 ").then_some(stream)
}

/// Opens many WebSockets that announce 16 MiB.
fn claims(harness: &Harness, name: &str) -> Option<String> {
    let first = open(harness.address);
    let before = harness.held();
    let claim = [
        &[0x82, 0xff][..],
        &(16_u64 << 20).to_be_bytes(),
        &[1, 2, 3, 4],
        &[0; 100],
    ]
    .concat();
    let sockets: Vec<_> = (0..CLAIMS)
        .filter_map(|_| {
            let mut stream = open(harness.address)?;
            stream.write_all(&claim).ok()?;
            Some(stream)
        })
        .collect();
    let each = harness.held().saturating_sub(before) / CLAIMS as u64;
    let all = sockets.len();
    drop((first, sockets));
    let wrong = each > EACH || all < CLAIMS;
    wrong.then(|| format!("{name}: {all} sockets of {} KiB", each >> 10))
}

/// Violations and the expected status code (RFC 6455, section 7.4.1).
fn rules(to: SocketAddr) -> Vec<String> {
    let huge = [
        &[0x82, 0xff][..],
        &(1_u64 << 63).to_be_bytes(),
        &[1, 2, 3, 4],
    ]
    .concat();
    let mut endless = masked(0x02, &vec![0; 1 << 20]);
    endless.extend(masked(0x00, &vec![0; 1 << 20]).repeat(16));
    let long_ping = masked(0x89, &[0; 126]);
    let cases: [(&str, Vec<u8>, &[u16]); 9] = [
        ("a length of 2^63", huge, &[1002, 1009]),
        ("fragments without end", endless, &[1009]),
        ("no mask", b"\x81\x02hi".to_vec(), &[1002]),
        ("text that is no UTF-8", masked(0x81, b"\xc3\x28"), &[1007]),
        ("a reserved bit", masked(0xc1, b"hi"), &[1002]),
        ("an unknown opcode", masked(0x83, b"hi"), &[1002]),
        ("a ping of 126 bytes", long_ping, &[1002]),
        ("code 1005", masked(0x88, &1005_u16.to_be_bytes()), &[1002]),
        ("code 99", masked(0x88, &99_u16.to_be_bytes()), &[1002]),
    ];
    let mut faults = Vec::new();
    for (name, frames, expected) in cases {
        let code = closed(to, &frames);
        if !code.is_some_and(|code| expected.contains(&code)) {
            faults.push(format!("{name}: {code:?}"));
        }
    }
    let mut pings = masked(0x89, b"ping").repeat(FLOOD);
    pings.extend(masked(0x88, &1000_u16.to_be_bytes()));
    if closed(to, &pings).is_none() {
        faults.push("the gateway does not survive a flood of pings".to_owned());
    }
    faults
}

/// The status code of the close frame after these frames.
fn closed(to: SocketAddr, frames: &[u8]) -> Option<u16> {
    let mut stream = open(to)?;
    let mut writing = stream.try_clone().ok()?;
    let frames = frames.to_vec();
    // The gateway may respond before it has read everything.
    let writer = std::thread::spawn(move || drop(writing.write_all(&frames)));
    let mut code = None;
    let mut head = [0; 2];
    while stream.read_exact(&mut head).is_ok() {
        let mut payload = vec![0; usize::from(head[1])];
        if stream.read_exact(&mut payload).is_err() {
            break;
        }
        if head[0] == 0x88 {
            code = payload
                .get(..2)
                .map(|code| u16::from_be_bytes([code[0], code[1]]));
            break;
        }
    }
    drop(stream);
    writer.join().unwrap();
    code
}

/// A masked frame, as clients send it.
pub(super) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        long @ 126..=0xffff => {
            frame.push(0xfe);
            frame.extend((long as u16).to_be_bytes());
        }
        huge => {
            frame.push(0xff);
            frame.extend((huge as u64).to_be_bytes());
        }
    }
    let mask = [7, 77, 177, 17];
    frame.extend(mask);
    frame.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}
