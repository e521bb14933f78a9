//! An idle connection that continues with a new h2, as a client sees it.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::Instant;

use super::connection::serve_until_idle;
use super::idle::{self, PING_PAYLOAD};
use crate::drain::Drain;
use crate::server::activity::Activity;
use crate::server::bounds::Bounds;
use crate::server::connection_limiter::{ConnectionLimiter, ConnectionLimits};
use crate::server::contention::Contention;
use crate::server::context::{ConnectionContext, ListenerContext};
use crate::server::error::Rejection;
use crate::server::frames::*;
use crate::server::inspected_io::{InspectedIo, Inspector};
use crate::server::request_body::{IncomingBody, IncomingBodyError};
use crate::server::request_guard::RequestGuard;
use crate::server::service::HttpService;
use crate::server::warning_throttle::WarningThrottle;

/// Responds with the request body; at `/ignore` with an empty body, without reading the request's.
struct Echo;

impl HttpService for Echo {
    type Body = UnsyncBoxBody<Bytes, IncomingBodyError>;

    async fn call(&self, request: Request<IncomingBody>, _: RequestGuard) -> Response<Self::Body> {
        if request.uri().path() == "/ignore" {
            let empty = Empty::new().map_err(|never| match never {});
            return Response::new(empty.boxed_unsync());
        }
        Response::new(request.into_body().boxed_unsync())
    }

    fn reject(
        &self,
        _: &Request<IncomingBody>,
        _: Rejection,
        _: RequestGuard,
    ) -> Response<Self::Body> {
        Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync())
    }
}

fn connection(bounds: Bounds) -> ConnectionContext<Echo> {
    let permit = ConnectionLimiter::new(ConnectionLimits::default())
        .try_acquire([127, 0, 0, 1].into())
        .unwrap();
    let listener = Arc::new(ListenerContext {
        service: Echo,
        endpoint: "api".into(),
        bounds,
        tls: None,
        warnings: WarningThrottle::default(),
        drain: Drain::default(),
        contention: Contention::default(),
        active_rejections: AtomicUsize::new(0),
    });
    let activity = Activity::new(permit, Arc::default());
    ConnectionContext { listener, activity }
}

fn inspected(
    socket: DuplexStream,
    connection: &ConnectionContext<Echo>,
) -> InspectedIo<DuplexStream> {
    let frames = FrameInspector::new(&connection.listener.bounds);
    let inspector = Inspector::Http2(Box::new(frames));
    let activity = Arc::clone(&connection.activity);
    InspectedIo::new(socket, Bytes::new(), activity, inspector)
}

/// A client whose tasks end with the test.
async fn client(socket: DuplexStream) -> SendRequest<Full<Bytes>> {
    let drain = Drain::default();
    let io = TokioIo::new(socket);
    let (sender, connection) = hyper::client::conn::http2::handshake(drain.clone(), io)
        .await
        .unwrap();
    drain.spawn(async {
        let _ = connection.await;
    });
    sender
}

/// Sends a request with a body of `size` bytes, and expects it back.
async fn send_request(sender: &mut SendRequest<Full<Bytes>>, size: usize) {
    let sent = Bytes::from((0..size).map(|at| (at % 251) as u8).collect::<Vec<_>>());
    let request = Request::post("http://x/some/path")
        .header("x-field", "a value for the HPACK tables")
        .body(Full::new(sent.clone()))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let received = response.into_body().collect().await.unwrap().to_bytes();
    assert!(received == sent, "{} of {size} bytes", received.len());
}

/// Waits for a frame, and serves until the connection is idle again.
async fn resume(
    mut io: InspectedIo<DuplexStream>,
    connection: &ConnectionContext<Echo>,
) -> Option<InspectedIo<DuplexStream>> {
    let first = idle::wait_for_frame(&mut io, connection).await?;
    io.resume(first);
    serve_until_idle(io, connection).await
}

