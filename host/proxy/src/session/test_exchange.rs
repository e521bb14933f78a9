//! A sample exchange for tests.

use http::{Method, StatusCode};

use ouli_message::{CodedBody, Content, Exchange, Fields, Request, Response};

/// The recorder panics at a request with this target.
pub(crate) const PANIC: &str = "/panic";

/// A plain `GET /` with an empty response.
pub(crate) fn exchange() -> Exchange {
    Exchange {
        endpoint: "api".to_owned(),
        request: Request {
            method: Method::GET,
            authority: String::new(),
            target: "/".to_owned(),
            fields: Fields::default(),
            body: Content::EMPTY,
            trailers: Fields::default(),
            truncated_at: None,
        },
        response: Response {
            status: StatusCode::OK,
            fields: Fields::default(),
            body: Content::EMPTY,
            coded: CodedBody::Derived,
            trailers: Fields::default(),
            reason: None,
            omitted: Vec::new(),
        },
        stream: None,
        failure: None,
        tags: Vec::new(),
    }
}
