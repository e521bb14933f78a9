//! Backpressure in both directions with bounded memory.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ouli_codec::websocket;

use crate::support::binary::{Process, program};
use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::websocket::{Peer, Way};
use crate::support::{PATIENCE, gateway, spawn, wait_for};

/// The bytes that a sender sends if nothing stalls it.
const ALL: usize = 32 << 20;

/// The maximum number of bytes in flight: kernel buffers of four sockets, HTTP/2 windows, and
/// buffers of the gateway.
const ON_THE_WAY: usize = 16 << 20;

const PART: usize = 64 << 10;

/// Counts the bytes that a sender has sent.
#[derive(Clone, Default)]
struct Sent(Arc<AtomicUsize>);

impl Sent {
    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::SeqCst);
    }

    fn now(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Waits until nothing was sent for a while; returns the number of sent bytes.
    fn stalls(&self) -> usize {
        let (start, mut last) = (Instant::now(), (self.now(), Instant::now()));
        while last.0 == 0 || last.1.elapsed() < Duration::from_millis(400) {
            if self.now() != last.0 {
                last = (self.now(), Instant::now());
            }
            assert!(
                start.elapsed() < PATIENCE,
                "the sender never stalls, or sends nothing"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        last.0
    }
}

/// An origin that sends a large response, or delays reading a request until it is told to read.
struct Flood {
    address: SocketAddr,
    sent: Sent,
    /// Dropping it makes the origin read the request.
    read: Option<std::sync::mpsc::SyncSender<()>>,
}

fn flood() -> Flood {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (read, told) = std::sync::mpsc::sync_channel(1);
    let flood = Flood {
        address: listener.local_addr().unwrap(),
        sent: Sent::default(),
        read: Some(read),
    };
    let sent = flood.sent.clone();
    let told = Arc::new(std::sync::Mutex::new(told));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (sent, told) = (sent.clone(), Arc::clone(&told));
            // An error means that the client disconnected.
            std::thread::spawn(move || drop(serve(stream.unwrap(), &sent, &told)));
        }
    });
    flood
}

type Told = std::sync::Mutex<std::sync::mpsc::Receiver<()>>;

fn serve(stream: TcpStream, sent: &Sent, told: &Told) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let field = |name: &str| {
        let mut lines = head.lines();
        lines.find_map(|line| line.strip_prefix(name).map(str::to_owned))
    };
    let mut stream = stream;
    if head.starts_with("POST ") {
        // Waits for a message or for the drop of the sender.
        let _ = told.lock().unwrap().recv();
        let mut left = field("content-length: ").unwrap().parse::<usize>().unwrap();
        let mut buffer = vec![0; PART];
        while left > 0 {
            let most = left.min(PART);
            left -= reader.read(&mut buffer[..most])?;
        }
        return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nread");
    }
    if head.starts_with("GET /none") {
        // A client of WebSockets over HTTP/2 sends this first and would read a body to its end.
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    }
    let (answer, part) = match field("sec-websocket-key: ") {
        Some(key) => (
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-accept: {}\r\n\r\n",
                websocket::accept_key(key.trim())
            ),
            // A message of the largest size that has a 16-bit length here.
            [&[0x82, 126, 0xff, 0xfc][..], &vec![7; PART - 4]].concat(),
        ),
        None if head.starts_with("GET /events") => (
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
                .into(),
            "data: 0123456789abcdefghijklmn\n\n"
                .repeat(PART / 32)
                .into_bytes(),
        ),
        None => (
            format!("HTTP/1.1 200 OK\r\ncontent-length: {ALL}\r\n\r\n"),
            vec![7; PART],
        ),
    };
    stream.write_all(answer.as_bytes())?;
    for _ in 0..ALL / PART {
        stream.write_all(&part)?;
        sent.add(PART);
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    // Waits until the peer has read everything.
    reader.read(&mut [0]).map(drop)
}

/// A body that is always ready and counts the bytes that were read.
struct Counted(Sent);

impl Body for Counted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0.now() >= ALL {
            return Poll::Ready(None);
        }
        self.0.add(PART);
        Poll::Ready(Some(Ok(Frame::data(vec![7; PART].into()))))
    }
}

