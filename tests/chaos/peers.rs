//! Scripted faulty origins, and clients that distinguish a clean end from an abort.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;

use crate::support::{PATIENCE, until};

/// What an origin does with a connection, one after the other. At the end it closes it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Do {
    /// Reads the head of a request.
    Read,
    /// Sends these bytes.
    Send(&'static [u8]),
    /// Sends these bytes until nobody takes them.
    Forever(&'static [u8]),
    /// Sends no more, and waits until the other side is gone.
    HalfClose,
    /// Waits until the other side is gone.
    Stall,
    /// Ends the connection with a reset.
    Reset,
}

/// An origin of raw bytes.
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
}

/// An origin that does this with every connection.
pub(super) fn origin(steps: &'static [Do]) -> Origin {
    origins(vec![steps])
}

/// An origin that does the first with the first connection, and so on; the last with all others.
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
    // It ends with the process; each test asks it a few times.
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

    /// Waits until a request has come.
    pub(super) fn is_asked(&self) {
        until("a request", || (!self.heads().is_empty()).then_some(()));
    }

    /// The connections that have ended.
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
            // Who is gone takes nothing.
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

/// What was sent before arrives before the reset does.
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
    /// It did not, for as long as was waited.
    Open,
}

/// What a client of HTTP/1.1 gets to the end of its connection, or until nothing comes for so long.
pub(super) fn ask(address: SocketAddr, target: &str, patience: Duration) -> (String, End) {
    let request = format!("GET {target} HTTP/1.1\r\nhost: gateway\r\n\r\n");
    send(address, &request, patience)
}

/// Sends a request and leaves once nothing more comes. `part` ends what is waited for: until it has
/// come there is no hurry. `before_leaving` runs last.
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

/// How long a client waits before it takes an open connection for silent.
const SILENCE: Duration = Duration::from_millis(800);

/// The same as [`ask`] for any bytes.
pub(super) fn send(address: SocketAddr, request: &str, patience: Duration) -> (String, End) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    read(&mut stream, patience, |_| false)
}

/// The same as [`send`], until the answer ends in these bytes.
pub(super) fn send_until(address: SocketAddr, request: &str, end: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    read(&mut stream, PATIENCE, |got| got.ends_with(end.as_bytes())).0
}

/// Reads until the connection ends, nothing comes for so long, or `enough` of it has come.
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

/// The bytes behind the head of an answer.
pub(super) fn after_head(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}
