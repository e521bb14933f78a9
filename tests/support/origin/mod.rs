//! An origin in this process: an HTTP/1.1 and HTTP/2 server with scripted routes that keeps the
//! requests it received.

mod peer;
mod raw;
mod reply;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

pub(crate) use peer::{Peer, peer};
pub(crate) use raw::{RawOrigin, raw};
pub(crate) use reply::{Gate, Parts, Reply, bytes, json, parts, status, text};

/// A running origin. After a drop or a stop nothing listens on its address.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    script: Arc<Script>,
    stop: watch::Sender<bool>,
    scheme: &'static str,
    accepting: Option<tokio::task::JoinHandle<()>>,
}

/// A request as the origin received it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) authority: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

type Handler = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

/// An origin that is not started yet.
#[derive(Default)]
pub(crate) struct Script {
    routes: Vec<(String, Handler)>,
    tls: Option<Arc<rustls::ServerConfig>>,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
}

/// An origin without routes: it responds with 404 to everything.
pub(crate) fn new() -> Script {
    Script::default()
}

/// An origin with a greeting at `/hello` and an echo of the request body at `/echo`.
pub(crate) fn simple() -> Origin {
    new()
        .route("/hello", |_| text("good morning\n"))
        .route("/echo", |seen| bytes(seen.body.clone()))
        .start()
}

impl Script {
    /// Sets the handler of a path; a path that ends in `*` is a prefix.
    pub(crate) fn route(
        mut self,
        path: &str,
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        self.routes.push((path.to_owned(), Arc::new(handler)));
        self
    }

    /// Serves TLS; ALPN selects HTTP/2 or HTTP/1.1.
    pub(crate) fn tls(mut self, config: Arc<rustls::ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    pub(crate) fn start(self) -> Origin {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let script = Arc::new(self);
        let (stop, stopped) = watch::channel(false);
        let served = Arc::clone(&script);
        let (address, accepting) = super::wait_for("the origin", async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let accepting = tokio::spawn(accept(listener, served, stopped));
            (address, accepting)
        });
        Origin {
            address,
            script,
            stop,
            scheme,
            accepting: Some(accepting),
        }
    }

    fn answer(&self, seen: &Seen) -> Reply {
        let path = seen.target.split('?').next().unwrap_or_default();
        let fits = |route: &str| match route.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => path == route,
        };
        let found = self.routes.iter().find(|(route, _)| fits(route));
        found.map_or_else(|| status(404), |(_, handler)| handler(seen))
    }
}

impl Origin {
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The URL for HTTP/2 with prior knowledge.
    pub(crate) fn h2c(&self) -> String {
        format!("h2c://{}", self.address)
    }

    /// The requests so far, in the order in which they were complete.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.seen.lock().unwrap().clone()
    }

    /// The number of connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.script.connections.load(Ordering::SeqCst)
    }

    /// Stops the origin; returns when nothing listens on its address.
    pub(crate) fn stop(mut self) {
        self.stop.send_replace(true);
        let accepting = self.accepting.take().unwrap();
        super::wait_for("the origin to stop", accepting).unwrap();
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

async fn accept(listener: TcpListener, script: Arc<Script>, mut stop: watch::Receiver<bool>) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted.unwrap().0,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        stream.set_nodelay(true).unwrap();
        script.connections.fetch_add(1, Ordering::SeqCst);
        let (script, stop) = (Arc::clone(&script), stop.clone());
        tokio::spawn(async move {
            match script.tls.clone() {
                None => serve(stream, script, stop).await,
                // A client that does not trust the origin ends the handshake with an error.
                Some(tls) => {
                    if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                        serve(stream, script, stop).await;
                    }
                }
            }
        });
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    script: Arc<Script>,
    mut stop: watch::Receiver<bool>,
) {
    let service = service_fn(move |request| {
        let script = Arc::clone(&script);
        async move { Ok::<_, Infallible>(answer(&script, request).await) }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // The client sees a connection error, so it is not reported here.
        _ = connection => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

async fn answer(script: &Script, request: Request<Incoming>) -> Response<Parts> {
    let (head, body) = request.into_parts();
    // If the request body fails, the connection is closed too.
    let Ok(body) = body.collect().await else {
        return status(400).into_response();
    };
    let host = head
        .headers
        .get("host")
        .map(|host| host.to_str().unwrap().to_owned());
    let authority = head.uri.authority().map(ToString::to_string);
    let seen = Seen {
        method: head.method,
        target: head.uri.path_and_query().unwrap().to_string(),
        authority: host.or(authority).unwrap_or_default(),
        version: head.version,
        headers: head.headers,
        trailers: body.trailers().cloned(),
        body: body.to_bytes(),
    };
    script.seen.lock().unwrap().push(seen.clone());
    script.answer(&seen).into_response()
}
