//! The form in which a client gets an error of the gateway.

use http::Request;

use ouli_codec::grpc;

/// The form in which a client gets an error of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorFormat {
    /// An HTTP status and a problem document (RFC 9457).
    Http,
    /// A gRPC status.
    Grpc,
}

impl ErrorFormat {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        if grpc::has_grpc_body(request.headers()) {
            Self::Grpc
        } else {
            Self::Http
        }
    }
}
