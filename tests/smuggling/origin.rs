//! An origin that keeps the bytes of each connection and reads them by the strict grammar.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::corpus::judge::Seen;
use super::corpus::strict::{self, End, Reading};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nX-Origin: 1\r\nContent-Length: 0\r\n\r\n";

/// A running origin.
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Kept>>,
    end: Arc<AtomicBool>,
    accepting: JoinHandle<()>,
}

/// The requests that the origin received.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// Complete requests, in the order of their ends.
    pub(super) requests: Vec<Seen>,
    /// Requests whose connection ended within the body.
    pub(super) cut: Vec<Seen>,
    /// Bytes that are not HTTP/1.1, and incomplete heads.
    pub(super) wrong: Vec<String>,
}

pub(super) fn start() -> Origin {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::<Mutex<Kept>>::default();
    let kept = Arc::clone(&seen);
    let end = Arc::<AtomicBool>::default();
    let ending = Arc::clone(&end);
    let accepting = std::thread::spawn(move || {
        let mut serving = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if ending.load(Ordering::Relaxed) {
                break;
            }
            let kept = Arc::clone(&kept);
            serving.push(std::thread::spawn(move || serve(&mut stream, &kept)));
        }
        for thread in serving {
            thread.join().unwrap();
        }
    });
    Origin {
        address,
        seen,
        end,
        accepting,
    }
}

impl Origin {
    /// Stops the origin when its connections have ended; returns the received requests.
    pub(super) fn end(self) -> Kept {
        self.end.store(true, Ordering::Relaxed);
        // Wakes the accept loop.
        drop(TcpStream::connect(self.address).unwrap());
        self.accepting.join().unwrap();
        self.seen.lock().unwrap().clone()
    }
}

fn serve(stream: &mut TcpStream, kept: &Mutex<Kept>) {
    let mut waiting = Vec::new();
    let mut bytes = [0; 4096];
    // A reset by the gateway counts as the end of the connection.
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        waiting.extend(&bytes[..count]);
        let reading = strict::read(&waiting);
        if reading.end == End::Whole {
            waiting.clear();
        } else if !reading.requests.is_empty() {
            // A gateway waits for a response before it sends the next request.
            let text = waiting.escape_ascii().to_string();
            kept.lock().unwrap().wrong.push(text);
            break;
        }
        for request in &reading.requests {
            if request.tolerated && !matches!(request.target.as_str(), "*") {
                let text = format!("servers may parse {request:?} differently");
                kept.lock().unwrap().wrong.push(text);
            }
            kept.lock().unwrap().requests.push(Seen::from(request));
            // The gateway may have closed the connection.
            let _ = stream.write_all(ANSWER);
        }
        if matches!(reading.end, End::BadHead(_) | End::BadBody(_)) {
            break;
        }
    }
    note(strict::read(&waiting), &waiting, &mut kept.lock().unwrap());
    let _ = stream.shutdown(Shutdown::Both);
}

/// Notes the state at the end of a connection.
fn note(reading: Reading, waiting: &[u8], kept: &mut Kept) {
    match (reading.end, reading.begun) {
        (End::Whole, _) => {}
        (End::InBody, Some(begun)) => kept.cut.push(Seen::from(&begun)),
        (end, _) => kept
            .wrong
            .push(format!("{end:?}: {}", waiting.escape_ascii())),
    }
}
