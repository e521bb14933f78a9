//! The responses of the gateway's own: every error of an exchange becomes a response here, and
//! nowhere else.
//!
//! Each carries `ouli-error: KIND`, so that no client takes it for a recorded response, and a body
//! as RFC 9457 says.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::error::ExchangeError;
use super::error_format::ErrorFormat;
use super::grpc_status;
use super::problem_type::ERROR_HEADER;
use super::response_body::OutgoingBody;

/// The response for an error.
pub(super) fn error_response(error: &ExchangeError, format: ErrorFormat) -> Response<OutgoingBody> {
    match format {
        ErrorFormat::Http => problem_response(error),
        ErrorFormat::Grpc => grpc_error_response(error),
    }
}

/// A gRPC response without messages, with the status in its head.
fn grpc_error_response(error: &ExchangeError) -> Response<OutgoingBody> {
    let mut response = Response::new(OutgoingBody::empty());
    *response.headers_mut() = grpc_status::trailers_only(error);
    response
}

fn problem_response(error: &ExchangeError) -> Response<OutgoingBody> {
    let problem_type = error.problem_type();
    let kind = problem_type.kind.as_str();
    let problem: Value = match error {
        ExchangeError::Miss(miss) => miss.to_problem(),
        other => json!({
            "type": format!("urn:ouli:problem:{kind}"),
            "title": problem_type.title,
            "status": problem_type.status.as_u16(),
            "detail": other.to_string(),
        }),
    };
    let mut text = serde_json::to_vec_pretty(&problem).unwrap_or_default();
    text.push(b'\n');
    let mut response = Response::new(OutgoingBody::from_bytes(Bytes::from(text)));
    *response.status_mut() = problem_type.status;
    let headers = response.headers_mut();
    headers.insert(ERROR_HEADER, HeaderValue::from_static(kind));
    let problem_json = HeaderValue::from_static("application/problem+json");
    headers.insert(CONTENT_TYPE, problem_json);
    if problem_type.status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use ouli_message::failure::{FailureCause, FailureKind, Phase};
    use ouli_net::http::validation::InvalidMessage;
    use ouli_net::server::Rejection;
    use ouli_net::upstream::UpstreamError;

    #[test]
    fn every_error_response_has_the_error_header_and_a_kind() {
        let timeout = UpstreamError::Timeout {
            target: "h:1".into(),
            awaited: "response headers from",
            limit: std::time::Duration::from_secs(1),
            key: "response_header_timeout",
            phase: Phase::Head,
        };
        let broken = UpstreamError::Broken {
            target: "h:1".into(),
            reason: "x".into(),
            cause: FailureCause::new(Phase::Head, FailureKind::Reset),
        };
        let refused = FailureCause::new(Phase::Connect, FailureKind::Refused);
        let client_gone = FailureCause::new(Phase::Head, FailureKind::ClientGone);
        let cases = [
            (ExchangeError::Upstream(timeout), 504, "upstream"),
            (ExchangeError::Upstream(broken), 502, "upstream"),
            (ExchangeError::RecordedFailure(refused), 502, "upstream"),
            (ExchangeError::RecordedFailure(client_gone), 504, "upstream"),
            (ExchangeError::Session("x".into()), 400, "session"),
            (ExchangeError::Cassette("x".into()), 500, "cassette"),
            (ExchangeError::RequestBodyTooLarge { max: 1 }, 413, "limit"),
            (ExchangeError::Undecodable("x".into()), 415, "coding"),
            (ExchangeError::Downstream("x".into()), 400, "request"),
            (
                ExchangeError::InvalidMessage(InvalidMessage::MultipleHosts),
                400,
                "request",
            ),
            (ExchangeError::ConnectNotSupported, 405, "request"),
            (Rejection::UriTooLong { max: 1 }.into(), 414, "limit"),
            (Rejection::TooManyHeaders { max: 1 }.into(), 431, "limit"),
            (
                Rejection::BodyTimeout("request_body_idle_timeout").into(),
                408,
                "limit",
            ),
            (Rejection::IncompleteBody.into(), 400, "request"),
            (ExchangeError::AdminForbidden("x"), 403, "forbidden"),
            (
                ExchangeError::TooManyRequests("max_concurrent_requests"),
                503,
                "limit",
            ),
            (ExchangeError::MemoryLimit, 503, "limit"),
            (ExchangeError::TooManySessions { max: 1 }, 503, "limit"),
            (ExchangeError::NoEndpoint("x".into()), 503, "endpoint"),
            (ExchangeError::NoUpstream("x".into()), 503, "endpoint"),
            (ExchangeError::Internal("x".into()), 500, "gateway"),
        ];
        for (error, status, kind) in cases {
            let response = error_response(&error, ErrorFormat::Http);
            assert_eq!(response.status(), status, "{error}");
            assert_eq!(response.headers()[ERROR_HEADER], kind, "{error}");
            let retry = response.headers().contains_key(RETRY_AFTER);
            assert_eq!(retry, status == 503, "{error}");
        }
    }
}
