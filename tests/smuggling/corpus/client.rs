//! A client of raw bytes: sends one input on its own connection and reads all responses.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::strict::{End, Reading};

/// The longest time without data on an open connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Concurrent connections.
const CLIENTS: usize = 16;

/// A final response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The gateway rejected the request.
    pub(crate) own: bool,
    /// The origin received the complete request and answered.
    pub(crate) marked: bool,
    pub(crate) body: Vec<u8>,
}

/// The responses on a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    pub(crate) whole: Vec<Answer>,
    /// Bytes after the last complete response.
    pub(crate) rest: Vec<u8>,
    /// The peer closed the connection.
    pub(crate) closed: bool,
}

/// Runs all inputs, a few at a time, and returns the outcomes in order.
pub(crate) fn each<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut done = Vec::new();
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(one) = all.get(at) else {
                            return done;
                        };
                        done.push((at, work(one)));
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, one)| one).collect()
}

/// Sends the bytes and reads until the peer closes. After the last possible response the client
/// half-closes the connection.
pub(crate) fn send(address: SocketAddr, bytes: &[u8], reading: &Reading) -> Answers {
    let mut stream = connect(address);
    // A peer that rejects the first bytes need not read the others.
    let _ = stream.write_all(bytes);
    let methods: Vec<_> = reading
        .requests
        .iter()
        .map(|one| one.method.clone())
        .collect();
    let quiet = !matches!(reading.end, End::BadHead(_) | End::BadBody(_));
    let mut read = Vec::new();
    let mut told = false;
    loop {
        let answers = answers(&read, &methods);
        if quiet && !told && answers.whole.len() >= methods.len() {
            // The peer may have closed the connection already.
            let _ = stream.shutdown(Shutdown::Write);
            told = true;
        }
        match receive(&mut stream, &mut read) {
            Some(true) => {}
            Some(false) => {
                return Answers {
                    closed: true,
                    ..answers
                };
            }
            None => return answers,
        }
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// True if data arrived, false if the connection ended, `None` after the timeout.
pub(crate) fn receive(stream: &mut TcpStream, into: &mut Vec<u8>) -> Option<bool> {
    let mut bytes = [0; 4096];
    match stream.read(&mut bytes) {
        Ok(0) => Some(false),
        Ok(count) => {
            into.extend(&bytes[..count]);
            Some(true)
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
        Err(_) => Some(false),
    }
}

/// Parses final responses; `methods` are the methods of the requests.
pub(crate) fn answers(bytes: &[u8], methods: &[String]) -> Answers {
    let mut answers = Answers::default();
    let mut rest = bytes;
    loop {
        let is_head = methods
            .get(answers.whole.len())
            .is_some_and(|method| method == "HEAD");
        let Some((answer, after)) = answer(rest, is_head) else {
            answers.rest = rest.to_vec();
            return answers;
        };
        rest = after;
        if answer.status >= 200 {
            answers.whole.push(answer);
        }
    }
}

fn answer(bytes: &[u8], is_head: bool) -> Option<(Answer, &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let status = head
        .strip_prefix("http/1.1 ")
        .or(head.strip_prefix("http/1.0 "))?;
    let status: u16 = status.get(..3)?.parse().ok()?;
    let field = |name: &str| {
        let mut lines = head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    };
    let own = field("ouli-error").is_some();
    let marked = field("x-origin").is_some();
    let framed = head.lines().filter(|line| {
        line.starts_with("content-length:") || line.starts_with("transfer-encoding:")
    });
    assert!(framed.count() <= 1, "an ambiguous response: {head}");
    let after = &bytes[end..];
    let none = is_head || matches!(status, 100..=199 | 204 | 304);
    let (body, rest) = if none {
        (Vec::new(), after)
    } else if let Some(length) = field("content-length") {
        let length = length.parse().ok()?;
        (after.get(..length)?.to_vec(), &after[length..])
    } else {
        chunked(after)?
    };
    Some((
        Answer {
            status,
            own,
            marked,
            body,
        },
        rest,
    ))
}

fn chunked(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        let chunk = rest.get(end + 2..end + 2 + size)?;
        body.extend(chunk);
        rest = rest.get(end + 2 + size..)?.strip_prefix(b"\r\n")?;
        if size == 0 {
            return Some((body, rest));
        }
    }
}
