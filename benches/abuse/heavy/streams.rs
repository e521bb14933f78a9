//! Events, chunks and WebSocket frames in great number.

use std::io::{Read as _, Write as _};

use super::super::harness::Harness;
use super::super::honest::connect;
use super::super::sockets::{masked, open};
use super::bodies::{at_once, expect, get};

/// A conversation of these frames, which the client then closes.
fn converse(harness: &Harness, mode: &str, frames: &[u8]) -> Vec<String> {
    let Some(mut stream) = open(harness.at(mode)) else {
        return vec![format!("{mode}: no WebSocket")];
    };
    let mut reading = stream.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        let mut bytes = [0; 16 << 10];
        while reading.read(&mut bytes).is_ok_and(|count| count > 0) {}
    });
    let close = masked(0x88, &1000_u16.to_be_bytes());
    let sent = stream
        .write_all(frames)
        .and_then(|()| stream.write_all(&close));
    reader.join().unwrap();
    let fault = sent.err().map(|error| format!("{mode}: {error}"));
    fault.into_iter().collect()
}

pub(super) fn pings(harness: &Harness) -> Vec<String> {
    let pings = masked(0x89, b"ping").repeat(40_000);
    ["record", "passthrough"]
        .iter()
        .flat_map(|mode| converse(harness, mode, &pings))
        .collect()
}

pub(super) fn long_text(harness: &Harness) -> Vec<String> {
    converse(harness, "record", &masked(0x81, &vec![b'x'; 15 << 20]))
}

pub(super) fn line_ends(harness: &Harness) -> Vec<String> {
    expect(harness, "record", &get("/line-ends", ""), &[200])
}

/// A request body of 100,000 chunks.
pub(super) fn chunks_sent(harness: &Harness) -> Vec<String> {
    let head = "POST /chunks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                transfer-encoding: chunked\r\n\r\n";
    let body = "1\r\nx\r\n".repeat(100_000) + "0\r\n\r\n";
    expect(
        harness,
        "record",
        (head.to_owned() + &body).as_bytes(),
        &[200],
    )
}

/// A response body of 100,000 chunks.
pub(super) fn chunks_read(harness: &Harness) -> Vec<String> {
    let Ok(mut stream) = connect(harness.at("record")) else {
        return vec!["no connection".to_owned()];
    };
    let mut read = Vec::new();
    let sent = stream.write_all(&get("/drip", ""));
    let received = sent.and_then(|()| stream.read_to_end(&mut read));
    let is_whole = received.is_ok() && read.ends_with(b"\r\n0\r\n\r\n");
    let fault = (!is_whole).then(|| format!("{} bytes of the chunks", read.len()));
    fault.into_iter().collect()
}

/// Clients of event streams that leave after the head.
pub(super) fn left(harness: &Harness) -> Vec<String> {
    at_once(8, |_| {
        for _ in 0..50 {
            if let Ok(mut stream) = connect(harness.at("auto")) {
                let _ = stream.write_all(&get("/line-ends?left", ""));
                let _ = stream.read(&mut [0; 16]);
            }
        }
        Vec::new()
    })
}
