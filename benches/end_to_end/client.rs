//! The client: wrk if it is installed, otherwise hyper connections on a separate thread. It shares
//! the machine with the server; wrk needs less CPU time.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

/// The number of connections, each with one request in flight.
const CONNECTIONS: usize = 64;
const TARGET: &str = "/v1/items/42?page=3";
const ACCEPT: &str = "text/plain";

/// The program that sends the requests.
pub(super) enum Client {
    Wrk,
    Hyper,
}

/// The successful responses.
pub(super) struct Sent {
    pub(super) requests: u64,
    pub(super) time: Duration,
}

impl Client {
    pub(super) fn find() -> Self {
        match Command::new("wrk").arg("-v").output() {
            Ok(_) => Self::Wrk,
            Err(_) => Self::Hyper,
        }
    }

    /// Sends requests for a whole number of seconds.
    pub(super) fn send(&self, to: SocketAddr, time: Duration) -> Sent {
        match self {
            Self::Wrk => wrk(to, time),
            Self::Hyper => std::thread::scope(|scope| {
                let thread = scope.spawn(|| hyper(to, time));
                thread.join().unwrap()
            }),
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Wrk => "wrk",
            Self::Hyper => "a client in this process",
        };
        write!(f, "{name}, {CONNECTIONS} connections")
    }
}

/// Sends a request on a new connection.
pub(super) fn ask_once(to: SocketAddr) {
    let mut stream = TcpStream::connect(to).unwrap();
    write!(
        stream,
        "GET {TARGET} HTTP/1.1\r\nhost: {to}\r\naccept: {ACCEPT}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

fn wrk(to: SocketAddr, time: Duration) -> Sent {
    let output = Command::new("wrk")
        .args(["--threads", "1", "--connections", &CONNECTIONS.to_string()])
        .args(["--duration", &time.as_secs().to_string()])
        .args(["--header", &format!("accept: {ACCEPT}")])
        .arg(format!("http://{to}{TARGET}"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let bad = text.contains("Non-2xx") || text.contains("Socket errors");
    assert!(output.status.success() && !bad, "wrk: {text}");
    // `  123456 requests in 2.00s, 40.00MB read`
    let line = text.lines().find(|line| line.contains(" requests in "));
    let mut words = line.unwrap().split_whitespace();
    let requests = words.next().unwrap().parse().unwrap();
    let seconds = words.nth(2).unwrap().trim_end_matches("s,");
    let time = Duration::from_secs_f64(seconds.parse().unwrap());
    Sent { requests, time }
}

fn hyper(to: SocketAddr, time: Duration) -> Sent {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    runtime.block_on(async {
        let start = Instant::now();
        let connections = (0..CONNECTIONS).map(|_| connection(to, start + time));
        let connections: JoinSet<u64> = connections.collect();
        let requests = connections.join_all().await.into_iter().sum();
        let time = start.elapsed();
        Sent { requests, time }
    })
}

/// Sends requests until `end`; returns their number.
async fn connection(to: SocketAddr, end: Instant) -> u64 {
    let stream = tokio::net::TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut requests = 0;
    while Instant::now() < end {
        sender.ready().await.unwrap();
        let request = Request::get(TARGET)
            .header("host", to.to_string())
            .header("accept", ACCEPT)
            .body(Empty::<Bytes>::new());
        let response = sender.send_request(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        response.into_body().collect().await.unwrap();
        requests += 1;
    }
    requests
}
