//! The methods of the service.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use prost::Message as _;
use tokio::sync::mpsc::{self, Sender};
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::server::{
    ClientStreamingService, ServerStreamingService, StreamingService, UnaryService,
};
use tonic::{Code, Status, Streaming};

use crate::messages::{
    Answered, Asked, Credentials, Detail, Empty, Payload, Request, Response, RichStatus,
};
use crate::secrets::Secrets;

/// One call.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) secrets: Arc<Secrets>,
    /// The number of calls of the counting method.
    pub(crate) calls: Arc<AtomicI32>,
    /// The trailers of the response.
    pub(crate) trailers: Arc<Mutex<HeaderMap>>,
}

pub(crate) struct EmptyCall;

/// A call with one response whose head is sent first.
pub(crate) struct HeadFirst(pub(crate) Call);

type Answer<T> = Pin<Box<dyn Future<Output = Result<tonic::Response<T>, Status>> + Send>>;
type Responses = ReceiverStream<Result<Response, Status>>;

impl UnaryService<Empty> for EmptyCall {
    type Response = Empty;
    type Future = Ready<Result<tonic::Response<Empty>, Status>>;

    fn call(&mut self, _: tonic::Request<Empty>) -> Self::Future {
        ready(Ok(tonic::Response::new(Empty {})))
    }
}

impl UnaryService<Request> for Call {
    type Response = Response;
    type Future = Answer<Response>;

    fn call(&mut self, request: tonic::Request<Request>) -> Self::Future {
        let (call, request) = (self.clone(), request.into_inner());
        Box::pin(async move {
            sleep(milliseconds(request.sleep_ms)).await;
            end(&request)?;
            let mut response = tonic::Response::new(call.response(&request));
            if !request.compress_response {
                response.disable_compression();
            }
            Ok(response)
        })
    }
}

impl ClientStreamingService<Request> for Call {
    type Response = Response;
    type Future = Answer<Response>;

    fn call(&mut self, requests: tonic::Request<Streaming<Request>>) -> Self::Future {
        let mut requests = requests.into_inner();
        Box::pin(async move {
            let mut received_bytes = 0;
            while let Some(request) = requests.message().await? {
                received_bytes += received(&request);
            }
            Ok(tonic::Response::new(Response {
                received_bytes,
                ..Response::default()
            }))
        })
    }
}

impl ServerStreamingService<Request> for HeadFirst {
    type Response = Response;
    type ResponseStream = Responses;
    type Future = Ready<Result<tonic::Response<Responses>, Status>>;

    fn call(&mut self, request: tonic::Request<Request>) -> Self::Future {
        let answer = UnaryService::call(&mut self.0, request);
        let (responses, stream) = mpsc::channel(1);
        tokio::spawn(async move {
            let response = answer.await.map(tonic::Response::into_inner);
            // The client may have cancelled the call.
            let _ = responses.send(response).await;
        });
        ready(Ok(tonic::Response::new(stream.into())))
    }
}

impl ServerStreamingService<Request> for Call {
    type Response = Response;
    type ResponseStream = Responses;
    type Future = Ready<Result<tonic::Response<Responses>, Status>>;

    fn call(&mut self, request: tonic::Request<Request>) -> Self::Future {
        let (call, request) = (self.clone(), request.into_inner());
        let (responses, stream) = mpsc::channel(1);
        tokio::spawn(async move { call.parts(&request, &responses).await });
        ready(Ok(tonic::Response::new(stream.into())))
    }
}

impl StreamingService<Request> for Call {
    type Response = Response;
    type ResponseStream = Responses;
    type Future = Ready<Result<tonic::Response<Responses>, Status>>;

    fn call(&mut self, requests: tonic::Request<Streaming<Request>>) -> Self::Future {
        let (call, mut requests) = (self.clone(), requests.into_inner());
        let (responses, stream) = mpsc::channel(1);
        tokio::spawn(async move {
            while let Ok(Some(request)) = requests.message().await {
                if let Err(status) = end(&request) {
                    // The client may have cancelled the call.
                    let _ = responses.send(Err(status)).await;
                    return;
                }
                call.parts(&request, &responses).await;
            }
        });
        ready(Ok(tonic::Response::new(stream.into())))
    }
}

impl Call {
    fn response(&self, request: &Request) -> Response {
        let mut response = Response {
            payload: (request.response_size > 0).then(|| Payload::zeros(request.response_size)),
            tags: request.tags.clone(),
            counts: request.counts.clone(),
            received_bytes: received(request),
            choice: request.choice.clone().map(|choice| match choice {
                Asked::Text(text) => Answered::Text(text),
                Asked::Number(number) => Answered::Number(number),
            }),
            ..Response::default()
        };
        if request.count_calls {
            // Clients make two of these calls.
            response.call = 1 + self.calls.fetch_add(1, Ordering::Relaxed) % 2;
        }
        if request.log_in {
            let user = request.credentials.clone().unwrap_or_default().user;
            response.credentials = Some(Credentials {
                user,
                access_token: self.secrets.issued.clone(),
                ..Credentials::default()
            });
            let token = self.secrets.trailer.parse().unwrap();
            self.trailers.lock().unwrap().insert("x-auth-token", token);
        }
        response
    }

    /// Sends the requested parts until the client cancels.
    async fn parts(&self, request: &Request, responses: &Sender<Result<Response, Status>>) {
        for part in &request.parts {
            sleep(milliseconds(part.pause_ms)).await;
            let mut response = self.response(request);
            response.payload = Some(Payload::zeros(part.size));
            if responses.send(Ok(response)).await.is_err() {
                return;
            }
        }
    }
}

fn received(request: &Request) -> i32 {
    request.payload.as_ref().map_or(0, Payload::checked)
}

fn milliseconds(number: i32) -> Duration {
    Duration::from_millis(number.try_into().unwrap())
}

/// The status that the client requested, if any.
fn end(request: &Request) -> Result<(), Status> {
    let wanted = request.response_status.clone().unwrap_or_default();
    let code = Code::from(wanted.code);
    if code == Code::Ok {
        return Ok(());
    }
    if !request.rich_status {
        return Err(Status::new(code, wanted.message));
    }
    let rich = RichStatus {
        code: wanted.code,
        message: wanted.message.clone(),
        details: vec![Detail {
            type_url: "type.googleapis.com/ouli.test.Detail".to_owned(),
            value: b"\x00\xffwhy".to_vec(),
        }],
    };
    let rich = rich.encode_to_vec().into();
    Err(Status::with_details(code, wanted.message, rich))
}
