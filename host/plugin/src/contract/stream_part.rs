//! A part of a stream as plugins see it: an event, a message or the trailers, with the request that
//! it belongs to.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use ouli_codec::Message;
use ouli_codec::json::Document;
use ouli_message::Fields;
use ouli_message::stream::Side;

/// What a part of a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartKind {
    /// An event, a line or a chunk of a body.
    Event,
    /// A message of a WebSocket or of gRPC.
    Message,
    /// The trailers.
    Trailers,
}

impl PartKind {
    fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Message => "message",
            Self::Trailers => "trailers",
        }
    }
}

/// A part of a stream. The line of the request is that of the message it belongs to.
pub(crate) struct Part {
    of: Arc<dyn Message>,
    kind: PartKind,
    side: Side,
    fields: Fields,
    body: Bytes,
    /// The body as JSON text, where it is not JSON itself but can be shown as such.
    shown: Option<Bytes>,
    json: OnceLock<Option<Document>>,
}

impl Part {
    /// A part without fields whose body is as it is.
    pub(crate) fn new(of: Arc<dyn Message>, kind: PartKind, side: Side, body: Bytes) -> Self {
        Self {
            of,
            kind,
            side,
            fields: Fields::default(),
            body,
            shown: None,
            json: OnceLock::new(),
        }
    }

    /// The same with fields, such as those of trailers or a content type.
    #[must_use]
    pub(crate) fn with_fields(mut self, fields: Fields) -> Self {
        self.fields = fields;
        self
    }

    /// The same, shown as this JSON text.
    #[must_use]
    pub(crate) fn shown_as(mut self, json: Option<String>) -> Self {
        self.shown = json.map(Bytes::from);
        self
    }
}

impl Message for Part {
    fn kind(&self) -> &'static str {
        self.kind.name()
    }

    fn side(&self) -> Side {
        self.side
    }

    fn endpoint(&self) -> &str {
        self.of.endpoint()
    }

    fn session(&self) -> &str {
        self.of.session()
    }

    fn method(&self) -> &str {
        self.of.method()
    }

    fn authority(&self) -> &str {
        self.of.authority()
    }

    fn path(&self) -> &str {
        self.of.path()
    }

    fn query(&self) -> &[(String, String)] {
        self.of.query()
    }

    fn status(&self) -> u16 {
        self.of.status()
    }

    fn fields(&self) -> &Fields {
        &self.fields
    }

    fn body(&self) -> &Bytes {
        &self.body
    }

    fn json(&self) -> Option<&Document> {
        let text = self.shown.as_ref().unwrap_or(&self.body);
        self.json
            .get_or_init(|| Document::parse(text.clone()))
            .as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;
    use ouli_message::{Content, Request};
    use ouli_redaction::PlainMessage;

    #[test]
    fn a_part_answers_for_its_request() {
        let request = Request {
            method: Method::GET,
            authority: String::new(),
            target: "/chat?a=b".to_owned(),
            fields: Fields::default(),
            body: Content::EMPTY,
            trailers: Fields::default(),
        };
        let request = Arc::new(PlainMessage::request(
            "api".into(),
            "default".into(),
            Arc::new(request),
        ));
        let body = Bytes::from_static(b"\x08\x01");
        let part = Part::new(request, PartKind::Message, Side::Server, body)
            .shown_as(Some("{\"count\":1}".to_owned()));
        assert_eq!((part.kind(), part.side()), ("message", Side::Server));
        assert_eq!((part.method(), part.path()), ("GET", "/chat"));
        assert_eq!(part.query()[0].0, "a");
        assert_eq!(part.body().len(), 2);
        assert_eq!(&part.json().unwrap().text()[..], b"{\"count\":1}");
    }
}
