//! A part of a stream as plugins see it: an event, a message or the trailers, with the request of
//! the stream.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::identities::Identities;
use ouli_codec::MessageView;
use ouli_codec::identity::Content;
use ouli_codec::json::Document;
use ouli_codec::minted_values::MintedValues;
use ouli_message::Fields;
use ouli_message::stream::Side;

/// The kind of a part of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamPartKind {
    /// An event, a line or a chunk of a body.
    Event,
    /// A message of a WebSocket or of gRPC.
    Message,
    /// The trailers.
    Trailers,
}

impl StreamPartKind {
    fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Message => "message",
            Self::Trailers => "trailers",
        }
    }
}

/// A part of a stream. Its request line is that of the request of the stream.
pub(crate) struct StreamPart {
    parent: Arc<dyn MessageView>,
    kind: StreamPartKind,
    side: Side,
    is_binary: bool,
    fields: Fields,
    body: Bytes,
    /// The body converted to JSON text, for formats that are not JSON.
    json_text: Option<Bytes>,
    json: OnceLock<Option<Document>>,
    /// The same part with holes, if it has secrets.
    with_holes: Option<Box<Self>>,
    /// What belongs in the holes, if this is the part with holes.
    identities: Option<Arc<Identities>>,
}

impl StreamPart {
    /// A part without fields.
    pub(crate) fn new(
        parent: Arc<dyn MessageView>,
        kind: StreamPartKind,
        side: Side,
        body: Bytes,
    ) -> Self {
        Self {
            parent,
            kind,
            side,
            is_binary: false,
            fields: Fields::default(),
            body,
            json_text: None,
            json: OnceLock::new(),
            with_holes: None,
            identities: None,
        }
    }

    /// The trailers of the server.
    pub(crate) fn trailers(parent: Arc<dyn MessageView>, fields: Fields) -> Self {
        Self {
            fields,
            ..Self::new(parent, StreamPartKind::Trailers, Side::Server, Bytes::new())
        }
    }

    /// The same part, with its body converted to this JSON text.
    #[must_use]
    pub(crate) fn with_json(mut self, json: Option<String>) -> Self {
        self.json_text = json.map(Bytes::from);
        self
    }

    /// The same part, as a binary message or not.
    #[must_use]
    pub(crate) fn with_type(mut self, is_binary: bool) -> Self {
        self.is_binary = is_binary;
        self
    }

    /// The same part, which has holes for these identities in that form.
    #[must_use]
    pub(crate) fn with_holes_of(mut self, mut part: Self, identities: Arc<Identities>) -> Self {
        part.identities = Some(identities);
        self.with_holes = Some(Box::new(part));
        self
    }
}

impl MessageView for StreamPart {
    fn kind(&self) -> &'static str {
        self.kind.name()
    }

    fn side(&self) -> Side {
        self.side
    }

    fn is_binary(&self) -> bool {
        self.is_binary
    }

    fn minted_values(&self) -> Option<&MintedValues> {
        self.parent.minted_values()
    }

    fn endpoint(&self) -> &str {
        self.parent.endpoint()
    }

    fn session(&self) -> &str {
        self.parent.session()
    }

    fn method(&self) -> &str {
        self.parent.method()
    }

    fn authority(&self) -> &str {
        self.parent.authority()
    }

    fn path(&self) -> &str {
        self.parent.path()
    }

    fn query(&self) -> &[(String, String)] {
        self.parent.query()
    }

    fn status(&self) -> u16 {
        self.parent.status()
    }

    fn fields(&self) -> &Fields {
        &self.fields
    }

    fn body(&self) -> &Bytes {
        &self.body
    }

    fn json(&self) -> Option<&Document> {
        let text = self.json_text.as_ref().unwrap_or(&self.body);
        self.json
            .get_or_init(|| Document::parse(text.clone()))
            .as_ref()
    }

    fn with_holes(&self) -> Option<&dyn MessageView> {
        self.with_holes
            .as_deref()
            .map(|part| part as &dyn MessageView)
    }

    fn hole(&self, index: usize) -> Option<Content> {
        self.identities.as_ref()?.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redacted_message::RedactedMessage;
    use http::Method;
    use ouli_message::{Content, Request};

    #[test]
    fn getters_of_the_request_line_return_those_of_the_request() {
        let request = Request {
            method: Method::GET,
            authority: String::new(),
            target: "/chat?a=b".to_owned(),
            fields: Fields::default(),
            body: Content::EMPTY,
            trailers: Fields::default(),
            truncated_at: None,
        };
        let request = Arc::new(RedactedMessage::request(
            "api".into(),
            "default".into(),
            Arc::new(request),
        ));
        let body = Bytes::from_static(b"\x08\x01");
        let part = StreamPart::new(request, StreamPartKind::Message, Side::Server, body)
            .with_json(Some("{\"count\":1}".to_owned()));
        assert_eq!((part.kind(), part.side()), ("message", Side::Server));
        assert_eq!((part.method(), part.path()), ("GET", "/chat"));
        assert_eq!(part.query()[0].0, "a");
        assert_eq!(part.body().len(), 2);
        assert_eq!(&part.json().unwrap().text()[..], b"{\"count\":1}");
    }
}
