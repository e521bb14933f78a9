//! The origin: a WebSocket echo, and an event stream with timestamps.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::Instant;

use ouli_codec::websocket::accept_key;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{EVENTS, PAUSE};

/// The size of a message in bytes.
pub(super) const CONTENT: usize = 64;
/// The size of a frame in bytes, masked by a client and unmasked by a server.
pub(super) const MASKED: usize = CONTENT + 6;
pub(super) const BARE: usize = CONTENT + 2;

/// The zero point of the timestamps.
pub(super) static START: LazyLock<Instant> = LazyLock::new(Instant::now);

const STREAMING: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
     transfer-encoding: chunked\r\n\r\n";

/// Starts the origin on its own thread; it runs until the process exits.
pub(super) fn start() -> SocketAddr {
    let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(async {
            let listener = TcpListener::from_std(socket).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                // The client sees the error.
                tokio::spawn(async move { serve(stream).await.ok() });
            }
        });
    });
    address
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let head = head(&mut stream).await?;
    if head.starts_with("GET /socket") {
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        let key = fields.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
        let accept = accept_key(key.unwrap().1);
        let agreed = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: {accept}\r\n\r\n"
        );
        stream.write_all(agreed.as_bytes()).await?;
        return echo(stream).await;
    }
    stream.write_all(STREAMING.as_bytes()).await?;
    for _ in 0..EVENTS {
        tokio::time::sleep(PAUSE).await;
        let event = format!("data: {}\n\n", START.elapsed().as_nanos());
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        stream.write_all(chunk.as_bytes()).await?;
    }
    stream.write_all(b"0\r\n\r\n").await
}

/// Reads a head byte by byte, so that nothing after it is consumed.
pub(super) async fn head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let (mut input, mut output) = (Vec::new(), Vec::new());
    loop {
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        let mut frames = input.chunks_exact(MASKED);
        for frame in &mut frames {
            output.extend_from_slice(&[frame[0], CONTENT as u8]);
            output.extend_from_slice(&frame[6..]);
        }
        let rest = frames.remainder().to_vec();
        stream.write_all(&output).await?;
        input.clear();
        input.extend_from_slice(&rest);
        output.clear();
        if input.starts_with(&[0x88]) && input.len() >= 6 {
            // A close frame without a code is answered with one.
            stream.write_all(&[0x88, 0]).await?;
            return stream.shutdown().await;
        }
    }
}
