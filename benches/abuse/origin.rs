//! An origin that behaves well on most targets; the names of the others describe their faults.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::time::Duration;

use super::heavy;
use ouli_codec::websocket;
use socket2::{Domain, SockRef, Socket, Type};

/// A large response, shared by all concurrent requests.
static LARGE: LazyLock<Vec<u8>> = LazyLock::new(|| vec![b'x'; 4 << 20]);
/// An array of 50 MB.
static ZEROS: LazyLock<String> = LazyLock::new(|| heavy::zeros(25_000_000));
/// An event stream of 20 MB without an event.
static LINE_ENDS: LazyLock<Vec<u8>> = LazyLock::new(|| vec![b'\n'; 20_000_000]);
/// The decoded size of a bomb.
const BOMB: usize = 256 << 20;

/// The size of the kernel's send buffer for each connection.
const HELD: usize = 64 << 10;

/// How long the origin waits for bytes that must not arrive.
const EARLY: Duration = Duration::from_millis(50);

/// Starts the origin; it runs until the process exits.
pub(super) fn start() -> SocketAddr {
    // A long backlog, because connections that the kernel drops here would look like delays of the
    // gateway.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    socket.listen(4096).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            // The send buffers of a real origin are not on this machine, so they are small here.
            SockRef::from(&stream).set_send_buffer_size(HELD).unwrap();
            // An error ends this connection only.
            std::thread::spawn(move || while serve(&mut stream).is_ok() {});
        }
    });
    address
}

fn serve(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let lower = head.to_ascii_lowercase();
    let field = |name: &str| {
        let mut lines = lower.lines();
        lines.find_map(|line| line.strip_prefix(name).map(|value| value.trim().to_owned()))
    };
    let length = field("content-length:").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    let target = head.split(' ').nth(1).unwrap_or_default();
    match target.split('?').next().unwrap_or_default() {
        "/large" => ok(stream, &[], &LARGE),
        "/zeros" => typed(stream, "application/json", ZEROS.as_bytes()),
        "/line-ends" => typed(stream, "text/event-stream", &LINE_ENDS),
        "/drip" => drip(stream),
        "/upgrade" => ok(
            stream,
            &[],
            field("upgrade:").unwrap_or_default().as_bytes(),
        ),
        "/early" => early(stream),
        "/unasked" => stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        "/socket" => socket(stream, &head),
        "/gzip" => ok(stream, &["gzip"], &BOMBS.0),
        "/br" => ok(stream, &["br"], &BOMBS.1),
        "/zstd" => ok(stream, &["zstd"], &BOMBS.2),
        "/nested" => ok(stream, &["gzip", "br"], &BOMBS.3),
        chaos if chaos.starts_with("/chaos/") => wrong(stream, &chaos[7..]),
        _ => ok(stream, &[], b"fine"),
    }
}

fn ok(stream: &mut TcpStream, codings: &[&str], body: &[u8]) -> io::Result<()> {
    let coding = match codings {
        [] => String::new(),
        codings => format!("content-encoding: {}\r\n", codings.join(", ")),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\n{coding}content-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

fn typed(stream: &mut TcpStream, kind: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

/// A body of chunks of one byte.
fn drip(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n",
    )?;
    let chunks = "1\r\nx\r\n".repeat(1000);
    for _ in 0..100 {
        stream.write_all(chunks.as_bytes())?;
    }
    stream.write_all(b"0\r\n\r\n")
}

/// Responds with whether bytes arrived before the response.
fn early(stream: &mut TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(EARLY))?;
    let came = stream.peek(&mut [0]).is_ok_and(|count| count > 0);
    stream.set_read_timeout(None)?;
    ok(stream, &[], if came { b"early" } else { b"in time" })
}

/// Accepts a WebSocket, sends a message, and responds to each message of the client.
fn socket(stream: &mut TcpStream, head: &str) -> io::Result<()> {
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then(|| value.trim().to_owned())
    });
    let accept = websocket::accept_key(&key.unwrap_or_default());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes())?;
    stream.write_all(b"\x81\x05hello")?;
    let mut bytes = [0; 4096];
    // A close frame is answered with a close frame.
    while let count @ 1.. = stream.read(&mut bytes)? {
        if bytes[..count].contains(&0x88) {
            stream.write_all(b"\x88\x02\x03\xe8")?;
            break;
        }
        stream.write_all(b"\x81\x02ok")?;
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// Performs one fault and closes the connection.
fn wrong(stream: &mut TcpStream, fault: &str) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    let endless = "x-endless: yes\r\n".repeat(1000);
    match fault {
        "silent" => {}
        "reset" => SockRef::from(&*stream).set_linger(Some(Duration::ZERO))?,
        "half" => stream.write_all(&head.as_bytes()[..20])?,
        "short" => stream.write_all(format!("{head}abc").as_bytes())?,
        "torn" => {
            stream.write_all(format!("{head}abc").as_bytes())?;
            SockRef::from(&*stream).set_linger(Some(Duration::ZERO))?;
        }
        "chunk" => stream.write_all(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\nzz\r\n",
        )?,
        "garbage" => stream.write_all(&[0xff; 4096])?,
        "endless" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            for _ in 0..1000 {
                stream.write_all(endless.as_bytes())?;
            }
        }
        "storm" => {
            let one = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(1000);
            for _ in 0..1000 {
                stream.write_all(one.as_bytes())?;
            }
        }
        other => panic!("no such fault: {other}"),
    }
    let _ = stream.shutdown(Shutdown::Write);
    Err(io::ErrorKind::UnexpectedEof.into())
}

type Bombs = (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>);

/// Zeros in each coding, and in two codings.
static BOMBS: LazyLock<Bombs> = LazyLock::new(|| {
    let zeros = vec![0; BOMB];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&zeros).unwrap();
    let gzip = gzip.finish().unwrap();
    let brotli = |bytes: &[u8]| {
        let mut made = Vec::new();
        let parameters = brotli::enc::BrotliEncoderParams {
            quality: 2,
            ..Default::default()
        };
        brotli::BrotliCompress(&mut &bytes[..], &mut made, &parameters).unwrap();
        made
    };
    let nested = brotli(&gzip);
    let br = brotli(&zeros);
    let zstd = zstd::bulk::compress(&zeros, 1).unwrap();
    (gzip, br, zstd, nested)
});
