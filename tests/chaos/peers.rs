//! Scripted faulty origins, and clients that distinguish a clean end from an abort.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;

use crate::support::{PATIENCE, until};

/// A step of an origin on a connection. After the last step the connection is closed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Do {
    /// Reads the head of a request.
    Read,
    /// Reads this number of bytes.
    Take(usize),
    /// Sends these bytes.
    Send(&'static [u8]),
    /// Sends these bytes until the peer closes the connection.
    Forever(&'static [u8]),
    /// Closes the sending side and waits until the peer closes the connection.
    HalfClose,
    /// Waits until the peer closes the connection.
    Stall,
    /// Closes the connection with a reset.
    Reset,
}

/// An origin of raw bytes.
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
}

/// An origin that runs these steps on every connection.
pub(super) fn origin(steps: &'static [Do]) -> Origin {
    origins(vec![steps])
}

/// An origin with a script for each connection in order; the last one is for all further
/// connections.
pub(super) fn origins(scripts: Vec<&'static [Do]>) -> Origin {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = Origin {
        address: listener.local_addr().unwrap(),
        heads: Arc::default(),
        connections: Arc::default(),
        done: Arc::default(),
    };
    let (heads, connections) = (Arc::clone(&origin.heads), Arc::clone(&origin.connections));
    let done = Arc::clone(&origin.done);
    // The thread runs until the process exits; each test sends only a few requests.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let number = connections.fetch_add(1, Ordering::SeqCst);
            let script = scripts[number.min(scripts.len() - 1)];
            let (heads, done) = (Arc::clone(&heads), Arc::clone(&done));
            std::thread::spawn(move || {
                serve(&stream.unwrap(), script, &heads);
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    origin
}

impl Origin {
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of the requests so far.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Waits until a request has arrived.
    pub(super) fn is_asked(&self) {
        until("a request", || (!self.heads().is_empty()).then_some(()));
    }

    /// The number of connections that have ended.
    pub(super) fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: &TcpStream, script: &[Do], heads: &Mutex<Vec<String>>) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    for step in script {
        match step {
            Do::Read => match head(stream) {
                Some(head) => heads.lock().unwrap().push(head),
                None => return,
            },
            Do::Take(count) => {
                let _ = stream.read_exact(&mut vec![0; *count]);
            }
            // A write to a closed connection fails, which is expected here.
            Do::Send(bytes) => drop(stream.write_all(bytes)),
            Do::Forever(bytes) => while stream.write_all(bytes).is_ok() {},
            Do::HalfClose => {
                stream.shutdown(Shutdown::Write).unwrap();
                wait(stream);
            }
            Do::Stall => wait(stream),
            Do::Reset => return reset(stream),
        }
    }
}

/// Resets the connection after the sent bytes were delivered.
fn reset(stream: &TcpStream) {
    SockRef::from(stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

fn wait(mut stream: &TcpStream) {
    while stream.read(&mut [0; 1024]).is_ok_and(|count| count > 0) {}
}

fn head(mut stream: &TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Closed,
    Reset,
    /// The connection was still open when the wait ended.
    Open,
}

/// The bytes that an HTTP/1.1 client gets until the connection ends or nothing arrives for
/// `patience`.
pub(super) fn ask(address: SocketAddr, target: &str, patience: Duration) -> (String, End) {
    let request = format!("GET {target} HTTP/1.1\r\nhost: gateway\r\n\r\n");
    send(address, &request, patience)
}

/// Sends a request, waits for a response that ends in `part`, reads until nothing arrives for
/// [`SILENCE`], runs `before_leaving` and disconnects.
pub(super) fn ask_and_leave(
    address: SocketAddr,
    part: &str,
    before_leaving: impl FnOnce(),
) -> (String, End) {
    let request = "GET / HTTP/1.1\r\nhost: gateway\r\n\r\n";
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let (mut got, end) = read(&mut stream, PATIENCE, |got| got.ends_with(part.as_bytes()));
    assert_eq!(end, End::Open, "{got}");
    let (more, end) = read(&mut stream, SILENCE, |_| false);
    got += &more;
    before_leaving();
    (got, end)
}

/// An open connection counts as silent after this time.
const SILENCE: Duration = Duration::from_millis(800);

/// Like [`ask`], for any bytes.
pub(super) fn send(address: SocketAddr, request: &str, patience: Duration) -> (String, End) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    read(&mut stream, patience, |_| false)
}

/// Like [`send`], until the response ends in `end`.
pub(super) fn send_until(address: SocketAddr, request: &str, end: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    read(&mut stream, PATIENCE, |got| got.ends_with(end.as_bytes())).0
}

/// Reads until the connection ends, nothing arrives in time, or `enough` is true.
fn read(
    stream: &mut TcpStream,
    patience: Duration,
    enough: impl Fn(&[u8]) -> bool,
) -> (String, End) {
    stream.set_read_timeout(Some(patience)).unwrap();
    let (mut got, mut chunk) = (Vec::new(), [0; 4096]);
    let end = loop {
        if enough(&got) {
            break End::Open;
        }
        match stream.read(&mut chunk) {
            Ok(0) => break End::Closed,
            Ok(count) => got.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break End::Reset,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break End::Open,
            Err(error) => panic!("{error}"),
        }
    };
    (String::from_utf8_lossy(&got).into_owned(), end)
}

/// The bytes after the head of a response.
pub(super) fn after_head(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}