#[tokio::test(start_paused = true)]
async fn a_client_does_not_notice_that_h2_is_replaced() {
    let connection = connection(Bounds::default());
    let (near, far) = tokio::io::duplex(16 << 10);
    let mut sender = client(near).await;
    let requests = async |sender: &mut SendRequest<_>| {
        for size in [0, 1, 1 << 20, 300_000, 5] {
            send_request(sender, size).await;
        }
    };
    let (idle_io, ()) = tokio::join!(
        serve_until_idle(inspected(far, &connection), &connection),
        requests(&mut sender)
    );
    let mut io = idle_io.expect("the connection becomes idle");
    for _ in 0..3 {
        let (idle_io, ()) = tokio::join!(resume(io, &connection), requests(&mut sender));
        io = idle_io.expect("the connection becomes idle again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_with_an_hpack_table_keeps_h2() {
    let connection = connection(Bounds {
        http2_header_table_size: 4096,
        idle_timeout: Duration::from_secs(60),
        ..Bounds::default()
    });
    let (near, far) = tokio::io::duplex(16 << 10);
    let mut sender = client(near).await;
    let (idle_io, ()) = tokio::join!(
        serve_until_idle(inspected(far, &connection), &connection),
        send_request(&mut sender, 10)
    );
    assert!(idle_io.is_none(), "h2 serves until the idle timeout");
}

#[tokio::test(start_paused = true)]
async fn pings_an_idle_client_without_h2() {
    let connection = connection(Bounds {
        idle_timeout: Duration::from_secs(600),
        ..Bounds::default()
    });
    let (near, far) = tokio::io::duplex(16 << 10);
    let mut sender = client(near).await;
    let (idle_io, ()) = tokio::join!(
        serve_until_idle(inspected(far, &connection), &connection),
        send_request(&mut sender, 10)
    );
    let mut io = idle_io.unwrap();
    let start = Instant::now();
    let later = async {
        tokio::time::sleep(Duration::from_secs(200)).await;
        send_request(&mut sender, 10).await;
    };
    let serve = async {
        let first = idle::wait_for_frame(&mut io, &connection).await.unwrap();
        let idle_time = start.elapsed().as_secs();
        io.resume(first);
        (idle_time, serve_until_idle(io, &connection).await)
    };
    let ((idle_time, idle_io), ()) = tokio::join!(serve, later);
    assert_eq!(idle_time, 200, "acknowledged PINGs do not start h2");
    assert!(idle_io.is_some());
}

#[tokio::test(start_paused = true)]
async fn closes_an_idle_client_that_acknowledges_no_ping() {
    let connection = connection(Bounds::default());
    let (_near, far) = tokio::io::duplex(16 << 10);
    let start = Instant::now();
    let next = idle::wait_for_frame(&mut inspected(far, &connection), &connection).await;
    assert!(next.is_none());
    let bounds = &connection.listener.bounds;
    let time = bounds.http2_ping_interval + bounds.http2_ping_timeout;
    assert_eq!(start.elapsed().as_secs(), time.as_secs());
}

/// A header block that empties the HPACK table, then `GET /` of host x (RFC 7541, appendix A).
const REQUEST: [u8; 7] = [0x20, 0x82, 0x86, 0x84, 0x41, 1, b'x'];

fn request(stream_id: u8) -> Vec<u8> {
    let mut frame = encode_frame(HEADERS, END_STREAM | END_HEADERS, &REQUEST);
    frame[8] = stream_id;
    frame
}

/// The types and streams of the frames that a client is sent until the connection ends.
async fn read_frames(mut near: DuplexStream) -> Vec<(u8, u32)> {
    let (mut frames, mut bytes) = (Vec::new(), Vec::new());
    near.read_to_end(&mut bytes).await.unwrap();
    let mut rest = &bytes[..];
    while let Some(header) = rest.first_chunk::<FRAME_HEADER_LEN>() {
        let header = FrameHeader::parse(*header);
        frames.push((header.kind, header.stream_id));
        rest = &rest[FRAME_HEADER_LEN + header.length..];
    }
    frames
}

/// The preface of a client that acknowledges the settings at once.
fn client_preface() -> Vec<u8> {
    let acknowledged = encode_frame(SETTINGS, ACK, &[]);
    [PREFACE, &encode_frame(SETTINGS, 0, &[]), &acknowledged].concat()
}

#[tokio::test(start_paused = true)]
async fn an_unread_body_does_not_keep_h2() {
    let connection = connection(Bounds::default());
    let (mut near, far) = tokio::io::duplex(16 << 10);
    // POST /ignore of host x, with a body.
    let block = b"\x20\x83\x86\x04\x07/ignore\x41\x01x";
    let mut request = encode_frame(HEADERS, END_HEADERS, block);
    request[8] = 1;
    let mut body = encode_frame(DATA, END_STREAM, &[7; 3000]);
    body[8] = 1;
    let sent = [client_preface(), request, body].concat();
    near.write_all(&sent).await.unwrap();
    let mut io = serve_until_idle(inspected(far, &connection), &connection)
        .await
        .expect("the connection becomes idle");
    let full_window = connection.listener.bounds.http2_connection_window;
    let mut next = pin!(idle::wait_for_frame(&mut io, &connection));
    // The client gets back the window that the unread body took.
    let window = async {
        let (mut window, mut header) = (65_535 - 3000, [0; FRAME_HEADER_LEN]);
        while window < full_window {
            near.read_exact(&mut header).await.unwrap();
            let header = FrameHeader::parse(header);
            let mut payload = vec![0; header.length];
            near.read_exact(&mut payload).await.unwrap();
            if header.kind == WINDOW_UPDATE && header.stream_id == 0 {
                window += u32::from_be_bytes(payload.try_into().unwrap());
            }
        }
        window
    };
    tokio::select! {
        _ = &mut next => panic!("the client sent nothing"),
        window = window => assert_eq!(window, full_window),
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_client_is_sent_a_goaway() {
    for is_stop in [false, true] {
        let connection = connection(Bounds::default());
        let (mut near, far) = tokio::io::duplex(16 << 10);
        let sent = [client_preface(), request(1)].concat();
        near.write_all(&sent).await.unwrap();
        let io = serve_until_idle(inspected(far, &connection), &connection)
            .await
            .unwrap();
        if is_stop {
            connection.listener.drain.begin();
        }
        let (idle_io, frames) = tokio::join!(resume(io, &connection), async {
            // The client acknowledges the one PING that it is sent.
            tokio::time::sleep(Duration::from_secs(31)).await;
            let pong = encode_frame(PING, ACK, &PING_PAYLOAD);
            let _ = near.write_all(&pong).await;
            read_frames(near).await
        });
        assert!(idle_io.is_none());
        let settings = frames.iter().filter(|(kind, _)| *kind == SETTINGS).count();
        assert_eq!(settings, 2, "one SETTINGS and one ACK: {frames:?}");
        assert!(frames.contains(&(GOAWAY, 0)), "{frames:?}");
    }
}
