//! Clients that send requests without pause and count the outcomes.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use http::Version;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::client;
use crate::support::websocket::{Peer, TEXT, Way, close, frame};
use crate::support::{spawn, until};

/// Clients that send requests to one address.
pub(super) struct LoadGenerator {
    count: Arc<Count>,
    websockets: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Count {
    answered: AtomicUsize,
    /// Messages that were echoed.
    echoed: AtomicUsize,
    /// Connections that were refused.
    refused: AtomicUsize,
    /// Requests that were not sent or not processed: a client may send them again.
    unsent: AtomicUsize,
    /// WebSockets that received a close frame.
    closed: AtomicUsize,
    lost: Mutex<Vec<String>>,
    over: AtomicBool,
    at_work: AtomicUsize,
}

/// Counts of the outcomes.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) answered: usize,
    pub(super) refused: usize,
    pub(super) unsent: usize,
    pub(super) closed: usize,
    pub(super) lost: Vec<String>,
}

/// The failure of an exchange.
enum Failed {
    Refused,
    Unsent,
    Lost(String),
}

impl LoadGenerator {
    /// HTTP/1.1 on persistent and on new connections, and HTTP/2.
    pub(super) fn requests(address: SocketAddr) -> Self {
        let count = Arc::<Count>::default();
        for number in 0..4 {
            Count::work(&count, move |count| http1(address, number % 2 == 0, count));
            if number % 2 == 0 {
                Count::work(&count, move |count| http2(address, count));
            }
        }
        Self {
            count,
            websockets: Vec::new(),
        }
    }

    /// The same with WebSockets.
    pub(super) fn with_websockets(mut self, address: SocketAddr) -> Self {
        for _ in 0..3 {
            let count = Arc::clone(&self.count);
            let talk = move || websocket(address, &count);
            self.websockets.push(std::thread::spawn(talk));
        }
        self
    }

    /// Waits for this number of further responses.
    pub(super) fn wait_for_responses(&self, more: usize) {
        let count = &self.count;
        let start = count.answered.load(Ordering::Relaxed);
        until("answers under load", || {
            (count.answered.load(Ordering::Relaxed) >= start + more).then_some(())
        });
        let talks = self.websockets.len();
        until("messages under load", || {
            (talks == 0 || count.echoed.load(Ordering::Relaxed) > 0).then_some(())
        });
    }

    /// Lets every client complete its current request, then stops.
    pub(super) fn end(self) -> Totals {
        self.count.over.store(true, Ordering::Relaxed);
        until("the clients to end", || {
            (self.count.at_work.load(Ordering::Relaxed) == 0).then_some(())
        });
        for talk in self.websockets {
            talk.join().unwrap();
        }
        let get = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        Totals {
            answered: get(&self.count.answered),
            refused: get(&self.count.refused),
            unsent: get(&self.count.unsent),
            closed: get(&self.count.closed),
            lost: std::mem::take(&mut *self.count.lost.lock().unwrap()),
        }
    }
}

impl Count {
    fn work<F: Future<Output = ()> + Send + 'static>(
        count: &Arc<Self>,
        work: impl FnOnce(Arc<Self>) -> F,
    ) {
        count.at_work.fetch_add(1, Ordering::Relaxed);
        let (work, count) = (work(Arc::clone(count)), Arc::clone(count));
        spawn(async move {
            work.await;
            count.at_work.fetch_sub(1, Ordering::Relaxed);
        });
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn add(counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    async fn failed(&self, failed: Failed) {
        match failed {
            Failed::Refused => Self::add(&self.refused),
            Failed::Unsent => Self::add(&self.unsent),
            Failed::Lost(how) => self.lost.lock().unwrap().push(how),
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn http1(address: SocketAddr, keep: bool, count: Arc<Count>) {
    while !count.is_over() {
        if let Err(failed) = one_connection(address, keep, &count).await {
            count.failed(failed).await;
        }
    }
}

async fn one_connection(address: SocketAddr, keep: bool, count: &Count) -> Result<(), Failed> {
    let connected = TcpStream::connect(address).await;
    let mut stream = connected.map_err(|error| unconnected(&error))?;
    loop {
        let head = exchange(&mut stream).await.map_err(|error| {
            let kind = if keep { "kept" } else { "new" };
            Failed::Lost(format!("a {kind} connection: {error}"))
        })?;
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(Failed::Lost(head));
        }
        Count::add(&count.answered);
        if !keep || head.contains("connection: close") || count.is_over() {
            return Ok(());
        }
    }
}

fn unconnected(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Failed {
    match error.downcast_ref::<std::io::Error>() {
        Some(error) if error.kind() == ErrorKind::ConnectionRefused => Failed::Refused,
        _ => Failed::Lost(format!("connect: {error}")),
    }
}

/// Reads a complete response after its head.
async fn exchange(stream: &mut TcpStream) -> std::io::Result<String> {
    stream
        .write_all(b"GET /page HTTP/1.1\r\nhost: x\r\n\r\n")
        .await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap();
    let length = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(head.replacen("http", "HTTP", 1))
}

async fn http2(address: SocketAddr, count: Arc<Count>) {
    let client = client::at(address, Version::HTTP_2);
    while !count.is_over() {
        let mut connection = match client.connect().await {
            Ok(connection) => connection,
            Err(error) => {
                count.failed(unconnected(&*error)).await;
                continue;
            }
        };
        while !count.is_over() {
            match connection
                .send(client.ask("GET", "/page").into_request())
                .await
            {
                Ok(answer) if answer.status == 200 => Count::add(&count.answered),
                Ok(answer) => count.failed(Failed::Lost(format!("{answer:?}"))).await,
                Err(error) => {
                    count.failed(http2_failure(&*error)).await;
                    break;
                }
            }
        }
    }
}

/// True for a request that was not sent, or that a GOAWAY reports as unprocessed (RFC 9113, section
/// 6.8): a client may send it again.
fn http2_failure(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Failed {
    let hyper = error.downcast_ref::<hyper::Error>();
    let unsent = hyper.is_some_and(|error| error.is_canceled() || error.is_closed());
    let text = format!("{error:?}");
    if unsent || text.contains("GoAway") {
        return Failed::Unsent;
    }
    Failed::Lost(text)
}

fn websocket(address: SocketAddr, count: &Count) {
    let mut peer = Peer::open(address, &Way::Upgrade, "/echo");
    for number in 0.. {
        let word = format!("message {number}");
        // After a close frame the gateway need not accept further messages.
        peer.try_send(frame(TEXT, &word));
        match peer.next() {
            None => return count.lost.lock().unwrap().push("a WebSocket".to_owned()),
            Some(heard) if heard.code() == Some(1001) => {
                peer.try_send(close(1001, ""));
                return Count::add(&count.closed);
            }
            Some(heard) => assert_eq!(heard.text(), word),
        }
        Count::add(&count.echoed);
        std::thread::sleep(Duration::from_millis(1));
        if count.is_over() {
            return;
        }
    }
}
