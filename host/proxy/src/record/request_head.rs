//! The head of a request as it is forwarded and recorded.

use http::header::{CONTENT_LENGTH, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request};

use crate::handler::RequestContext;
use ouli_message::{Content, Fields};
use ouli_net::http::forwarding::{self, Rewrite};

/// The head of a request as it is forwarded: the same is recorded.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    /// Path and query as the client sent them, without the upstream's base path.
    pub(crate) target: PathAndQuery,
    pub(crate) headers: HeaderMap,
}

impl RequestHead {
    /// The head to forward for a request, in any mode.
    pub(crate) fn new<B>(
        context: &RequestContext<'_>,
        request: &Request<B>,
        restrict_codings: bool,
    ) -> Self {
        let rewrite = Rewrite {
            preserve_host: context.endpoint.configured.preserve_host,
            restrict_codings,
        };
        Self {
            method: request.method().clone(),
            target: context.target.clone(),
            headers: forwarding::request_headers(request.headers(), rewrite),
        }
    }

    /// The request as it is recorded and looked up. Fields that frame the body or name the upstream
    /// are left out: the body is stored whole.
    pub(crate) fn to_recorded_request(&self, authority: &str) -> ouli_message::Request {
        let mut fields = Fields::from(&self.headers);
        fields.retain(|name, _| *name != CONTENT_LENGTH && *name != HOST);
        ouli_message::Request {
            method: self.method.clone(),
            authority: authority.to_owned(),
            target: self.target.as_str().to_owned(),
            fields,
            body: Content::EMPTY,
            trailers: Fields::default(),
            truncated_at: None,
        }
    }
}
