//! Limits of HTTP/2 clients: announced in SETTINGS, enforced against floods.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::client::{self, Raw};
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Gate};
use crate::support::{at_least, without_hanging};

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frame types (RFC 9113, section 6).
const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

/// ENHANCE_YOUR_CALM (RFC 9113, section 7).
pub(super) const CALM: u32 = 0xb;

pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// The error code of a GOAWAY frame.
    pub(super) fn code(&self) -> u32 {
        number(&self.payload[4..8])
    }
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

pub(super) fn read_frame(raw: &mut Raw) -> Option<Frame> {
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
    client::raw(gateway.address, opening())
}

/// The first bytes of a client.
pub(super) fn opening() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

/// GET / with authority `x`, from the static table (RFC 7541, appendix A).
const HEAD: [u8; 6] = [0x82, 0x86, 0x84, 0x41, 1, b'x'];

/// A request on the stream with this index among the client's streams.
fn request(place: u32) -> Vec<u8> {
    frame(HEADERS, 0b101, 2 * place + 1, &HEAD)
}

/// Reads up to the GOAWAY frame that ends the connection.
fn goaway(raw: &mut Raw) -> Frame {
    let mut frames = std::iter::from_fn(|| read_frame(raw));
    let goaway = frames.find(|frame| frame.kind == GOAWAY);
    goaway.expect("the connection ends with a GOAWAY")
}

/// Reads the first SETTINGS frame of the gateway.
fn settings(raw: &mut Raw) -> BTreeMap<u8, u32> {
    let settings = read_frame(raw).unwrap();
    assert_eq!(settings.kind, SETTINGS);
    let each = settings.payload.chunks(6);
    each.map(|setting| (setting[1], number(&setting[2..])))
        .collect()
}

#[test]
fn settings_announce_the_limits() {
    let origin = origin::simple();
    let limits = "[limits]\nhttp2_max_concurrent_streams = 7\nhttp2_stream_window = \"8 KiB\"\n\
                  http2_max_header_list_size = \"9 KiB\"\nhttp2_connection_window = \"128 KiB\"\n\
                  http2_max_frame_size = \"20 KiB\"\nhttp2_header_table_size = \"2 KiB\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let mut raw = connect(&gateway);
    let told = settings(&mut raw);
    // RFC 9113, section 6.5.2.
    assert_eq!((told[&1], told[&3], told[&4]), (2 << 10, 7, 8 << 10));
    assert_eq!((told[&5], told[&6]), (20 << 10, 18 << 10));
    let update =
        std::iter::from_fn(|| read_frame(&mut raw)).find(|frame| frame.kind == WINDOW_UPDATE);
    // In addition to the 65,535 bytes of every new connection.
    assert_eq!(number(&update.unwrap().payload), (128 << 10) - 65_535);
}

#[test]
fn a_violation_of_the_settings_ends_its_connection_only() {
    let origin = origin::simple();
    let limits = "[limits]\nhttp2_max_frame_size = \"20 KiB\"\nhttp2_header_table_size = \"2 KiB\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let too_large = vec![0; (20 << 10) + 1];
    // A dynamic table of 4,096 bytes (RFC 7541, section 6.3).
    let table = [&[0x3f, 0xe1, 0x1f][..], &HEAD].concat();
    let violations = [too_large, table].map(|payload| frame(HEADERS, 0b101, 1, &payload));
    for violation in violations {
        let mut raw = connect(&gateway);
        settings(&mut raw);
        // The settings are binding once they are acknowledged.
        raw.write(frame(SETTINGS, 1, 0, &[]));
        raw.try_write(violation);
        assert_ne!(goaway(&mut raw).code(), 0, "an error");
        assert_eq!(client::http2(&gateway).get("/hello").status, 200);
    }
}

#[test]
fn pending_resets_above_the_limit_close_the_connection() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\nhttp2_max_pending_resets = 5")
        .start();
    let mut raw = connect(&gateway);
    let flood: Vec<u8> = (0..2000).flat_map(cancelled).collect();
    raw.try_write(flood);
    assert_eq!(goaway(&mut raw).code(), CALM);
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

