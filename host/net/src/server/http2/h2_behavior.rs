//! What an idle HTTP/2 connection relies on in h2 and hyper. They do not promise any of it, so a
//! test that fails after an update means that `frames` or this folder must change first.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::connection::builder;
use super::idle::PING_PAYLOAD;
use super::shared_io::SharedIo;
use crate::drain::Drain;
use crate::server::bounds::Bounds;
use crate::server::frames::*;

const INITIAL_WINDOW: u32 = 65_535;

/// Settings (RFC 9113, section 6.5.2).
const HEADER_TABLE_SIZE: u16 = 1;
const INITIAL_WINDOW_SIZE: u16 = 4;

/// `GET /` of host x, without an HPACK table size update (RFC 7541, appendix A).
pub(super) const REQUEST: [u8; 6] = [0x82, 0x86, 0x84, 0x41, 1, b'x'];

/// A response body larger than any window below.
static BODY: [u8; 200_000] = [7; 200_000];

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Frame {
    pub(super) kind: u8,
    flags: u8,
    pub(super) stream_id: u32,
    pub(super) payload: Vec<u8>,
}

pub(super) fn frame(kind: u8, flags: u8, stream_id: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = encode_frame(kind, flags, payload);
    frame[8] = stream_id;
    frame
}

/// The preface that a new h2 reads, with these settings and this connection window.
pub(super) fn client_preface(settings: &[(u16, u32)], increment: u32) -> Vec<u8> {
    let settings: Vec<u8> = settings
        .iter()
        .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
        .collect();
    let mut preface = [
        PREFACE,
        &encode_frame(SETTINGS, 0, &settings),
        &encode_frame(SETTINGS, ACK, &[]),
    ]
    .concat();
    if increment > 0 {
        preface.extend(encode_frame(WINDOW_UPDATE, 0, &increment.to_be_bytes()));
    }
    preface
}

/// Reads the request body, and responds with [`BODY`].
async fn respond(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let _ = request.into_body().collect().await;
    Ok(Response::new(Full::new(Bytes::from_static(&BODY))))
}

/// What a new h2 writes that reads these bytes, and then nothing.
pub(super) async fn written_by_h2(bounds: &Bounds, input: &[u8]) -> Vec<Frame> {
    let (mut near, far) = tokio::io::duplex(1 << 20);
    near.write_all(input).await.unwrap();
    let builder = builder(bounds, &Drain::default());
    let connection = builder.serve_connection(TokioIo::new(far), service_fn(respond));
    let mut output = Vec::new();
    let read = async { while near.read_buf(&mut output).await.is_ok_and(|read| read > 0) {} };
    let serve = async {
        // After an error, what was written is still read.
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = serve => {}
        () = read => {}
        // The clock is paused: it advances once all tasks wait.
        () = tokio::time::sleep(Duration::from_millis(1)) => {}
    }
    parse(&output)
}

fn parse(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(header) = bytes.first_chunk::<FRAME_HEADER_LEN>() {
        let FrameHeader {
            length,
            kind,
            flags,
            stream_id,
        } = FrameHeader::parse(*header);
        let payload = bytes[FRAME_HEADER_LEN..][..length].to_vec();
        bytes = &bytes[FRAME_HEADER_LEN + length..];
        frames.push(Frame {
            kind,
            flags,
            stream_id,
            payload,
        });
    }
    assert!(bytes.is_empty(), "a part of a frame");
    frames
}

/// The DATA bytes that a client is sent on a stream.
fn data_len(frames: &[Frame], stream_id: u32) -> usize {
    let on_stream = |frame: &&Frame| frame.kind == DATA && frame.stream_id == stream_id;
    let data = frames.iter().filter(on_stream);
    data.map(|frame| frame.payload.len()).sum()
}

/// `SyntheticHandshake` waits for exactly these frames, and discards every frame before the last.
#[tokio::test(start_paused = true)]
async fn a_handshake_is_settings_an_acknowledgement_and_a_window_update() {
    let bounds = Bounds::default();
    let mut frames = written_by_h2(&bounds, &client_preface(&[], 10)).await;
    frames.sort();
    let (kinds, flags): (Vec<_>, Vec<_>) = frames
        .iter()
        .map(|frame| ((frame.kind, frame.stream_id), frame.flags))
        .unzip();
    assert_eq!(kinds, [(SETTINGS, 0), (SETTINGS, 0), (WINDOW_UPDATE, 0)]);
    assert_eq!(flags, [0, ACK, 0]);
    let increment = bounds.http2_connection_window - INITIAL_WINDOW;
    assert_eq!(frames[2].payload, increment.to_be_bytes());
}

