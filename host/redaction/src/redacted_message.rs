//! Messages that are redacted already; plugins read them unchanged.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use ouli_codec::json::Document;
use ouli_codec::{MessageView, form};
use ouli_message::stream::Side;
use ouli_message::{Failure, Fields, Request, Response};

/// A redacted request, or a redacted response with its request.
pub struct RedactedMessage {
    endpoint: Arc<str>,
    session: Arc<str>,
    request: Arc<Request>,
    response: Option<Arc<Response>>,
    parts: Vec<Arc<dyn MessageView>>,
    failure: Option<String>,
    body: Bytes,
    query: OnceLock<Vec<(String, String)>>,
    json: OnceLock<Option<Document>>,
}

impl RedactedMessage {
    /// A request. A body that is not in memory counts as empty.
    pub fn request(endpoint: Arc<str>, session: Arc<str>, request: Arc<Request>) -> Self {
        let body = request.body.to_bytes();
        Self {
            endpoint,
            session,
            request,
            response: None,
            parts: Vec::new(),
            failure: None,
            body,
            query: OnceLock::new(),
            json: OnceLock::new(),
        }
    }

    /// A response with its request. A body that is not in memory counts as empty.
    pub fn response(
        endpoint: Arc<str>,
        session: Arc<str>,
        request: Arc<Request>,
        response: Arc<Response>,
    ) -> Self {
        Self {
            body: response.body.to_bytes(),
            response: Some(response),
            ..Self::request(endpoint, session, request)
        }
    }
}

impl RedactedMessage {
    /// Sets the parts of the stream of a response.
    #[must_use]
    pub fn with_parts(mut self, parts: Vec<Arc<dyn MessageView>>) -> Self {
        self.parts = parts;
        self
    }

    /// Sets the failure of the exchange.
    #[must_use]
    pub fn with_failure(mut self, failure: Option<Failure>) -> Self {
        self.failure = failure.map(|failure| failure.cause.to_string());
        self
    }
}

impl MessageView for RedactedMessage {
    fn kind(&self) -> &'static str {
        self.response.as_ref().map_or("request", |_| "response")
    }

    fn side(&self) -> Side {
        self.response
            .as_ref()
            .map_or(Side::Client, |_| Side::Server)
    }

    fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    fn parts(&self) -> &[Arc<dyn MessageView>] {
        &self.parts
    }

    fn is_websocket(&self) -> bool {
        self.request.is_websocket()
    }

    fn endpoint(&self) -> &str {
        &self.endpoint
    }

    fn session(&self) -> &str {
        &self.session
    }

    fn method(&self) -> &str {
        self.request.method.as_str()
    }

    fn authority(&self) -> &str {
        &self.request.authority
    }

    fn path(&self) -> &str {
        self.request.path()
    }

    fn query(&self) -> &[(String, String)] {
        self.query.get_or_init(|| {
            let pairs = form::parse(self.request.query().unwrap_or_default().as_bytes());
            pairs
                .into_iter()
                .map(|pair| (pair.name, pair.value))
                .collect()
        })
    }

    fn status(&self) -> u16 {
        self.response
            .as_ref()
            .map_or(0, |response| response.status.as_u16())
    }

    fn fields(&self) -> &Fields {
        self.response
            .as_ref()
            .map_or(&self.request.fields, |response| &response.fields)
    }

    fn body(&self) -> &Bytes {
        &self.body
    }

    fn json(&self) -> Option<&Document> {
        self.json
            .get_or_init(|| Document::parse(self.body.clone()))
            .as_ref()
    }
}
