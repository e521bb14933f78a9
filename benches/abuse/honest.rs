//! A well-behaved client and its latency.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The number of its connections.
const CONNECTIONS: usize = 2;
/// The time between two requests on a connection.
const EVERY: Duration = Duration::from_millis(4);
/// The timeout of a response.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request that the cassette of `platform` has a response for.
const REQUEST: &str = "POST /ask?rest=two HTTP/1.1\r\nhost: 127.0.0.1\r\n\
    accept: application/json\r\ncontent-type: application/json\r\nx-kind: one\r\n\
    content-length: 25\r\n\r\n{\"id\": 7, \"rest\": \"two\"} ";

/// A running client.
pub(super) struct Honest {
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Delay>>>,
}

/// When a request was due, and the latency of its response; none if there was no response.
#[derive(Clone, Copy)]
pub(super) struct Delay {
    pub(super) due: Instant,
    pub(super) latency: Option<Duration>,
}

impl Honest {
    pub(super) fn start(to: SocketAddr) -> Self {
        let end = Arc::<AtomicBool>::default();
        let threads = (0..CONNECTIONS).map(|_| {
            let ended = Arc::clone(&end);
            std::thread::spawn(move || paced(to, &ended))
        });
        Self {
            threads: threads.collect(),
            end,
        }
    }

    /// Stops the client and returns the latency of each request.
    pub(super) fn end(self) -> Vec<Delay> {
        self.end.store(true, Ordering::Relaxed);
        let threads = self.threads.into_iter();
        threads.flat_map(|thread| thread.join().unwrap()).collect()
    }
}

fn paced(to: SocketAddr, ended: &AtomicBool) -> Vec<Delay> {
    let mut connection = None;
    let mut delays = Vec::new();
    let mut due = Instant::now();
    while !ended.load(Ordering::Relaxed) {
        due += EVERY;
        let now = Instant::now();
        // The latency counts from the actual start if only the timer was late, and from the due
        // time if the previous response delayed the request.
        let begin = if now < due {
            std::thread::sleep(due - now);
            Instant::now()
        } else {
            due
        };
        let answered = match once(to, &mut connection) {
            // A gateway may close a connection between two requests.
            Err(_) => once(to, &mut connection),
            answered => answered,
        };
        let is_good = answered.is_ok_and(|status| status == 200);
        let latency = is_good.then(|| begin.elapsed());
        delays.push(Delay {
            due: begin,
            latency,
        });
    }
    delays
}

fn once(to: SocketAddr, connection: &mut Option<TcpStream>) -> io::Result<u16> {
    let mut stream = match connection.take() {
        Some(stream) => stream,
        None => connect(to)?,
    };
    stream.write_all(REQUEST.as_bytes())?;
    let (status, last) = answer(&mut stream)?;
    *connection = (!last).then_some(stream);
    Ok(status)
}

/// A connection with timeouts.
pub(super) fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads a response with content-length; its status, and whether the connection closes after it.
pub(super) fn answer(stream: &mut TcpStream) -> io::Result<(u16, bool)> {
    let (status, head, _) = whole(stream)?;
    Ok((status, head.contains("\r\nconnection: close")))
}

/// The status, the head in lower case, and the body of a response with content-length.
pub(super) fn whole(stream: &mut TcpStream) -> io::Result<(u16, String, Vec<u8>)> {
    let mut read = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let end = read.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&read[..end + 2]).to_ascii_lowercase();
            let field = |line: &str| line.strip_prefix("content-length:")?.trim().parse().ok();
            let length = head.lines().find_map(field).unwrap_or(0);
            let mut body = read.split_off(end + 4);
            while body.len() < length {
                match stream.read(&mut bytes)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    count => body.extend(&bytes[..count]),
                }
            }
            body.truncate(length);
            let status = head.get(9..12).and_then(|status| status.parse().ok());
            return Ok((status.unwrap_or(0), head, body));
        }
        match stream.read(&mut bytes)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => read.extend(&bytes[..count]),
        }
    }
}

/// Sends a request on a new connection.
pub(super) fn ask(to: SocketAddr, request: &[u8]) -> io::Result<(u16, String, Vec<u8>)> {
    let mut stream = connect(to)?;
    stream.write_all(request)?;
    whole(&mut stream)
}

/// Requests without a response.
pub(super) fn unanswered(delays: &[Delay]) -> usize {
    delays
        .iter()
        .filter(|delay| delay.latency.is_none())
        .count()
}

/// p99 of the latencies in seconds.
pub(super) fn slowest(delays: &[Delay]) -> f64 {
    let mut delays: Vec<_> = delays.iter().filter_map(|delay| delay.latency).collect();
    delays.sort_unstable();
    let last = delays.len().saturating_sub(1);
    delays
        .get(last * 99 / 100)
        .map_or(f64::INFINITY, Duration::as_secs_f64)
}
