//! An open-loop load: each request starts at its scheduled time, independent of earlier ones.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

/// The number of connections that share the load.
const CONNECTIONS: u32 = 8;

/// A running load.
pub(super) struct Load {
    end: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Answer>>,
}

/// The response to one request.
pub(super) struct Answer {
    /// The time since the request was due and the client was ready.
    pub(super) delay: Duration,
    pub(super) status: u16,
    pub(super) body: Bytes,
}

impl Load {
    /// Starts a load of `rate` requests per second.
    pub(super) fn start(to: SocketAddr, rate: u32) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&end);
        let thread = std::thread::spawn(move || {
            let every = Duration::from_secs(1) * CONNECTIONS / rate;
            run(async {
                let connections: JoinSet<_> = (0..CONNECTIONS)
                    .map(|number| {
                        paced(to, every, every * number / CONNECTIONS, Arc::clone(&ended))
                    })
                    .collect();
                connections.join_all().await.into_iter().flatten().collect()
            })
        });
        Self { end, thread }
    }

    /// Stops the load; returns all responses.
    pub(super) fn end(self) -> Vec<Answer> {
        self.end.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

async fn paced(
    to: SocketAddr,
    every: Duration,
    first: Duration,
    ended: Arc<AtomicBool>,
) -> Vec<Answer> {
    let mut sender = connect(to).await;
    let mut answers = Vec::new();
    let mut due = Instant::now() + first;
    while !ended.load(Ordering::Relaxed) {
        // The delay counts from the actual start if only the timer was late, and from the due time
        // if the previous response delayed the request.
        let begin = if Instant::now() < due {
            tokio::time::sleep_until(due.into()).await;
            Instant::now()
        } else {
            due
        };
        let (status, body) = send(&mut sender, to, "/ask?rest=two", "one").await;
        answers.push(Answer {
            delay: begin.elapsed(),
            status,
            body,
        });
        due += every;
    }
    answers
}

/// Runs a future on this thread.
pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(work)
}

pub(super) async fn connect(to: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(super) async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    to: SocketAddr,
    target: &str,
    kind: &str,
) -> (u16, Bytes) {
    let request = Request::post(target)
        .header("host", to.to_string())
        .header("accept", "application/json")
        .header("content-type", "application/json")
        .header("x-kind", kind)
        .body(Full::from("{\"id\": 7, \"rest\": \"two\"}"));
    sender.ready().await.unwrap();
    let response = sender.send_request(request.unwrap()).await.unwrap();
    let status = response.status().as_u16();
    (
        status,
        response.into_body().collect().await.unwrap().to_bytes(),
    )
}

pub(super) async fn get(
    sender: &mut SendRequest<Full<Bytes>>,
    to: SocketAddr,
    target: &str,
) -> Bytes {
    let request = Request::get(target).header("host", to.to_string());
    let request = request.body(Full::default()).unwrap();
    sender.ready().await.unwrap();
    let response = sender.send_request(request).await.unwrap();
    response.into_body().collect().await.unwrap().to_bytes()
}

/// p99 of the delays in nanoseconds.
pub(super) fn slowest(answers: &[Answer]) -> f64 {
    let mut delays: Vec<_> = answers.iter().map(|one| one.delay).collect();
    delays.sort_unstable();
    delays[delays.len() * 99 / 100].as_secs_f64() * 1e9
}
