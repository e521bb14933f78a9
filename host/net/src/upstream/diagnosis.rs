//! Explains an upstream error: how far the exchange had come, what happened, and what a user can do
//! about it.

use std::error::Error;
use std::io;

use super::error::{BodyError, HEAD_TOO_LARGE, PhaseError, PhaseTimeout, UpstreamError};
use super::remedy::remedy;
use crate::tls;
use ouli_message::failure::{FailureCause, FailureKind, Phase};

/// What an error of a response body means.
pub fn classify_body_error(error: &(dyn Error + 'static)) -> FailureCause {
    let (kind, code) = classify(error);
    FailureCause {
        phase: Phase::Body,
        kind,
        code,
    }
}

/// Explains an error before the response head.
pub(super) fn to_upstream_error(
    target: String,
    error: &(dyn Error + 'static),
    is_connecting: bool,
) -> UpstreamError {
    let mut phase = if is_connecting {
        Phase::Connect
    } else {
        Phase::Head
    };
    for cause in error_chain(error) {
        if let Some(failed) = cause.downcast_ref::<PhaseError>() {
            phase = failed.phase;
        }
        if let Some(timeout) = cause.downcast_ref::<PhaseTimeout>() {
            return UpstreamError::Timeout {
                target,
                awaited: timeout.awaited,
                limit: timeout.limit,
                key: timeout.key,
                phase,
            };
        }
    }
    let (kind, code) = classify(error);
    let cause = FailureCause { phase, kind, code };
    let root_cause = error_chain(error).last();
    let mut reason = root_cause.map_or_else(String::new, ToString::to_string);
    if let Some(error) = error_chain(error).find_map(|cause| cause.downcast_ref()) {
        reason = tls::shown(error);
    }
    if error_chain(error).any(is_head_too_large) {
        HEAD_TOO_LARGE.clone_into(&mut reason);
    }
    if let Some(remedy) = error_chain(error).find_map(remedy) {
        reason = format!("{reason}; {remedy}");
    }
    if phase < Phase::Head {
        UpstreamError::Connect {
            target,
            reason,
            cause,
        }
    } else {
        UpstreamError::Broken {
            target,
            reason,
            cause,
        }
    }
}

fn is_head_too_large(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<hyper::Error>();
    error.is_some_and(hyper::Error::is_parse_too_large)
}

/// An error and its causes, the root cause last.
fn error_chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        // `source` of these skips the error that they wrap.
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.get_ref().map(|inner| inner as _);
        }
        match error.downcast_ref() {
            Some(BodyError::Broken(error)) => Some(error as _),
            Some(_) | None => error.source(),
        }
    })
}

/// The kind of the innermost cause that has one.
fn classify(error: &(dyn Error + 'static)) -> (FailureKind, Option<u32>) {
    let innermost = error_chain(error).filter_map(classify_one).last();
    innermost.unwrap_or((FailureKind::Closed, None))
}

fn classify_one(error: &(dyn Error + 'static)) -> Option<(FailureKind, Option<u32>)> {
    if let Some(failed) = error.downcast_ref::<PhaseError>() {
        return failed.kind.map(|kind| (kind, None));
    }
    match error.downcast_ref() {
        Some(BodyError::Idle { .. }) => return Some((FailureKind::Timeout, None)),
        Some(BodyError::Truncated) => return Some((FailureKind::Closed, None)),
        Some(
            BodyError::NoGrpcStatus | BodyError::UnexpectedData | BodyError::InvalidTrailers(_),
        ) => return Some((FailureKind::Malformed, None)),
        Some(BodyError::Broken(_)) | None => {}
    }
    if error.is::<PhaseTimeout>() {
        return Some((FailureKind::Timeout, None));
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return classify_hyper(error).map(|kind| (kind, None));
    }
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        return classify_h2(error);
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some((classify_tls(error), None));
    }
    let error = error.downcast_ref::<io::Error>()?;
    classify_io(error.kind()).map(|kind| (kind, None))
}

fn classify_hyper(error: &hyper::Error) -> Option<FailureKind> {
    if error.is_parse() {
        Some(FailureKind::Malformed)
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        Some(FailureKind::Closed)
    } else if error.is_timeout() {
        Some(FailureKind::Timeout)
    } else {
        None
    }
}

fn classify_h2(error: &h2::Error) -> Option<(FailureKind, Option<u32>)> {
    if let Some(error) = error.get_io() {
        return classify_io(error.kind()).map(|kind| (kind, None));
    }
    let code = error.reason()?;
    let kind = match (error.is_remote(), error.is_go_away()) {
        (true, false) => FailureKind::Reset,
        (true, true) => FailureKind::Closed,
        // h2 ended it because the upstream violated the protocol.
        (false, _) => FailureKind::Malformed,
    };
    Some((kind, Some(code.into())))
}

fn classify_tls(error: &rustls::Error) -> FailureKind {
    match error {
        rustls::Error::InvalidCertificate(_) => FailureKind::Untrusted,
        rustls::Error::AlertReceived(_) => FailureKind::Refused,
        _ => FailureKind::Malformed,
    }
}

fn classify_io(kind: io::ErrorKind) -> Option<FailureKind> {
    Some(match kind {
        io::ErrorKind::ConnectionRefused => FailureKind::Refused,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => FailureKind::Reset,
        io::ErrorKind::UnexpectedEof => FailureKind::Closed,
        io::ErrorKind::TimedOut => FailureKind::Timeout,
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => FailureKind::Malformed,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::PermissionDenied => FailureKind::Unreachable,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reset() -> io::Error {
        io::ErrorKind::ConnectionReset.into()
    }

    #[test]
    fn the_innermost_cause_decides_the_kind() {
        let certificate = rustls::CertificateError::UnknownIssuer;
        let tls = rustls::Error::InvalidCertificate(certificate);
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::HandshakeFailure);
        let cases = [
            (reset(), FailureKind::Reset),
            (io::Error::other(reset()), FailureKind::Reset),
            (
                io::Error::new(io::ErrorKind::InvalidData, tls),
                FailureKind::Untrusted,
            ),
            (
                io::Error::new(io::ErrorKind::InvalidData, alert),
                FailureKind::Refused,
            ),
            (io::ErrorKind::UnexpectedEof.into(), FailureKind::Closed),
            (io::Error::other("unknown"), FailureKind::Closed),
        ];
        for (error, kind) in cases {
            assert_eq!(
                classify_body_error(&error),
                FailureCause::new(Phase::Body, kind),
                "{error:?}"
            );
        }
        let code = h2::Error::from(h2::Reason::CANCEL);
        assert_eq!(classify_body_error(&code).code, Some(8));
    }

    #[test]
    fn reports_the_phase_that_failed() {
        let failed = PhaseError {
            phase: Phase::Tls,
            kind: None,
            source: Box::new(reset()),
        };
        let error = to_upstream_error("h:1".to_owned(), &failed, true);
        assert_eq!(
            error.cause(),
            FailureCause::new(Phase::Tls, FailureKind::Reset)
        );
        let error = to_upstream_error("h:1".to_owned(), &reset(), false);
        assert_eq!(
            error.cause(),
            FailureCause::new(Phase::Head, FailureKind::Reset)
        );
    }
}
