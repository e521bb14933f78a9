//! The server: dispatches calls to methods and adds metadata.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::AtomicI32;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::BodyExt as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::server::{Grpc, NamedService};
use tonic_prost::ProstCodec;
use tower_service::Service;

use crate::messages::{Empty, Request, Response};
use crate::secrets::Secrets;
use crate::service::{Call, EmptyCall, HeadFirst};

const ECHO_INITIAL: HeaderName = HeaderName::from_static("x-grpc-test-echo-initial");
const ECHO_TRAILING: HeaderName = HeaderName::from_static("x-grpc-test-echo-trailing-bin");

/// Serves until it gets a signal.
pub(crate) async fn serve(secrets: Secrets) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    eprintln!("listening on {}", listener.local_addr().unwrap());
    let mut stop = signal(SignalKind::terminate()).unwrap();
    let peer = Peer {
        secrets: Arc::new(secrets),
        calls: Arc::default(),
    };
    let server = tonic::transport::Server::builder().add_service(peer);
    let served = server.serve_with_incoming(TcpListenerStream::new(listener));
    tokio::select! {
        served = served => served.unwrap(),
        _ = stop.recv() => {}
    }
}

#[derive(Clone)]
struct Peer {
    secrets: Arc<Secrets>,
    calls: Arc<AtomicI32>,
}

impl NamedService for Peer {
    const NAME: &'static str = "ouli.test.TestService";
}

type Answer<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl Service<http::Request<Body>> for Peer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let peer = self.clone();
        Box::pin(async move { Ok(peer.answer(request).await) })
    }
}

impl Peer {
    async fn answer(self, request: http::Request<Body>) -> http::Response<Body> {
        let initial = request.headers().get(&ECHO_INITIAL).cloned();
        let trailing = request.headers().get(&ECHO_TRAILING).cloned();
        let trailers: HeaderMap<HeaderValue> = trailing
            .map(|value| (ECHO_TRAILING, value))
            .into_iter()
            .collect();
        let trailers = Arc::new(Mutex::new(trailers));
        let call = Call {
            secrets: self.secrets,
            calls: self.calls,
            trailers: trailers.clone(),
        };
        let mut response = dispatch(call, request, initial.is_some()).await;
        response
            .headers_mut()
            .extend(initial.map(|value| (ECHO_INITIAL, value)));
        response.map(|body| {
            Body::new(body.map_frame(move |frame| match frame.into_trailers() {
                Ok(mut last) => {
                    last.extend(std::mem::take(&mut *trailers.lock().unwrap()));
                    Frame::trailers(last)
                }
                Err(frame) => frame,
            }))
        })
    }
}

/// With `head_first`, the response head is sent before the message is ready.
async fn dispatch(
    call: Call,
    request: http::Request<Body>,
    head_first: bool,
) -> http::Response<Body> {
    let mut grpc = Grpc::new(ProstCodec::<Response, Request>::default());
    let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
    match method.as_str() {
        "EmptyCall" => {
            let mut grpc = Grpc::new(ProstCodec::<Empty, Empty>::default());
            grpc.unary(EmptyCall, request).await
        }
        "UnaryCall" if head_first => grpc.server_streaming(HeadFirst(call), request).await,
        "UnaryCall" => {
            let grpc = grpc.accept_compressed(Gzip).send_compressed(Gzip);
            { grpc }.unary(call, request).await
        }
        "StreamingInputCall" => grpc.client_streaming(call, request).await,
        "StreamingOutputCall" => grpc.server_streaming(call, request).await,
        "FullDuplexCall" => grpc.streaming(call, request).await,
        other => tonic::Status::unimplemented(format!("no method {other}")).into_http(),
    }
}
