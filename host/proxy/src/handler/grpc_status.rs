//! The status of a gRPC call that ends with an error of the gateway.

use http::{HeaderMap, HeaderValue};

use super::error::{ExchangeError, MESSAGE_PREFIX};
use super::problem_type::{ERROR_HEADER, ErrorKind};
use ouli_codec::grpc;
use ouli_message::failure::{FailureCause, FailureKind};

/// Bytes of the message of a status. Many clients accept 8 KiB of metadata, and percent-encoding
/// may triple a message.
const MAX_MESSAGE: usize = 2 << 10;

/// The head of a response without messages that ends a call.
pub(crate) fn trailers_only(error: &ExchangeError) -> HeaderMap {
    let (code, message) = code_and_message(error);
    with_error_header(grpc::trailers_only(code, &message).to_map(), error)
}

/// The trailers that end a call whose response has begun.
pub(crate) fn trailers(error: &ExchangeError) -> HeaderMap {
    let (code, message) = code_and_message(error);
    with_error_header(grpc::trailers(code, &message).to_map(), error)
}

/// The trailers that end a call whose upstream sent no status. A reset of the stream tells the
/// code; otherwise UNAVAILABLE says that the server is gone.
pub(crate) fn aborted_call(cause: Option<&FailureCause>, reason: &str) -> HeaderMap {
    let code = cause.and_then(code_of_reset);
    let code = code.unwrap_or(grpc::Code::Unavailable);
    let mut fields = grpc::trailers(code, reason).to_map();
    let kind = HeaderValue::from_static(ErrorKind::Upstream.as_str());
    fields.insert(ERROR_HEADER, kind);
    fields
}

/// The status of a call whose stream the upstream reset. None for any other failure.
fn code_of_reset(cause: &FailureCause) -> Option<grpc::Code> {
    let code = cause.code.filter(|_| cause.kind == FailureKind::Reset);
    code.map(grpc::Code::of_reset)
}

fn with_error_header(mut fields: HeaderMap, error: &ExchangeError) -> HeaderMap {
    let kind = HeaderValue::from_static(error.kind().as_str());
    fields.insert(ERROR_HEADER, kind);
    fields
}

fn code_and_message(error: &ExchangeError) -> (grpc::Code, String) {
    let code = match (error, error.problem_type().status.as_u16()) {
        // Not `unavailable`: client libraries would retry.
        (ExchangeError::Miss(_), _) => grpc::Code::NotFound,
        (ExchangeError::Stopping, _) => grpc::Code::Unavailable,
        (_, 504) => grpc::Code::DeadlineExceeded,
        (ExchangeError::Upstream(failed), 502) => {
            code_of_reset(&failed.cause()).unwrap_or(grpc::Code::Unavailable)
        }
        (ExchangeError::RecordedFailure(cause), 502) => {
            code_of_reset(cause).unwrap_or(grpc::Code::Unavailable)
        }
        (_, 502) => grpc::Code::Unavailable,
        (_, 503 | 413) => grpc::Code::ResourceExhausted,
        (_, 400..=499) => grpc::Code::InvalidArgument,
        (_, _) => grpc::Code::Internal,
    };
    let mut message = match error {
        // A gRPC client gets nothing else, so the whole report follows. Its end may be cut off, so
        // the settings are before it.
        ExchangeError::Miss(miss) => {
            let sentences = miss.detail();
            format!("{MESSAGE_PREFIX}{sentences}\n{}", miss.to_text())
        }
        other => other.message(),
    };
    message.truncate(message.floor_char_boundary(MAX_MESSAGE));
    (code, message)
}
