//! The baseline: a plain hyper server in its own process.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::origin;

/// This environment variable makes a process the bare server: `plain` or `tls`.
pub(crate) const BARE: &str = "OULI_BENCH_BARE";

/// Prints its address and runs until it is killed.
pub(crate) fn run(tls: bool) {
    let tls = tls.then(|| {
        let identity = crate::certificates::identity();
        std::fs::write("ca.pem", &identity.pem).unwrap();
        TlsAcceptor::from(identity.server(&["http/1.1"]))
    });
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(any).unwrap();
        let listener: TcpListener = socket.listen(4096).unwrap();
        println!("listening on http://{}", listener.local_addr().unwrap());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let tls = tls.clone();
            tokio::spawn(async move {
                match tls {
                    None => serve(stream).await,
                    // The client sees the error.
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            serve(stream).await;
                        }
                    }
                }
            });
        }
    });
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let service = service_fn(|request| async { Ok::<_, Infallible>(origin::open(request).await) });
    let builder = auto::Builder::new(TokioExecutor::new());
    let io = TokioIo::new(stream);
    // The client sees the error.
    let _ = builder.serve_connection_with_upgrades(io, service).await;
}