/// The same origin on HTTP/2.
fn flood_over_http2() -> (String, Sent) {
    let sent = Sent::default();
    let counted = sent.clone();
    let address = wait_for("the origin", async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = service_fn(move |_: Request<Incoming>| {
                let body = Counted(counted.clone());
                async move { Ok::<_, Infallible>(Response::new(body)) }
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            // An error means that the client disconnected.
            drop(builder.serve_connection(TokioIo::new(stream), answer).await);
        });
        address
    });
    (format!("h2c://{address}"), sent)
}

fn over(mode: &'static str, url: &str) -> gateway::Running {
    gateway::over(&Arc::new(Folder::new()), mode)
        .upstream(url)
        .start()
}

/// Asserts that the sender stalls, that it continues when the client reads, and that no byte is
/// lost.
fn assert_slows(what: &str, sent: &Sent, read_all: impl FnOnce() -> usize) {
    let stalled = sent.stalls();
    assert!(stalled < ON_THE_WAY, "{what}: {stalled} bytes in flight");
    assert_eq!(read_all(), ALL, "{what}");
}

/// The bytes in kernel buffers for the connection between these addresses (proc(5), /proc/net/tcp).
fn held_by_the_kernel(from: SocketAddr, to: SocketAddr) -> usize {
    let place = |address: SocketAddr| format!("0100007F:{:04X}", address.port());
    let ends = [place(from), place(to)];
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let mut rows = table.lines().map(|row| row.split_whitespace().skip(1));
    let mut row = rows
        .find(|row| row.clone().take(2).eq(ends.iter()))
        .expect("the connection is there");
    let queues = row.nth(3).unwrap();
    usize::from_str_radix(queues.split(':').next().unwrap(), 16).unwrap()
}

#[test]
fn tcp_notsent_lowat_bounds_what_the_kernel_buffers() {
    let held = |unsent: &str| {
        let flood = flood();
        let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough")
            .upstream(&format!("http://{}", flood.address))
            .section(&format!("[limits]\ntcp_notsent_lowat = {unsent:?}"))
            .start();
        let mut stream = TcpStream::connect(gateway.address).unwrap();
        let socket = socket2::SockRef::from(&stream);
        socket.set_recv_buffer_size(4096).unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .unwrap();
        flood.sent.stalls();
        let held = held_by_the_kernel(gateway.address, stream.local_addr().unwrap());
        // The response goes on when the client reads on.
        stream.read_exact(&mut vec![0; 1 << 20]).unwrap();
        held
    };
    let (little, much) = (held("16 KiB"), held("16 MiB"));
    assert!(little < 64 << 10, "{little} bytes");
    assert!(much > 256 << 10, "{much} bytes with a high limit");
}

#[test]
fn a_slow_client_slows_the_upstream() {
    for mode in ["passthrough", "record"] {
        for (version, target) in [
            (Version::HTTP_11, "/large"),
            (Version::HTTP_2, "/large"),
            (Version::HTTP_11, "/events"),
            (Version::HTTP_2, "/events"),
        ] {
            let flood = flood();
            // Redaction of all these events would take too long.
            let recorded = mode == "record" && target == "/large";
            let most = if recorded { "64 MiB" } else { "1 MiB" };
            let gateway = gateway::over(&Arc::new(Folder::new()), mode)
                .upstream(&format!("http://{}", flood.address))
                .section(&format!("[limits]\nrecorded_body = \"{most}\""))
                .start();
            let opened = client::at(gateway.address, version)
                .ask("GET", target)
                .open();
            let what = format!("{mode} {version:?} {target}");
            assert_slows(&what, &flood.sent, || opened.count().unwrap());
            let verdict = gateway.stop();
            let written: u64 = verdict.sessions.iter().map(|it| it.recorded).sum();
            assert_eq!(written, u64::from(recorded), "{verdict:#?}");
        }
    }
}

