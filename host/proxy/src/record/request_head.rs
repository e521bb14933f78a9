//! The head of a request as it is forwarded and recorded.

use http::header::{CONTENT_LENGTH, EXPECT};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Method, Request};

use crate::handler::RequestContext;
use ouli_config::Mode;
use ouli_message::{Content, Fields};
use ouli_net::http::expects_continue;
use ouli_net::http::forwarding::{self, Rewrite};
use ouli_net::http::upgrade;

/// The head of a request as it is forwarded: the same is recorded.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    /// Path and query as the client sent them, without the upstream's base path.
    pub(crate) target: PathAndQuery,
    pub(crate) headers: HeaderMap,
    /// The authority that the upstream is sent instead of its own (`preserve_host`).
    pub(crate) authority: Option<Authority>,
    /// The protocols that the connection may be upgraded to. They are not recorded: a response to a
    /// request with this offer is also one to a request without.
    pub(crate) upgrade: Option<HeaderValue>,
}

impl RequestHead {
    /// The head to forward for a request, in any mode.
    pub(crate) fn new<B: http_body::Body>(
        context: &RequestContext<'_>,
        request: &Request<B>,
        restrict_codings: bool,
    ) -> Self {
        // In replay and auto the gateway reads the body before the request is forwarded.
        let mode = context.endpoint.configured.mode;
        let asks_upstream = matches!(mode, Mode::Record | Mode::Passthrough);
        let rewrite = Rewrite {
            forward_expect: asks_upstream && expects_continue(request),
            restrict_codings,
        };
        Self {
            method: request.method().clone(),
            target: context.target.clone(),
            headers: forwarding::request_headers(request.headers(), rewrite),
            authority: context.preserved_authority.clone(),
            upgrade: upgrade::offered_protocols(request),
        }
    }

    /// The request as it is recorded and looked up. Fields that frame the body are left out: it is
    /// stored whole. So is `expect`: a client may send the body at once.
    pub(crate) fn to_recorded_request(&self, authority: &str) -> ouli_message::Request {
        let mut fields = Fields::from(&self.headers);
        fields.retain(|name, _| ![CONTENT_LENGTH, EXPECT].contains(name));
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