/// `connection_state::announces_window` knows when there is a WINDOW_UPDATE.
#[tokio::test(start_paused = true)]
async fn a_handshake_announces_a_window_that_is_wider_by_at_least_half() {
    let limit = INITIAL_WINDOW + INITIAL_WINDOW / 2;
    for window in [INITIAL_WINDOW, limit - 1, limit, 256 << 10] {
        let bounds = Bounds {
            http2_connection_window: window,
            ..Bounds::default()
        };
        let frames = written_by_h2(&bounds, &client_preface(&[], 0)).await;
        let announced = frames.iter().any(|frame| frame.kind == WINDOW_UPDATE);
        assert_eq!(announced, announces_window(window), "{window}");
    }
}

/// A client continues with its next stream, and without a table size update, since it has emptied
/// its table before.
#[tokio::test(start_paused = true)]
async fn a_new_h2_accepts_any_first_stream_id_and_no_table_size_update() {
    let request = frame(HEADERS, END_STREAM | END_HEADERS, 101, &REQUEST);
    let input = [client_preface(&[], 0), request].concat();
    let frames = written_by_h2(&Bounds::default(), &input).await;
    let response = |frame: &Frame| frame.kind == HEADERS && frame.stream_id == 101;
    assert!(frames.iter().any(response), "{frames:?}");
    assert!(frames.iter().all(|frame| frame.kind != GOAWAY));
}

/// The client may acknowledge a PING of the previous h2, or of the idle connection.
#[tokio::test(start_paused = true)]
async fn a_new_h2_ignores_acknowledgements_of_pings_that_it_did_not_send() {
    let input = [
        client_preface(&[], 0),
        encode_frame(PING, ACK, &PING_PAYLOAD),
        encode_frame(PING, 0, b"12345678"),
    ];
    let frames = written_by_h2(&Bounds::default(), &input.concat()).await;
    let pong = |frame: &Frame| (frame.kind, frame.flags) == (PING, ACK);
    assert!(frames.iter().any(pong), "{frames:?}");
    assert!(frames.iter().all(|frame| frame.kind != GOAWAY));
}

/// The preface carries the client's settings and its connection window.
#[tokio::test(start_paused = true)]
async fn a_new_h2_keeps_to_the_windows_of_its_preface() {
    let request = frame(HEADERS, END_STREAM | END_HEADERS, 1, &REQUEST);
    let cases = [
        // Stream window, increment of the connection window, DATA bytes.
        (10, 0, 10),
        (1 << 20, 0, INITIAL_WINDOW),
        (1 << 20, 1000, INITIAL_WINDOW + 1000),
    ];
    for (stream_window, increment, expected) in cases {
        let preface = client_preface(&[(INITIAL_WINDOW_SIZE, stream_window)], increment);
        let input = [preface, request.clone()].concat();
        let frames = written_by_h2(&Bounds::default(), &input).await;
        assert_eq!(data_len(&frames, 1), expected as usize);
    }
}

/// The client's decoder keeps the table of the previous h2, with the size that the settings allow.
#[tokio::test(start_paused = true)]
async fn a_new_h2_sends_a_table_size_update_if_the_client_allows_less_than_the_default() {
    let request = frame(HEADERS, END_STREAM | END_HEADERS, 1, &REQUEST);
    for (size, first_byte) in [(0, 0x20), (4096, 0x88)] {
        let input = [
            client_preface(&[(HEADER_TABLE_SIZE, size)], 0),
            request.clone(),
        ]
        .concat();
        let frames = written_by_h2(&Bounds::default(), &input).await;
        let response = frames.iter().find(|frame| frame.kind == HEADERS).unwrap();
        assert_eq!(response.payload[0], first_byte, "{size}");
    }
}

