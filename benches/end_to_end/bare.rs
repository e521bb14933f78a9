//! The baseline: a plain hyper server with the same runtime as the gateway.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

/// The body of every response.
static BODY: &[u8] = &[b'x'; 200];

/// A running server; it runs until the process exits.
pub(super) struct Bare {
    pub(super) address: SocketAddr,
}

impl Bare {
    /// Starts a thread for each core, with its own runtime and its own socket on the same port.
    pub(super) fn start() -> Self {
        let threads = std::thread::available_parallelism().unwrap().get();
        let first = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let address = first.local_addr().unwrap();
        let more = (1..threads).map(|_| listen(address));
        for (number, socket) in std::iter::once(first).chain(more).enumerate() {
            let thread = std::thread::Builder::new().name(format!("bare-{number}"));
            thread.spawn(move || serve(socket)).unwrap();
        }
        Self { address }
    }
}

fn listen(address: SocketAddr) -> std::net::TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(4096).unwrap();
    socket.into()
}

fn serve(socket: std::net::TcpListener) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::from_std(socket).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                let service = service_fn(answer);
                let connection = http1::Builder::new();
                // The client sees the error.
                let _ = connection
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
}

async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(BODY)));
    let kind = HeaderValue::from_static("text/plain");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}
