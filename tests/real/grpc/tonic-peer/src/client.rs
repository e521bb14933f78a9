//! A client that makes calls and keeps all responses.

use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{MetadataKey, MetadataMap};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::messages::Request;
use crate::seen::Seen;
use crate::wire::Watched;

/// The timeout of a call.
const CALL: Duration = Duration::from_secs(20);

/// The parameters of a call.
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) service: &'static str,
    pub(crate) requests: Vec<Request>,
    /// Each request waits for the response to the previous one.
    pub(crate) in_turn: bool,
    pub(crate) metadata: MetadataMap,
    pub(crate) timeout: Duration,
    pub(crate) gzip: bool,
    /// The client cancels the call after this number of messages.
    pub(crate) most: Option<usize>,
}

impl Call {
    pub(crate) fn new(method: &'static str, requests: Vec<Request>) -> Self {
        Self {
            method,
            service: "ouli.test.TestService",
            requests,
            in_turn: method == "FullDuplexCall",
            metadata: MetadataMap::new(),
            timeout: CALL,
            gzip: false,
            most: None,
        }
    }
}

pub(crate) struct Client {
    channel: Channel,
    session: Option<String>,
}

impl Client {
    pub(crate) async fn connect(target: &str, session: Option<String>) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{target}")).unwrap();
        let channel = endpoint.connect().await.unwrap();
        Self { channel, session }
    }

    pub(crate) async fn call(&self, call: Call) -> Seen {
        let mut seen = Seen::default();
        // tonic ignores the timeout after the response head.
        let ended = timeout(call.timeout, self.converse(call, &mut seen)).await;
        seen.status = match ended {
            Ok(ended) => ended.err(),
            Err(_) => Some(Status::deadline_exceeded("")),
        };
        seen
    }

    async fn converse(&self, call: Call, seen: &mut Seen) -> Result<(), Status> {
        let channel = Watched::new(self.channel.clone());
        let mut grpc = Grpc::new(channel.clone());
        if call.gzip {
            seen.wire = Some(channel);
            grpc = grpc.send_compressed(Gzip).accept_compressed(Gzip);
        }
        grpc.ready()
            .await
            .map_err(|error| Status::unknown(error.to_string()))?;
        let (say, said) = mpsc::channel(call.requests.len().max(1));
        let mut waiting = call.requests.into_iter();
        let mut say = Some(say);
        let mut next = |all: bool| {
            let Some(sender) = &say else { return };
            for request in waiting.by_ref().take(if all { usize::MAX } else { 1 }) {
                sender.try_send(request).unwrap();
            }
            if waiting.len() == 0 {
                say = None;
            }
        };
        next(!call.in_turn);
        let mut request = tonic::Request::new(ReceiverStream::new(said));
        *request.metadata_mut() = call.metadata;
        if let Some(session) = &self.session {
            let key = MetadataKey::from_static("ouli-session");
            request.metadata_mut().insert(key, session.parse().unwrap());
        }
        request.set_timeout(call.timeout);
        let path = format!("/{}/{}", call.service, call.method);
        let path = PathAndQuery::try_from(path).unwrap();
        let response = grpc.streaming(request, path, Raw).await?;
        seen.initial = response.metadata().clone();
        let mut messages = response.into_inner();
        while let Some(message) = messages.message().await? {
            seen.messages.push(message);
            if call.most == Some(seen.messages.len()) {
                return Err(Status::new(Code::Cancelled, ""));
            }
            next(false);
        }
        seen.trailing = messages.trailers().await?.unwrap_or_default();
        Ok(())
    }
}

/// Encodes the messages of clients and keeps those of servers as bytes.
struct Raw;

impl Codec for Raw {
    type Encode = Request;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Request;
    type Error = Status;

    fn encode(&mut self, item: Request, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item.encode_to_vec());
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
