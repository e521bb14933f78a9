//! What HTTP/2 clients are told, and what happens to those that do not listen.

use std::collections::BTreeMap;

use crate::support::client::{self, Raw};
use crate::support::gateway::{self, Running};
use crate::support::origin;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames (RFC 9113, section 6).
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

struct Frame {
    kind: u8,
    payload: Vec<u8>,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn read_frame(raw: &mut Raw) -> Option<Frame> {
    let head = raw.exactly(9)?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    Some(Frame {
        kind: head[3],
        payload: raw.exactly(length as usize)?,
    })
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().unwrap())
}

fn connect(gateway: &Running) -> Raw {
    client::raw(
        gateway.address,
        [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat(),
    )
}

#[test]
fn clients_are_told_the_limits() {
    let origin = origin::simple();
    let limits = "[limits]\nhttp2_streams = 7\nhttp2_stream_window = \"8 KiB\"\n\
                  http2_header_list = \"9 KiB\"\nhttp2_connection_window = \"128 KiB\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let mut raw = connect(&gateway);
    let settings = read_frame(&mut raw).unwrap();
    assert_eq!(settings.kind, SETTINGS);
    let told: BTreeMap<u8, u32> = settings
        .payload
        .chunks(6)
        .map(|setting| (setting[1], number(&setting[2..])))
        .collect();
    // RFC 9113, section 6.5.2.
    assert_eq!((told[&3], told[&4], told[&6]), (7, 8 << 10, 9 << 10));
    let update =
        std::iter::from_fn(|| read_frame(&mut raw)).find(|frame| frame.kind == WINDOW_UPDATE);
    // Beyond the 65,535 bytes that every connection begins with.
    assert_eq!(number(&update.unwrap().payload), (128 << 10) - 65_535);
}

#[test]
fn who_only_resets_streams_is_shown_out() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\nhttp2_resets = 5")
        .start();
    let mut raw = connect(&gateway);
    // GET / of x, from the static table (RFC 7541, appendix A).
    let head = [0x82, 0x86, 0x84, 0x41, 1, b'x'];
    let both = |number: u32| {
        let stream = 2 * number + 1;
        let headers = frame(HEADERS, 0b101, stream, &head);
        [headers, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    };
    let flood: Vec<u8> = (0..2000).flat_map(both).collect();
    raw.try_write(flood);
    let goaway = std::iter::from_fn(|| read_frame(&mut raw)).find(|frame| frame.kind == GOAWAY);
    let goaway = goaway.expect("the connection is ended in so many words");
    // ENHANCE_YOUR_CALM (RFC 9113, section 7).
    assert_eq!(number(&goaway.payload[4..8]), 0xb);
    assert_eq!(client::http2(&gateway).get("/hello").status, 200);
}

#[test]
fn large_bodies_pass_through_small_windows() {
    let origin = origin::new()
        .route("/echo", |seen| origin::bytes(seen.body.clone()))
        .start();
    let limits = "[limits]\nhttp2_stream_window = \"1 KiB\"\nhttp2_send_buffer = \"1 KiB\"\n\
                  http2_connection_window = \"64 KiB\"";
    let gateway = gateway::record(&origin).section(limits).start();
    let body: Vec<u8> = (0..1 << 20)
        .map(|number: u32| number.to_le_bytes()[1])
        .collect();
    let answer = client::http2(&gateway)
        .ask("POST", "/echo")
        .body(&body)
        .send();
    assert_eq!(answer.body, body);
}
