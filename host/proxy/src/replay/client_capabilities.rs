//! What a client accepts of a recorded response.

use http::header::ACCEPT_ENCODING;
use http::{Method, Request, Version};

/// The responses that a client accepts.
pub(crate) struct ClientCapabilities {
    pub(super) head_only: bool,
    /// It gets the recorded codings, whatever they are.
    pub(super) any_coding: bool,
    pub(super) accept_encoding: Option<String>,
    /// Its connection carries one response at a time.
    pub(super) is_http1: bool,
}

impl ClientCapabilities {
    /// A client that accepts the response as recorded.
    pub(crate) fn unrestricted() -> Self {
        Self {
            head_only: false,
            any_coding: true,
            accept_encoding: None,
            is_http1: false,
        }
    }

    /// The same client, which gets the body too.
    pub(super) fn with_body(&self) -> Self {
        Self {
            head_only: false,
            accept_encoding: self.accept_encoding.clone(),
            ..*self
        }
    }

    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let mut accept_encoding = None;
        for value in request.headers().get_all(ACCEPT_ENCODING) {
            let joined: &mut String = accept_encoding.get_or_insert_default();
            if !joined.is_empty() {
                joined.push(',');
            }
            joined.push_str(value.to_str().unwrap_or_default());
        }
        Self {
            head_only: *request.method() == Method::HEAD,
            any_coding: false,
            accept_encoding,
            is_http1: request.version() < Version::HTTP_2,
        }
    }

    #[cfg(test)]
    pub(super) fn for_test(accept_encoding: Option<&str>) -> Self {
        Self {
            any_coding: false,
            accept_encoding: accept_encoding.map(str::to_owned),
            ..Self::unrestricted()
        }
    }
}
