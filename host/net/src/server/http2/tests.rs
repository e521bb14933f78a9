//! A connection that rests and goes on, as a client sees it.

use std::sync::atomic::AtomicUsize;

use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::client::conn::http2::SendRequest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::*;
use crate::drain::Drain;
use crate::server::accept_loop::ListenerContext;
use crate::server::activity::RequestGuard;
use crate::server::frames::{
    ACK, DATA, END_STREAM, FRAME_HEADER_LEN, FrameHeader, GOAWAY, HEADERS, PING, PREFACE, SETTINGS,
    WINDOW_UPDATE, encode_frame,
};
use crate::server::{ConnectionLimiter, IncomingBody, IncomingBodyError, Rejection};
use ouli_config::Limits;

/// Says what it is told, and at `/deaf` does not listen.
struct Echo;

impl HttpService for Echo {
    type Body = UnsyncBoxBody<Bytes, IncomingBodyError>;

    async fn call(&self, request: Request<IncomingBody>, _: RequestGuard) -> Response<Self::Body> {
        if request.uri().path() == "/deaf" {
            let nothing = Empty::new().map_err(|never| match never {});
            return Response::new(nothing.boxed_unsync());
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

fn at(limits: &Limits) -> ConnectionContext<Echo> {
    let slot = ConnectionLimiter::new(limits)
        .try_acquire([127, 0, 0, 1].into())
        .unwrap();
    let door = Arc::new(ListenerContext {
        service: Echo,
        bounds: Bounds::from(limits),
        tls: None,
        drain: Drain::default(),
        active_rejections: AtomicUsize::new(0),
    });
    let activity = Activity::new(slot, Arc::default());
    ConnectionContext {
        listener: door,
        activity,
    }
}

fn watched(socket: DuplexStream, at: &ConnectionContext<Echo>) -> InspectedIo<DuplexStream> {
    let look = Inspector::Http2(Box::new(FrameInspector::new(&at.listener.bounds)));
    InspectedIo::new(socket, Bytes::new(), Arc::clone(&at.activity), look)
}

/// A client whose own work ends with the test.
async fn client(socket: DuplexStream) -> SendRequest<Full<Bytes>> {
    let executor = TokioExecutor::new();
    let opened = hyper::client::conn::http2::handshake(executor, TokioIo::new(socket)).await;
    let (sender, connection) = opened.unwrap();
    Drain::default().spawn(async {
        let _ = connection.await;
    });
    sender
}

/// Asks with a body of so many bytes, and gets it back.
async fn ask(sender: &mut SendRequest<Full<Bytes>>, size: usize) {
    let sent = Bytes::from((0..size).map(|at| (at % 251) as u8).collect::<Vec<_>>());
    let request = Request::post("http://x/some/path")
        .header("x-field", "a value that both may remember")
        .body(Full::new(sent.clone()))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let back = response.into_body().collect().await.unwrap().to_bytes();
    assert!(back == sent, "{} bytes of {size} came back", back.len());
}

/// Rests until something comes, and goes on until it rests again.
async fn go_on(
    mut resting: InspectedIo<DuplexStream>,
    at: &ConnectionContext<Echo>,
) -> Option<InspectedIo<DuplexStream>> {
    let first = idle::wait_for_frame(&mut resting, at).await?;
    resting.resume(first);
    serve_until_idle(resting, at).await
}

#[tokio::test(start_paused = true)]
async fn a_client_does_not_notice_that_its_connection_rests() {
    let at = at(&Limits::default());
    let (near, far) = tokio::io::duplex(16 << 10);
    let mut sender = client(near).await;
    let asks = async |sender: &mut SendRequest<_>| {
        for size in [0, 1, 1 << 20, 300_000, 5] {
            ask(sender, size).await;
        }
    };
    let (rests, ()) = tokio::join!(serve_until_idle(watched(far, &at), &at), asks(&mut sender));
    let mut resting = rests.expect("it rests where nothing happens");
    for _ in 0..3 {
        let (rests, ()) = tokio::join!(go_on(resting, &at), asks(&mut sender));
        resting = rests.expect("it rests again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_with_a_table_of_its_own_keeps_its_connection_awake() {
    let limits = Limits {
        http2_header_table_size: 4096,
        idle_timeout: Duration::from_secs(60),
        ..Limits::default()
    };
    let at = at(&limits);
    let (near, far) = tokio::io::duplex(16 << 10);
    let mut sender = client(near).await;
    let (rests, ()) = tokio::join!(
        serve_until_idle(watched(far, &at), &at),
        ask(&mut sender, 10)
    );
    assert!(
        rests.is_none(),
        "it is served until it is idle for too long"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_at_rest_is_asked_whether_it_is_there() {
    let limits = Limits {
        idle_timeout: Duration::from_secs(600),
        ..Limits::default()
    };
    let at = at(&limits);
    let (near, far) = tokio::io::duplex(16 << 10);
    let mut sender = client(near).await;
    let (rests, ()) = tokio::join!(
        serve_until_idle(watched(far, &at), &at),
        ask(&mut sender, 10)
    );
    let mut resting = rests.unwrap();
    let begin = Instant::now();
    let later = async {
        tokio::time::sleep(Duration::from_secs(200)).await;
        ask(&mut sender, 10).await;
    };
    let wakes = async {
        let first = idle::wait_for_frame(&mut resting, &at).await.unwrap();
        let rested = begin.elapsed().as_secs();
        resting.resume(first);
        (rested, serve_until_idle(resting, &at).await)
    };
    let ((rested, rests), ()) = tokio::join!(wakes, later);
    assert_eq!(rested, 200, "its answers wake nobody");
    assert!(rests.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_is_not_kept() {
    let at = at(&Limits::default());
    let (_near, far) = tokio::io::duplex(16 << 10);
    let begin = Instant::now();
    let next = idle::wait_for_frame(&mut watched(far, &at), &at).await;
    assert!(next.is_none());
    let bounds = &at.listener.bounds;
    let time = bounds.http2_ping_interval + bounds.http2_ping_timeout;
    assert_eq!(begin.elapsed().as_secs(), time.as_secs());
}

/// GET / of x, from the static table (RFC 7541, appendix A), after the client has emptied its own.
const REQUEST: [u8; 7] = [0x20, 0x82, 0x86, 0x84, 0x41, 1, b'x'];

fn headers(stream: u8) -> Vec<u8> {
    let mut headers = encode_frame(HEADERS, &REQUEST);
    (headers[4], headers[8]) = (0b101, stream);
    headers
}

/// Kinds and streams of what a client is sent, until the connection ends.
async fn heard(mut near: DuplexStream) -> Vec<(u8, u32)> {
    let (mut all, mut bytes) = (Vec::new(), Vec::new());
    near.read_to_end(&mut bytes).await.unwrap();
    let mut rest = &bytes[..];
    while let Some(head) = rest.first_chunk::<FRAME_HEADER_LEN>() {
        let head = FrameHeader::parse(*head);
        all.push((head.kind, head.stream_id()));
        rest = &rest[FRAME_HEADER_LEN + head.length..];
    }
    all
}

/// What a client begins with that acknowledges the settings at once.
fn opening() -> Vec<u8> {
    let mut acknowledged = encode_frame(SETTINGS, &[]);
    acknowledged[4] = ACK;
    [PREFACE, &encode_frame(SETTINGS, &[]), &acknowledged].concat()
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_read_keeps_no_connection_awake() {
    let at = at(&Limits::default());
    let (mut near, far) = tokio::io::duplex(16 << 10);
    // POST /deaf of x, and all of its body.
    let mut request = encode_frame(HEADERS, b"\x20\x83\x86\x04\x05/deaf\x41\x01x");
    (request[4], request[8]) = (4, 1);
    let mut body = encode_frame(DATA, &[7; 3000]);
    (body[4], body[8]) = (END_STREAM, 1);
    let begun = [opening(), request, body].concat();
    near.write_all(&begun).await.unwrap();
    let mut resting = serve_until_idle(watched(far, &at), &at)
        .await
        .expect("it rests");
    let most = at.listener.bounds.http2_connection_window;
    let mut next = pin!(idle::wait_for_frame(&mut resting, &at));
    // What it was sent before it rests has all the room again.
    let room = async {
        let (mut window, mut head) = (65_535 - 3000, [0; FRAME_HEADER_LEN]);
        while window < most {
            near.read_exact(&mut head).await.unwrap();
            let head = FrameHeader::parse(head);
            let mut payload = vec![0; head.length];
            near.read_exact(&mut payload).await.unwrap();
            if head.kind == WINDOW_UPDATE && head.stream_id() == 0 {
                window += u32::from_be_bytes(payload.try_into().unwrap());
            }
        }
        window
    };
    tokio::select! {
        _ = &mut next => panic!("nothing came"),
        window = room => assert_eq!(window, most),
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_at_rest_is_told_of_the_end() {
    for is_stop in [false, true] {
        let at = at(&Limits::default());
        let (mut near, far) = tokio::io::duplex(16 << 10);
        let begun = [opening(), headers(1)].concat();
        near.write_all(&begun).await.unwrap();
        let resting = serve_until_idle(watched(far, &at), &at).await.unwrap();
        if is_stop {
            at.listener.drain.begin();
        }
        let (rests, heard) = tokio::join!(go_on(resting, &at), async {
            // It hears of no other beginning, and is asked once whether it is there.
            tokio::time::sleep(Duration::from_secs(31)).await;
            let mut answer = encode_frame(PING, b"at rest?");
            answer[4] = 1;
            let _ = near.write_all(&answer).await;
            heard(near).await
        });
        assert!(rests.is_none());
        let settings = heard.iter().filter(|(kind, _)| *kind == SETTINGS).count();
        assert_eq!(settings, 2, "its own, and that it knows ours: {heard:?}");
        assert!(heard.contains(&(GOAWAY, 0)), "{heard:?}");
    }
}
