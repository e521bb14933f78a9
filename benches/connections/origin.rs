//! The origin: small and large responses, and a WebSocket echo.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ouli_codec::websocket::accept_key;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};

use super::{LARGE, REQUESTS};

/// The size of the response to a request without a body, and of a message.
pub(super) const SMALL: usize = 200;

static BODY: [u8; LARGE] = [b'x'; LARGE];

/// Starts the origin on its own thread; it runs until the process exits.
pub(super) fn start() -> SocketAddr {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(async {
            let socket = TcpSocket::new_v4().unwrap();
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            socket.bind(any).unwrap();
            let listener: TcpListener = socket.listen(4096).unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let service =
                    service_fn(|request| async { Ok::<_, Infallible>(open(request).await) });
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // The client sees the error.
                tokio::spawn(async move { connection.with_upgrades().await.ok() });
            }
        });
    });
    told.recv().unwrap()
}

/// Responds to any request, including WebSocket handshakes.
pub(super) async fn open(mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    if !request.headers().contains_key(header::SEC_WEBSOCKET_KEY) {
        return answer(request).await;
    }
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        // The client may disconnect before the upgrade.
        let upgraded = upgraded.await.ok()?;
        converse(TokioIo::new(upgraded)).await.ok()
    });
    agree(request.headers())
}

fn agree(headers: &HeaderMap) -> Response<Full<Bytes>> {
    let key = headers[header::SEC_WEBSOCKET_KEY].to_str().unwrap();
    let response = Response::builder()
        .status(101)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept_key(key));
    response.body(Full::default()).unwrap()
}

async fn answer(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let size = if request.uri().path() == "/large" {
        LARGE
    } else {
        SMALL
    };
    request.into_body().collect().await.unwrap();
    Response::new(Full::new(Bytes::from_static(&BODY[..size])))
}

/// Reads each message and responds with one of the same size.
async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    for number in 0.. {
        let size = if number < REQUESTS { SMALL } else { LARGE };
        let mut rest = header(size, true).len() + size;
        while rest > 0 {
            let most = rest.min(buffer.len());
            rest -= match stream.read(&mut buffer[..most]).await? {
                0 => break,
                read => read,
            };
        }
        if rest > 0 {
            break;
        }
        stream.write_all(&header(size, false)).await?;
        stream.write_all(&BODY[..size]).await?;
    }
    Ok(())
}

/// The head of a binary message (RFC 6455, section 5.2); clients use a mask of zeros.
pub(super) fn header(size: usize, masked: bool) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut header = vec![0x82];
    match u16::try_from(size) {
        Ok(size) => {
            header.push(mask | 126);
            header.extend(size.to_be_bytes());
        }
        Err(_) => {
            header.push(mask | 127);
            header.extend((size as u64).to_be_bytes());
        }
    }
    header.extend(masked.then_some([0; 4]).into_iter().flatten());
    header
}