#[test]
fn a_slow_client_slows_an_upstream_of_http2() {
    for mode in ["passthrough", "record"] {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let (url, sent) = flood_over_http2();
            let gateway = over(mode, &url);
            let opened = client::at(gateway.address, version)
                .ask("GET", "/large")
                .open();
            let what = format!("{mode} {version:?}");
            assert_slows(&what, &sent, || opened.count().unwrap());
        }
    }
}

#[test]
fn a_slow_client_slows_a_tunnel() {
    for mode in ["passthrough", "record"] {
        for way in [Way::Upgrade, Way::Connect] {
            let flood = flood();
            let gateway = over(mode, &format!("http://{}", flood.address));
            let mut peer = Peer::open(gateway.address, &way, "/socket");
            let stalled = flood.sent.stalls();
            assert!(stalled < ON_THE_WAY, "{mode}: {stalled} bytes in flight");
            let mut read = 0;
            while let Some(message) = peer.next() {
                read += message.payload.len() + 4;
            }
            assert_eq!(read, ALL);
        }
    }
}

/// Sends a body as fast as the peer reads it; returns the response.
fn upload(client: &Client, sent: &Sent) -> std::thread::JoinHandle<String> {
    let (client, sent) = (client.clone(), sent.clone());
    std::thread::spawn(move || {
        let ask = client
            .ask("POST", "/large")
            .header("content-length", &ALL.to_string());
        let body = Counted(sent).boxed_unsync();
        let request = ask.into_request().map(|_| body);
        wait_for("the answer to an upload", async {
            let mut connection = client.connect().await.unwrap();
            let answer = connection.send(request).await.unwrap();
            answer.text().to_owned()
        })
    })
}

#[test]
fn a_slow_upstream_slows_an_upload() {
    for mode in ["passthrough", "record"] {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let mut flood = flood();
            let gateway = over(mode, &format!("http://{}", flood.address));
            let sent = Sent::default();
            let answer = upload(&client::at(gateway.address, version), &sent);
            let stalled = sent.stalls();
            assert!(stalled < ON_THE_WAY, "{mode} {version:?}: {stalled}");
            flood.read = None;
            assert_eq!(answer.join().unwrap(), "read", "{mode} {version:?}");
            assert_eq!(sent.now(), ALL);
        }
    }
}

/// A gateway in its own process, so that its memory can be measured.
fn passing(folder: &Folder, flood: &Flood) -> Process {
    let url = format!("http://{}", flood.address);
    let arguments = ["passthrough", "--listen", "127.0.0.1:0", "--upstream", &url];
    program(folder, &arguments).start()
}

#[test]
fn memory_is_bounded_for_a_client_that_does_not_read() {
    const CLIENTS: usize = 200;
    let (flood, folder) = (flood(), Folder::new());
    let mut process = passing(&folder, &flood);
    let address = process.address();
    let open = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        let socket = socket2::SockRef::from(&stream);
        socket.set_recv_buffer_size(4096).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    let _first = open("/events");
    let before = process.peak_memory();
    let _all: Vec<_> = (0..CLIENTS).map(|_| open("/large")).collect();
    flood.sent.stalls();
    let each = (process.peak_memory() - before) / CLIENTS as u64;
    // Four chunks in flight. hyper allocates twice the size of a read.
    assert!(each < 192 << 10, "{each} bytes per client");
}

#[test]
fn memory_is_bounded_for_many_slow_clients() {
    let (flood, folder) = (flood(), Folder::new());
    let mut process = passing(&folder, &flood);
    let address = process.address();
    client::at(address, Version::HTTP_11)
        .ask("GET", "/events")
        .open();
    let before = process.peak_memory();
    let clients = [Version::HTTP_11, Version::HTTP_2].repeat(16);
    let opened: Vec<_> = clients
        .iter()
        .map(|version| client::at(address, *version).ask("GET", "/large").open())
        .collect();
    flood.sent.stalls();
    let more = process.peak_memory() - before;
    // Buffers and windows: 64 KiB to 256 KiB for each of the four sides.
    assert!(
        more < (opened.len() << 20) as u64,
        "{more} bytes for {} clients",
        opened.len()
    );
}
