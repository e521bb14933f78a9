//! The clients: many concurrent conversations, and one reader of events.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::origin::{BARE, CONTENT, MASKED, START, head};

/// The number of concurrent conversations, and of messages in flight in each.
const TALKS: usize = 64;
const WINDOW: usize = 16;

/// Runs a client on a single-threaded runtime.
pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(work)
}

/// Echoed messages per second.
pub(super) fn talk(address: SocketAddr, time: Duration) -> f64 {
    run(async {
        let mut streams = Vec::new();
        for _ in 0..TALKS {
            streams.push(open(address, "bench").await.unwrap());
        }
        let start = Instant::now();
        let talks: Vec<_> = streams
            .into_iter()
            .map(|stream| tokio::spawn(say_and_hear(stream, start + time)))
            .collect();
        let mut heard = 0;
        for talk in talks {
            heard += talk.await.unwrap().unwrap();
        }
        heard as f64 / start.elapsed().as_secs_f64()
    })
}

/// Opens a WebSocket.
pub(super) async fn open(address: SocketAddr, session: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET /socket HTTP/1.1\r\nhost: {address}\r\nouli-session: {session}\r\n\
         connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let head = head(&mut stream).await?;
    if !head.starts_with("HTTP/1.1 101") {
        let mut body = vec![0; 1 << 10];
        let read = stream.read(&mut body).await?;
        panic!("{head}{}", String::from_utf8_lossy(&body[..read]));
    }
    Ok(stream)
}

/// A text frame with a mask of zeros.
pub(super) fn frame(number: usize) -> [u8; MASKED] {
    let mut frame = [b'.'; MASKED];
    frame[..6].copy_from_slice(&[0x81, 0x80 | CONTENT as u8, 0, 0, 0, 0]);
    let text = format!("message {number}");
    frame[6..6 + text.len()].copy_from_slice(text.as_bytes());
    frame
}

/// Keeps a number of messages in flight until the given time; returns the number of echoed ones.
async fn say_and_hear(mut stream: TcpStream, until: Instant) -> io::Result<u64> {
    let frames = frame(0).repeat(WINDOW);
    stream.write_all(&frames).await?;
    let mut buffer = vec![0; 16 << 10];
    let (mut heard, mut partial) = (0, 0);
    while Instant::now() < until {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        partial += read;
        let whole = partial / BARE;
        partial %= BARE;
        heard += whole as u64;
        stream.write_all(&frames[..whole * MASKED]).await?;
    }
    Ok(heard)
}

/// Reads one message and asserts that it has this number.
pub(super) async fn hear(stream: &mut TcpStream, number: usize) -> io::Result<()> {
    let mut bytes = [0; BARE];
    stream.read_exact(&mut bytes).await?;
    let sent = frame(number);
    assert_eq!(bytes[2..], sent[6..], "the echo is another message");
    Ok(())
}

/// Closes a WebSocket and waits for the close frame of the peer.
pub(super) async fn close(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await?;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await?;
    assert_eq!(rest, [0x88, 0], "a close frame responds to the close frame");
    Ok(())
}

/// The delay of each event in nanoseconds.
pub(super) fn events(address: SocketAddr) -> Vec<f64> {
    run(async {
        let mut delays = Vec::new();
        read_events(address, "bench", |sent| {
            let now = START.elapsed().as_nanos() as f64;
            delays.push(now - sent);
        })
        .await
        .unwrap();
        delays
    })
}

/// Reads a stream to its end and passes the timestamp of each event to `seen`.
pub(super) async fn read_events(
    address: SocketAddr,
    session: &str,
    mut seen: impl FnMut(f64),
) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let request =
        format!("GET /events HTTP/1.1\r\nhost: {address}\r\nouli-session: {session}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut lines = BufReader::with_capacity(512, stream).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some(sent) = line.strip_prefix("data: ") {
            seen(sent.parse().unwrap());
        } else if line == "0" {
            return Ok(());
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}
