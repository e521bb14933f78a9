//! The responses of the gateway's own: every error of an exchange becomes a response here, and
//! nowhere else.
//!
//! Each carries `ouli-error: KIND`, so that no client takes it for a recorded response, and its
//! first sentence in `ouli-error-detail` and, on HTTP/1.1, in the reason phrase: some clients show
//! nothing else.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use hyper::ext::ReasonPhrase;

use super::error::ExchangeError;
use super::error_body::error_body;
use super::error_format::ErrorFormat;
use super::grpc_status;
use super::problem_type::ERROR_HEADER;
use super::response_body::OutgoingBody;
use ouli_config::ErrorFormat as HttpFormat;

/// The first sentence of an error.
const DETAIL_HEADER: HeaderName = HeaderName::from_static("ouli-error-detail");

/// The first difference of a miss, and what resolves it.
const MISS_HEADER: HeaderName = HeaderName::from_static("ouli-miss");

/// Bytes of a sentence in a reason phrase or a header.
const MAX_SENTENCE: usize = 256;

/// The response for an error.
pub(super) fn error_response(error: &ExchangeError, format: ErrorFormat) -> Response<OutgoingBody> {
    match format {
        ErrorFormat::Http(format) => http_error_response(error, format),
        ErrorFormat::Grpc => grpc_error_response(error),
    }
}

/// A gRPC response without messages, with the status in its head.
fn grpc_error_response(error: &ExchangeError) -> Response<OutgoingBody> {
    let mut response = Response::new(OutgoingBody::empty());
    *response.headers_mut() = grpc_status::trailers_only(error);
    response
}

fn http_error_response(error: &ExchangeError, format: HttpFormat) -> Response<OutgoingBody> {
    let problem_type = error.problem_type();
    let body = error_body(error, format);
    let mut response = Response::new(OutgoingBody::from_bytes(Bytes::from(body.text)));
    *response.status_mut() = problem_type.status;
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static(problem_type.kind.as_str());
    headers.insert(ERROR_HEADER, kind);
    let content_type = HeaderValue::from_static(body.content_type);
    headers.insert(CONTENT_TYPE, content_type);
    if problem_type.status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if let ExchangeError::PageMethod(methods) = error {
        headers.insert(ALLOW, HeaderValue::from_static(methods));
    }
    let sentence = printable(&error.summary());
    if let Ok(value) = HeaderValue::from_str(&sentence) {
        headers.insert(DETAIL_HEADER, value);
    }
    // A response to HEAD has no report.
    if let ExchangeError::Miss(miss) = error
        && let Some(value) = miss.to_field_value()
        && let Ok(value) = HeaderValue::from_str(&value)
    {
        headers.insert(MISS_HEADER, value);
    }
    if let Ok(reason) = ReasonPhrase::try_from(sentence.as_bytes()) {
        response.extensions_mut().insert(reason);
    }
    response
}

/// A sentence in visible ASCII (RFC 9110, section 5.5).
fn printable(sentence: &str) -> String {
    let is_visible = |character: &char| character.is_ascii_graphic() || *character == ' ';
    let visible = sentence
        .chars()
        .map(|character| match is_visible(&character) {
            true => character,
            false => '?',
        });
    let mut text: String = visible.collect();
    if text.len() > MAX_SENTENCE {
        text.truncate(MAX_SENTENCE - 3);
        text.push_str("...");
    }
    text
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
        let no_page = ExchangeError::UnknownPage { in_session: false };
        let misdirected = ExchangeError::Misdirected {
            server: "http://x".into(),
            endpoint: "api".into(),
            upstream: "http://y".into(),
        };
        let cases = [
            (ExchangeError::Upstream(timeout), 504, "upstream"),
            (ExchangeError::Upstream(broken), 502, "upstream"),
            (ExchangeError::RecordedFailure(refused), 502, "upstream"),
            (ExchangeError::RecordedFailure(client_gone), 504, "upstream"),
            (ExchangeError::Session("x".into()), 400, "session"),
            (ExchangeError::NoSession("x".into()), 404, "session"),
            (ExchangeError::Cassette("x".into()), 500, "cassette"),
            (ExchangeError::IndexMemory("x".into()), 500, "cassette"),
            (ExchangeError::RequestBodyTooLarge { max: 1 }, 413, "limit"),
            (ExchangeError::Undecodable("x".into()), 415, "coding"),
            (ExchangeError::Downstream("x".into()), 400, "request"),
            (
                ExchangeError::InvalidMessage(InvalidMessage::MultipleHosts),
                400,
                "request",
            ),
            (ExchangeError::ConnectNotSupported, 405, "request"),
            (misdirected, 421, "request"),
            (Rejection::UriTooLong { max: 1 }.into(), 414, "limit"),
            (Rejection::TooManyHeaders { max: 1 }.into(), 431, "limit"),
            (
                Rejection::BodyTimeout("request_body_idle_timeout").into(),
                408,
                "limit",
            ),
            (Rejection::TooManyTrailers.into(), 400, "limit"),
            (Rejection::IncompleteBody.into(), 400, "request"),
            (ExchangeError::AdminForbidden("x"), 403, "forbidden"),
            (no_page, 404, "page"),
            (ExchangeError::PageMethod("GET, HEAD"), 405, "page"),
            (ExchangeError::TooManyRequests("x"), 503, "limit"),
            (ExchangeError::MemoryLimit, 503, "limit"),
            (ExchangeError::TooManySessions { max: 1 }, 503, "limit"),
            (ExchangeError::NoEndpoint("x".into()), 503, "endpoint"),
            (ExchangeError::NoUpstream("x".into()), 503, "endpoint"),
            (ExchangeError::Internal("x".into()), 500, "gateway"),
        ];
        for (error, status, kind) in cases {
            let response = error_response(&error, ErrorFormat::Http(HttpFormat::Problem));
            assert_eq!(response.status(), status, "{error}");
            assert_eq!(response.headers()[ERROR_HEADER], kind, "{error}");
            let sentence = response.headers()[DETAIL_HEADER].as_bytes();
            let reason = response.extensions().get::<ReasonPhrase>();
            assert_eq!(reason.unwrap().as_bytes(), sentence, "{error}");
            let retry = response.headers().contains_key(RETRY_AFTER);
            assert_eq!(retry, status == 503, "{error}");
        }
    }

    #[test]
    fn a_sentence_is_short_and_visible() {
        assert_eq!(printable("a \u{e9}\r\nb"), "a ???b");
        let long = printable(&"x".repeat(1000));
        assert_eq!(long.len(), MAX_SENTENCE);
        assert!(long.ends_with("x..."));
    }
}
