//! Reads the compression of messages from the bytes between tonic's client and its connection,
//! because tonic decompresses them for its callers.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tonic::body::Body;
use tonic::transport::{Channel, Error};
use tower_service::Service;

/// The prefix of a message: the compressed flag and the length.
const PREFIX: usize = 5;

/// A channel with both directions observed.
#[derive(Clone)]
pub(crate) struct Watched {
    channel: Channel,
    sent: Direction,
    came: Direction,
}

/// The bytes of one direction.
#[derive(Clone, Default)]
struct Direction(Arc<Mutex<Wire>>);

#[derive(Default)]
struct Wire {
    /// None if no coding is named.
    coding: Option<String>,
    data: Vec<u8>,
}

impl Watched {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            channel,
            sent: Direction::default(),
            came: Direction::default(),
        }
    }

    pub(crate) fn shown(&self) -> Value {
        json!({"sent": self.sent.shown(), "came": self.came.shown()})
    }
}

impl Service<http::Request<Body>> for Watched {
    type Response = http::Response<Body>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.sent.see_head(request.headers());
        let sent = self.sent.clone();
        let request = request.map(|body| sent.watch(body));
        let response = self.channel.call(request);
        let came = self.came.clone();
        Box::pin(async move {
            let response = response.await?;
            came.see_head(response.headers());
            Ok(response.map(|body| came.watch(body)))
        })
    }
}

impl Direction {
    fn see_head(&self, fields: &HeaderMap) {
        let coding = fields.get("grpc-encoding");
        let coding = coding.map(|value| value.to_str().unwrap().to_owned());
        self.0.lock().unwrap().coding = coding;
    }

    fn watch(self, body: Body) -> Body {
        Body::new(body.map_frame(move |frame| {
            if let Some(data) = frame.data_ref() {
                self.see(data);
            }
            frame
        }))
    }

    fn see(&self, data: &Bytes) {
        self.0.lock().unwrap().data.extend_from_slice(data);
    }

    /// The coding, and for each message the compressed flag.
    fn shown(&self) -> Value {
        let wire = self.0.lock().unwrap();
        let (mut compressed, mut rest) = (Vec::new(), wire.data.as_slice());
        while let Some((prefix, after)) = rest.split_at_checked(PREFIX) {
            let length = u32::from_be_bytes(prefix[1..].try_into().unwrap());
            compressed.push(prefix[0] == 1);
            rest = &after[length as usize..];
        }
        let coding = wire.coding.as_deref().unwrap_or("identity");
        json!({"coding": coding, "compressed": compressed})
    }
}
