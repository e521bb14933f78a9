//! What an error of an upstream means: how far the exchange had come, what happened, and what a
//! person can do about it.

use std::error::Error;
use std::io;

use super::connector::{PhaseError, PhaseTimeout};
use super::{BodyError, TOO_LARGE, UpstreamError};
use ouli_message::failure::{FailureCause, FailureKind, Phase};

/// What an error on the way through the body of a response means.
pub fn classify_body_error(error: &(dyn Error + 'static)) -> FailureCause {
    let (what, code) = classify(error);
    FailureCause {
        phase: Phase::Body,
        kind: what,
        code,
    }
}

/// Explains an error before the head of a response.
pub(super) fn to_upstream_error(
    target: String,
    error: &(dyn Error + 'static),
    connecting: bool,
) -> UpstreamError {
    let mut phase = if connecting {
        Phase::Connect
    } else {
        Phase::Head
    };
    for cause in error_chain(error) {
        if let Some(failed) = cause.downcast_ref::<PhaseError>() {
            phase = failed.phase;
        }
        if let Some(late) = cause.downcast_ref::<PhaseTimeout>() {
            return UpstreamError::Timeout {
                target,
                what: late.what,
                limit: late.limit,
                key: late.key,
                phase,
            };
        }
    }
    let (what, code) = classify(error);
    let fault = FailureCause {
        phase,
        kind: what,
        code,
    };
    let mut reason = error_chain(error).last().map_or_else(String::new, told);
    if error_chain(error).any(is_too_large) {
        TOO_LARGE.clone_into(&mut reason);
    }
    if what == FailureKind::Untrusted {
        reason.push_str(
            "; where it is to be trusted, name the PEM file of its CA with `upstream_ca` of the \
             endpoint",
        );
    }
    if phase < Phase::Head {
        UpstreamError::Connect {
            target,
            reason,
            cause: fault,
        }
    } else {
        UpstreamError::Broken {
            target,
            reason,
            cause: fault,
        }
    }
}

fn is_too_large(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<hyper::Error>();
    error.is_some_and(hyper::Error::is_parse_too_large)
}

fn told(error: &(dyn Error + 'static)) -> String {
    error.to_string()
}

/// An error and what caused it, the first cause last.
fn error_chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        // The own source of these leaves out the error that they wrap.
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.get_ref().map(|inner| inner as _);
        }
        match error.downcast_ref() {
            Some(BodyError::Broken(error)) => Some(error as _),
            Some(BodyError::Idle { .. }) | None => error.source(),
        }
    })
}

/// What the innermost cause that says something says.
fn classify(error: &(dyn Error + 'static)) -> (FailureKind, Option<u32>) {
    let said = error_chain(error).filter_map(classify_one).last();
    said.unwrap_or((FailureKind::Closed, None))
}

fn classify_one(error: &(dyn Error + 'static)) -> Option<(FailureKind, Option<u32>)> {
    if let Some(failed) = error.downcast_ref::<PhaseError>() {
        return failed.what.map(|what| (what, None));
    }
    let idle = matches!(error.downcast_ref(), Some(BodyError::Idle { .. }));
    if idle || error.is::<PhaseTimeout>() {
        return Some((FailureKind::Timeout, None));
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return classify_hyper(error).map(|what| (what, None));
    }
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        return classify_h2(error);
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some((classify_tls(error), None));
    }
    let error = error.downcast_ref::<io::Error>()?;
    classify_io(error.kind()).map(|what| (what, None))
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
        return classify_io(error.kind()).map(|what| (what, None));
    }
    let code = error.reason()?;
    let what = match (error.is_remote(), error.is_go_away()) {
        (true, false) => FailureKind::Reset,
        (true, true) => FailureKind::Closed,
        // It was ended here, since it broke the protocol.
        (false, _) => FailureKind::Malformed,
    };
    Some((what, Some(code.into())))
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
    fn the_innermost_cause_counts() {
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
            (io::Error::other("who knows"), FailureKind::Closed),
        ];
        for (error, what) in cases {
            assert_eq!(
                classify_body_error(&error),
                FailureCause::new(Phase::Body, what),
                "{error:?}"
            );
        }
        let code = h2::Error::from(h2::Reason::CANCEL);
        assert_eq!(classify_body_error(&code).code, Some(8));
    }

    #[test]
    fn a_phase_that_failed_is_named() {
        let failed = PhaseError {
            phase: Phase::Tls,
            what: None,
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
