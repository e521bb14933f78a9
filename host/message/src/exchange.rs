//! Requests, responses and exchanges as the gateway keeps them: bodies whole and with content
//! codings removed.

use bytes::Bytes;
use http::header::UPGRADE;
use http::{Method, StatusCode};

use crate::failure::{Failure, FailureCause};
use crate::fields::Fields;
use crate::stream::Stream;

/// A whole body, or the name of the file that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// In memory.
    Inline(Bytes),
    /// In a file of the cassette, named by the SHA-256 of its bytes in lower-case hex.
    Stored {
        /// The SHA-256 of the bytes, in lower-case hex.
        digest: String,
        /// Size in bytes.
        size: u64,
    },
}

impl Content {
    /// No bytes.
    pub const EMPTY: Self = Self::Inline(Bytes::new());

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Stored { size, .. } => *size,
        }
    }

    /// The bytes where they are in memory, else none.
    pub fn inline(&self) -> &[u8] {
        match self {
            Self::Inline(bytes) => bytes,
            Self::Stored { .. } => &[],
        }
    }

    /// The same, to be kept.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Inline(bytes) => bytes.clone(),
            Self::Stored { .. } => Bytes::new(),
        }
    }
}

/// A request as the upstream sees it: hop-by-hop fields gone, the authority its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Host and port of the upstream.
    pub authority: String,
    /// Path and query, as they were sent: `/a?b=c`.
    pub target: String,
    /// The header.
    pub fields: Fields,
    /// The body, decoded.
    pub body: Content,
    /// The trailers.
    pub trailers: Fields,
}

impl Request {
    /// True where it asks for a WebSocket, by whatever protocol it came.
    pub fn is_websocket(&self) -> bool {
        let mut fields = self.fields.iter();
        let upgrade = fields.find(|(name, _)| **name == UPGRADE);
        upgrade.is_some_and(|(_, value)| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(&self.target, |(path, _)| path)
    }

    /// The query without its `?`, where there is one.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }
}

/// A response as the upstream sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The header; `content-encoding` names the coding that the body had on the wire.
    pub fields: Fields,
    /// The body, decoded.
    pub body: Content,
    /// The trailers.
    pub trailers: Fields,
}

/// One request and its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Name of the endpoint that took the request.
    pub endpoint: String,
    /// The request.
    pub request: Request,
    /// The response.
    pub response: Response,
    /// How it came, where it was a stream.
    pub stream: Option<Stream>,
    /// How it failed, where it did.
    pub failure: Option<Failure>,
    /// What recording policies added, as name and value.
    pub tags: Vec<(String, String)>,
}

impl Response {
    /// What stands for the response where none came: the status that the gateway answers with, and
    /// nothing else.
    pub fn absent(fault: &FailureCause) -> Self {
        Self {
            status: fault.status(),
            fields: Fields::default(),
            body: Content::EMPTY,
            trailers: Fields::default(),
        }
    }

    /// True where its body has messages of gRPC.
    pub fn is_grpc(&self) -> bool {
        self.fields.get_str("content-type").is_some_and(is_grpc)
    }
}

impl Exchange {
    /// False where no response came, not even its head. Then [`Response::absent`] stands for it.
    pub fn has_response(&self) -> bool {
        let failure = self.failure.as_ref();
        !failure.is_some_and(|failure| failure.cause.is_before_response())
    }

    /// Every body and message of the exchange, in a fixed order: request, response, turns.
    pub fn contents(&self) -> impl Iterator<Item = &Content> {
        let turns = self.stream.iter().flat_map(Stream::messages);
        let messages = turns.filter_map(|turn| Some(&turn.kind.payload()?.content));
        [&self.request.body, &self.response.body]
            .into_iter()
            .chain(messages)
    }

    /// The same, to be changed.
    pub fn contents_mut(&mut self) -> impl Iterator<Item = &mut Content> {
        let turns = self.stream.iter_mut().flat_map(Stream::messages_mut);
        let messages = turns.filter_map(|turn| Some(&mut turn.kind.payload_mut()?.content));
        [&mut self.request.body, &mut self.response.body]
            .into_iter()
            .chain(messages)
    }
}

/// True for the content types of gRPC, such as `application/grpc+proto`. Those of gRPC-Web are
/// others: its messages are a body like any other.
pub fn is_grpc(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence
        .strip_prefix("application/grpc")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('+'))
}

#[cfg(test)]
mod tests {
    use super::is_grpc;

    #[test]
    fn content_types_are_told_apart() {
        for (content_type, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/GRPC; charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/grpcx", false),
            ("application/json", false),
        ] {
            assert_eq!(is_grpc(content_type), expected, "{content_type}");
        }
    }
}
