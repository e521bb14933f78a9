//! Transcripts of WebSockets and gRPC calls, streams, and cassettes.

use bytes::Bytes;
use ouli_codec::chunks::split_body;
use ouli_codec::content_coding;
use ouli_codec::grpc::{CallBodies, read_messages};
use ouli_codec::websocket::{Bounds, read_transcript};
use ouli_message::stream::{Arrival, ChunkKind, Side};

use super::Shape;
use super::inputs::{repeat, within};

pub(super) fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    let frames: [(&'static str, &'static [u8], &'static [u8]); 6] = [
        ("websocket pings", b"", b"\x89\x00"),
        ("websocket texts", b"", b"\x81\x01x"),
        ("websocket empty texts", b"", b"\x81\x00"),
        ("websocket fragments", b"\x01\x00", b"\x00\x01x"),
        ("websocket pings in a message", b"\x01\x01x", b"\x89\x00"),
        ("websocket empty fragments", b"\x01\x00", b"\x00\x00"),
    ];
    for (name, first, frame) in frames {
        let make = move |n: usize| [first, &frame.repeat(n / frame.len())[..]].concat();
        // All at once, and byte by byte.
        shapes.push(Shape::new(name, make, |bytes| {
            transcript(bytes, bytes.len())
        }));
        let name: &'static str = format!("{name} in bytes").leak();
        shapes.push(Shape::new(name, make, |bytes| transcript(bytes, 1)));
    }
    shapes.push(Shape::new(
        "websocket pings of both",
        repeat("\0"),
        |bytes| {
            // The client pings within a long message of the server.
            let server = [&[1, 1, b'x'][..], &[0, 1, b'x'].repeat(bytes.len() / 3)].concat();
            let client = [0x89, 0x80, 0, 0, 0, 0].repeat(bytes.len() / 6);
            both(&client, &server)
        },
    ));
    shapes.push(Shape::new("grpc messages", repeat("\0\0\0\0\0"), |bytes| {
        let bytes = Bytes::copy_from_slice(bytes);
        let bodies = CallBodies {
            client: &bytes,
            client_encoding: None,
            server: &bytes,
            server_encoding: None,
        };
        let arrivals: Vec<_> = (0..bytes.len() as u64)
            .flat_map(|end| [Side::Client, Side::Server].map(|side| Arrival { side, end, at: end }))
            .collect();
        let bounds = content_coding::Bounds {
            bytes: 1 << 20,
            ratio: 100,
        };
        read_messages(&bodies, &arrivals, bounds, 1 << 30).is_ok()
    }));
    shapes.extend(chunks());
    shapes.extend(cassettes());
    shapes
}

fn chunks() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for (name, kind, text) in [
        ("chunks of line ends", Some(ChunkKind::Event), "\n"),
        ("chunks of events", Some(ChunkKind::Event), "data: x\n\n"),
        ("chunks of lines", Some(ChunkKind::Line), "\n"),
        ("chunks of bytes", None, "x"),
    ] {
        shapes.push(Shape::new(name, repeat(text), move |body| {
            let arrivals: Vec<_> = (1..=body.len() as u64)
                .map(|end| Arrival {
                    side: Side::Server,
                    end,
                    at: end * 100_000,
                })
                .collect();
            split_body(
                kind,
                &Bytes::copy_from_slice(body),
                &arrivals,
                50_000,
                usize::MAX,
            )
        }));
    }
    shapes
}

fn cassettes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    let cassette = |text: &'static str| within(ouli_cassette::HEADER, text, "");
    for (name, text) in [
        ("cassette line ends", "\n"),
        ("cassette braces", "{"),
        ("cassette objects", "{}\n"),
        ("cassette quotes", "\""),
        ("cassette zeros", "0 "),
        ("cassette damage", "}\n"),
    ] {
        shapes.push(Shape::new(name, cassette(text), |body| {
            ouli_cassette::decode(&Bytes::copy_from_slice(body)).map(|loaded| loaded.damage.len())
        }));
    }
    shapes
}

const BOUNDS: Bounds = Bounds {
    frame: 1 << 20,
    message: 1 << 20,
    ratio: 100,
};

fn transcript(bytes: &[u8], step: usize) -> usize {
    let mut arrivals = Vec::new();
    let mut end = 0;
    while end < bytes.len() {
        end = (end + step).min(bytes.len());
        arrivals.push(Arrival {
            side: Side::Server,
            end: end as u64,
            at: end as u64,
        });
    }
    read_transcript(b"", bytes, &arrivals, None, BOUNDS, 1 << 30)
        .into_replay_order()
        .len()
}

fn both(client: &[u8], server: &[u8]) -> usize {
    let mut arrivals = Vec::new();
    for at in 1..=client.len().max(server.len()) as u64 {
        for (side, len) in [(Side::Client, client.len()), (Side::Server, server.len())] {
            if at <= len as u64 {
                arrivals.push(Arrival { side, end: at, at });
            }
        }
    }
    read_transcript(client, server, &arrivals, None, BOUNDS, 1 << 30)
        .into_replay_order()
        .len()
}