/// A connection is suspended while hyper waits: nothing may be left in the buffers of h2 then.
#[tokio::test(start_paused = true)]
async fn h2_has_processed_all_complete_frames_when_it_waits() {
    let (mut near, far) = tokio::io::duplex(1 << 20);
    let pings = encode_frame(PING, 0, b"12345678").repeat(20);
    let input = [client_preface(&[], 0), pings].concat();
    near.write_all(&input).await.unwrap();
    let builder = builder(&Bounds::default(), &Drain::default());
    let mut connection = builder.serve_connection(TokioIo::new(far), service_fn(respond));
    let waits = poll_fn(|cx| Poll::Ready(Pin::new(&mut connection).poll(cx).is_pending()));
    assert!(waits.await);
    let mut output = Vec::with_capacity(1 << 10);
    near.read_buf(&mut output).await.unwrap();
    let pong = |frame: &&Frame| (frame.kind, frame.flags) == (PING, ACK);
    assert_eq!(parse(&output).iter().filter(pong).count(), 20);
}

/// A suspended connection is dropped. The client must not notice, and the socket must be free.
#[tokio::test(start_paused = true)]
async fn a_dropped_connection_writes_nothing_and_releases_its_socket() {
    let (mut near, far) = tokio::io::duplex(1 << 20);
    let request = frame(HEADERS, END_STREAM | END_HEADERS, 1, &REQUEST);
    let settings = [(INITIAL_WINDOW_SIZE, 1 << 20)];
    let input = [client_preface(&settings, 1 << 20), request].concat();
    near.write_all(&input).await.unwrap();
    let io = SharedIo::new(far);
    let builder = builder(&Bounds::default(), &Drain::default());
    let mut connection =
        builder.serve_connection(TokioIo::new(io.clone_handle()), service_fn(respond));
    let mut output = Vec::new();
    let mut read = async |output: &mut Vec<u8>, connection: Option<&mut _>| {
        let serve = async {
            match connection {
                Some(connection) => drop(Pin::new(connection).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = serve => {}
            () = async { while near.read_buf(output).await.is_ok_and(|read| read > 0) {} } => {}
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
    };
    read(&mut output, Some(&mut connection)).await;
    assert_eq!(data_len(&parse(&output), 1), BODY.len());
    let written = output.len();
    drop(connection);
    read(&mut output, None).await;
    assert_eq!(output.len(), written);
    assert!(io.into_inner().is_some());
}

/// The frames of a client, read by h2 directly or through a [`FrameInspector`].
struct RecordingIo {
    input: Bytes,
    inspector: Option<FrameInspector>,
    /// The largest buffer that h2 offered.
    max_buffer: usize,
}

impl AsyncRead for RecordingIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.max_buffer = this.max_buffer.max(target.remaining());
        let consumed = match &mut this.inspector {
            Some(inspector) => inspector.forward(&this.input, target).unwrap(),
            None => {
                let count = this.input.len().min(target.remaining());
                target.put_slice(&this.input[..count]);
                count
            }
        };
        let _ = this.input.split_to(consumed);
        match target.filled().is_empty() {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for RecordingIo {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// `FrameInspector` splits DATA so that h2 never needs more than its first buffer.
#[tokio::test(start_paused = true)]
async fn h2_reads_into_8_kib_and_grows_for_larger_frames() {
    const FIRST_BUFFER: usize = 8 << 10;

    let block = [0x83, 0x86, 0x84, 0x41, 1, b'x'];
    let mut input = client_preface(&[], 0);
    input.extend(frame(HEADERS, END_HEADERS, 1, &block));
    for _ in 0..3 {
        input.extend(frame(DATA, 0, 1, &[7; 16 << 10]));
    }
    let bounds = Bounds::default();
    for is_inspected in [true, false] {
        let io = SharedIo::new(RecordingIo {
            input: Bytes::from(input.clone()),
            inspector: is_inspected.then(|| FrameInspector::new(&bounds)),
            max_buffer: 0,
        });
        let builder = builder(&bounds, &Drain::default());
        let connection =
            builder.serve_connection(TokioIo::new(io.clone_handle()), service_fn(respond));
        let _ = tokio::time::timeout(Duration::from_millis(1), connection).await;
        let (left, max_buffer) = io.with(|io| (io.input.len(), io.max_buffer));
        assert_eq!(left, 0, "h2 read everything");
        assert_eq!(max_buffer > FIRST_BUFFER, !is_inspected, "{max_buffer}");
        assert!(max_buffer >= FIRST_BUFFER, "{max_buffer}");
    }
}
