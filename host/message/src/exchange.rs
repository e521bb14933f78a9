//! Requests, responses and exchanges: bodies are complete and content codings are decoded.

use http::header::UPGRADE;
use http::{HeaderName, Method, StatusCode};

use crate::coded_body::CodedBody;
use crate::content::Content;
use crate::failure::{Failure, FailureCause};
use crate::fields::Fields;
use crate::stream::Stream;

/// A request as it is sent to the upstream: without hop-by-hop fields, with the authority of the
/// upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Host and port of the upstream.
    pub authority: String,
    /// Path and query as the client sent them: `/a?b=c`.
    pub target: String,
    /// The header.
    pub fields: Fields,
    /// The body, decoded.
    pub body: Content,
    /// The trailers.
    pub trailers: Fields,
    /// If the body is truncated: the number of bytes that were received, before decoding. The
    /// upstream responded without the rest.
    pub truncated_at: Option<u64>,
}

impl Request {
    /// True for a WebSocket request, whichever version of HTTP the client used.
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

    /// The query without `?`, if any.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }
}

/// A response of the upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The reason phrase of HTTP/1.1, if it is not the standard one of the status.
    pub reason: Option<String>,
    /// The header; `content-encoding` is the coding of the body on the wire.
    pub fields: Fields,
    /// The body, decoded.
    pub body: Content,
    /// The body with its content codings.
    pub coded: CodedBody,
    /// The trailers.
    pub trailers: Fields,
    /// Names of the fields that rules leave out because their values differ in each response.
    pub omitted: Vec<HeaderName>,
}

/// One request and its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Name of the endpoint that received the request.
    pub endpoint: String,
    /// The request.
    pub request: Request,
    /// The response.
    pub response: Response,
    /// The chunks or messages, if it was a stream.
    pub stream: Option<Stream>,
    /// The failure, if any.
    pub failure: Option<Failure>,
    /// Tags of recording policies: name and value.
    pub tags: Vec<(String, String)>,
}

impl Response {
    /// The placeholder for a response that was not received: the status that the gateway responds
    /// with, without fields and body.
    pub fn absent(cause: &FailureCause) -> Self {
        Self {
            status: cause.status(),
            reason: None,
            fields: Fields::default(),
            body: Content::EMPTY,
            coded: CodedBody::Derived,
            trailers: Fields::default(),
            omitted: Vec::new(),
        }
    }

    /// True if its body consists of gRPC messages.
    pub fn is_grpc(&self) -> bool {
        self.fields.get_str("content-type").is_some_and(is_grpc)
    }
}

impl Exchange {
    /// False if not even a response head was received; `response` is then [`Response::absent`].
    pub fn has_response(&self) -> bool {
        let failure = self.failure.as_ref();
        !failure.is_some_and(|failure| failure.cause.is_before_response())
    }

    /// All bodies and messages, in a fixed order: request, response, messages of the stream, coded
    /// bytes of the response.
    pub fn contents(&self) -> impl Iterator<Item = &Content> {
        let messages = self.stream.iter().flat_map(Stream::messages);
        let messages = messages.filter_map(|message| Some(&message.kind.payload()?.content));
        [&self.request.body, &self.response.body]
            .into_iter()
            .chain(messages)
            .chain(self.response.coded.exact())
    }

    /// [`Exchange::contents`], mutable.
    pub fn contents_mut(&mut self) -> impl Iterator<Item = &mut Content> {
        let messages = self.stream.iter_mut().flat_map(Stream::messages_mut);
        let messages =
            messages.filter_map(|message| Some(&mut message.kind.payload_mut()?.content));
        let Response { body, coded, .. } = &mut self.response;
        [&mut self.request.body, body]
            .into_iter()
            .chain(messages)
            .chain(coded.exact_mut())
    }
}

/// True for the content types of gRPC, such as `application/grpc+proto`. gRPC-Web is not one of
/// them: its messages are treated as an ordinary body.
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
    fn recognizes_grpc_content_types() {
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