/// A request that is reset at once.
fn cancelled(place: u32) -> Vec<u8> {
    let reset = frame(RST_STREAM, 0, 2 * place + 1, &8_u32.to_be_bytes());
    [request(place), reset].concat()
}

#[test]
fn client_resets_above_the_limit_close_the_connection() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\nhttp2_max_pending_resets = 10000\nhttp2_max_client_resets = 50")
        .start();
    let mut raw = connect(&gateway);
    raw.try_write((0..500).flat_map(cancelled).collect::<Vec<u8>>());
    let goaway = goaway(&mut raw);
    assert_eq!(goaway.code(), CALM);
    assert!(goaway.payload.ends_with(b"limits.http2_max_client_resets"));
    assert_eq!(client::http2(&gateway).get("/hello").status, 200);
}

#[test]
fn local_resets_above_the_limit_close_the_connection() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().wait(&held);
    let origin = origin::new().route("/", handler).start();
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\nhttp2_max_local_resets = 10")
        .start();
    let mut raw = connect(&gateway);
    let broken = |place: u32| {
        // Above the maximum size of a window (RFC 9113, section 6.9.1).
        let most = (u32::MAX >> 1).to_be_bytes();
        let update = frame(WINDOW_UPDATE, 0, 2 * place + 1, &most);
        [request(place), update].concat()
    };
    raw.try_write((0..50).flat_map(broken).collect::<Vec<u8>>());
    assert_eq!(goaway(&mut raw).code(), CALM);
    gate.open();
    assert_eq!(client::http2(&gateway).get("/").status, 200);
}

#[test]
fn control_frames_above_the_limit_close_the_connection() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\nhttp2_max_control_frames = 30")
        .start();
    let idle = [
        frame(PING, 0, 0, &[7; 8]),
        frame(SETTINGS, 0, 0, &[]),
        // PRIORITY and a frame of an unknown type.
        frame(2, 0, 1, &[0, 0, 0, 3, 16]),
        frame(0x77, 0, 0, b"grease"),
    ];
    for one in idle {
        let mut raw = connect(&gateway);
        raw.try_write(one.repeat(100));
        let goaway = goaway(&mut raw);
        assert_eq!(goaway.code(), CALM, "{one:?}");
        assert!(goaway.payload.ends_with(b"limits.http2_max_control_frames"));
        assert_eq!(raw.exactly(1), None, "the connection is closed");
    }
    assert_eq!(client::http2(&gateway).get("/hello").status, 200);
}

#[test]
fn an_unanswered_ping_closes_the_connection() {
    let origin = origin::simple();
    let limits = "[limits]\nhttp2_ping_interval = \"100ms\"\nhttp2_ping_timeout = \"200ms\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let frames: Vec<_> = at_least(Duration::from_millis(300), || {
        let mut raw = connect(&gateway);
        let frames = std::iter::from_fn(|| read_frame(&mut raw));
        without_hanging("the connection", || frames.collect())
    });
    assert!(frames.iter().any(|frame| frame.kind == PING));
    assert_eq!(client::http2(&gateway).get("/hello").status, 200);
}

#[test]
fn answered_pings_keep_the_connection_open() {
    let origin = origin::simple();
    let limits = "[limits]\nhttp2_ping_interval = \"50ms\"\nrequest_header_timeout = \"100ms\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let mut raw = connect(&gateway);
    let mut pings = 0;
    while pings < 10 {
        let ping = read_frame(&mut raw).expect("it stays open");
        if ping.kind == PING {
            raw.write(frame(PING, 1, 0, &ping.payload));
            pings += 1;
        }
    }
}

