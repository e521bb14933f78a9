//! The origin: its responses depend on the target, over HTTP/1.1 and HTTP/2.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::Sleep;
use turmoil::net::{TcpListener, TcpStream};

use super::reply::{Chunk, Target};
use super::run_log::RunLog;

pub(super) const PORT: u16 = 80;

/// Serves until the host crashes.
pub(super) async fn serve(http2: bool, run_log: Arc<RunLog>) -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(stream, http2, Arc::clone(&run_log)));
    }
}

async fn connection(stream: TcpStream, http2: bool, run_log: Arc<RunLog>) {
    let service = service_fn(move |request| {
        let run_log = Arc::clone(&run_log);
        async move { Ok::<_, Infallible>(answer(request, &run_log).await) }
    });
    let io = TokioIo::new(stream);
    // The client of the connection sees the error.
    if http2 {
        let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        server.timer(TokioTimer::new()).auto_date_header(false);
        let _ = server.serve_connection(io, service).await;
    } else {
        let mut server = hyper::server::conn::http1::Builder::new();
        server.timer(TokioTimer::new()).auto_date_header(false);
        let _ = server.serve_connection(io, service).await;
    }
}

async fn answer(request: Request<Incoming>, run_log: &RunLog) -> Response<Script> {
    let path = request.uri().path().to_owned();
    let Ok(target) = path.parse::<Target>() else {
        run_log.wrong(format!("the origin got a request for {path}"));
        return Response::new(Script::default());
    };
    let method = request.method().clone();
    // A request with an incomplete body is not counted.
    if let Ok(body) = request.into_body().collect().await
        && (body.to_bytes() != target.asked() || method != target.method())
    {
        run_log.wrong(format!("the origin got a second request for {target}"));
    }
    let reply = target.reply();
    tokio::time::sleep(reply.delay).await;
    let size = reply.sized.then(|| {
        // A truncated response declares more bytes than it sends.
        reply.body().len() as u64 + u64::from(reply.cut)
    });
    let mut response = Response::new(Script {
        size,
        chunks: reply.chunks.into(),
        pause: None,
        cut: reply.cut,
    });
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(
        "content-type",
        http::HeaderValue::from_static(reply.content_type),
    );
    headers.insert("x-number", target.number.into());
    response
}

/// A body that is sent in chunks with pauses.
#[derive(Default)]
pub(super) struct Script {
    size: Option<u64>,
    chunks: VecDeque<Chunk>,
    pause: Option<Pin<Box<Sleep>>>,
    cut: bool,
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some((pause, _)) = self.chunks.front() else {
            if std::mem::take(&mut self.cut) {
                return Poll::Ready(Some(Err(io::ErrorKind::BrokenPipe.into())));
            }
            return Poll::Ready(None);
        };
        let pause = *pause;
        let sleep = self
            .pause
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
        if !pause.is_zero() {
            ready!(sleep.as_mut().poll(cx));
        }
        self.pause = None;
        let chunk = self.chunks.pop_front();
        Poll::Ready(chunk.map(|(_, bytes)| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty() && !self.cut
    }

    fn size_hint(&self) -> SizeHint {
        let left: u64 = self
            .chunks
            .iter()
            .map(|(_, bytes)| bytes.len() as u64)
            .sum();
        self.size.map_or_else(SizeHint::default, |_| {
            SizeHint::with_exact(left + u64::from(self.cut))
        })
    }
}