#[test]
fn an_idle_connection_gets_a_goaway() {
    let origin = origin::simple();
    let limits = "[limits]\nidle_timeout = \"200ms\"\nhttp2_ping_interval = \"50ms\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let mut raw = connect(&gateway);
    assert_eq!(goaway(&mut raw).code(), 0);
    let rest: Vec<_> = std::iter::from_fn(|| read_frame(&mut raw)).collect();
    assert!(rest.len() < 100, "the connection is closed");
}

/// Reads the response to the request with this index; a new connection preface must not come with
/// it.
fn response(raw: &mut Raw, place: u32) {
    loop {
        let head = raw.exactly(9).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        raw.exactly(length as usize).unwrap();
        assert_ne!(head[3], SETTINGS, "the connection preface was sent before");
        if number(&head[5..]) == 2 * place + 1 && head[4] & 1 != 0 {
            return;
        }
    }
}

#[test]
fn an_idle_connection_resumes_where_it_was() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin).start();
    let mut raw = connect(&gateway);
    assert_eq!(settings(&mut raw)[&1], 0, "the dynamic table has size 0");
    assert_eq!(
        read_frame(&mut raw).unwrap().kind,
        SETTINGS,
        "the acknowledgement of our settings"
    );
    // The client sets the size of its dynamic table to 0 (RFC 7541, section 6.3).
    let first = [&[0x20][..], &HEAD].concat();
    raw.write(frame(SETTINGS, 1, 0, &[]));
    raw.write(frame(HEADERS, 0b101, 1, &first));
    response(&mut raw, 0);
    for place in 1..3 {
        assert!(raw.is_silent_for(Duration::from_millis(2200)));
        // A late frame of a completed request is not an error.
        raw.write(frame(WINDOW_UPDATE, 0, 2 * place - 1, &[0, 0, 0, 9]));
        let request = request(place);
        let (begun, rest) = request.split_at(4);
        raw.write(begun);
        assert!(raw.is_silent_for(Duration::from_millis(50)));
        raw.write(rest);
        response(&mut raw, place);
    }
    assert_eq!(origin.seen().len(), 3);
}

#[test]
fn the_last_request_of_a_connection_is_followed_by_a_goaway() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\nmax_requests_per_connection = 3")
        .start();
    let mut raw = connect(&gateway);
    raw.write((0..3).flat_map(request).collect::<Vec<u8>>());
    let (mut answers, mut told) = (0, None);
    while answers < 3 || told.is_none() {
        let frame = read_frame(&mut raw).expect("all requests get a response");
        match frame.kind {
            HEADERS => answers += 1,
            GOAWAY => told = Some(frame.code()),
            _ => {}
        }
    }
    assert_eq!(told, Some(0));
}

#[test]
fn a_client_without_window_is_disconnected() {
    let origin = origin::new()
        .route("/", |_| origin::bytes(vec![b'x'; 1 << 20]))
        .start();
    let limits = "[limits]\nresponse_send_timeout = \"300ms\"\nidle_timeout = \"1h\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    // SETTINGS_INITIAL_WINDOW_SIZE of 100 (RFC 9113, section 6.5.2).
    let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 100]);
    let mut raw = client::raw(gateway.address, [PREFACE, &settings].concat());
    at_least(Duration::from_millis(300), || {
        raw.write(request(0));
        without_hanging("the connection", || while read_frame(&mut raw).is_some() {});
    });
}

/// RFC 9113, section 4.2. The gateway splits DATA before h2 reads it, so h2 must get the original
/// size.
#[test]
fn a_frame_above_the_announced_size_is_a_frame_size_error() {
    const FRAME_SIZE_ERROR: u32 = 6;
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin).start();
    let too_large = vec![0; (16 << 10) + 1];
    for kind in [DATA, HEADERS] {
        let mut raw = connect(&gateway);
        let post = [0x83, 0x86, 0x84, 0x41, 1, b'x'];
        raw.write(frame(HEADERS, 0b100, 1, &post));
        raw.try_write(frame(kind, 0, if kind == DATA { 1 } else { 3 }, &too_large));
        assert_eq!(goaway(&mut raw).code(), FRAME_SIZE_ERROR, "{kind}");
    }
}
