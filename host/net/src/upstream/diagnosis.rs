//! What an error of an upstream means: how far the exchange had come, what happened, and what a
//! person can do about it.

use std::error::Error;
use std::io;

use super::connector::{Failed, Late};
use super::{BodyError, TOO_LARGE, UpstreamError};
use ouli_message::failure::{Fault, Phase, What};

/// What an error on the way through the body of a response means.
pub fn of_body(error: &(dyn Error + 'static)) -> Fault {
    let (what, code) = happened(error);
    Fault {
        phase: Phase::Body,
        what,
        code,
    }
}

/// Explains an error before the head of a response.
pub(super) fn explain(
    target: String,
    error: &(dyn Error + 'static),
    connecting: bool,
) -> UpstreamError {
    let mut phase = if connecting {
        Phase::Connect
    } else {
        Phase::Head
    };
    for cause in causes(error) {
        if let Some(failed) = cause.downcast_ref::<Failed>() {
            phase = failed.phase;
        }
        if let Some(late) = cause.downcast_ref::<Late>() {
            return UpstreamError::Late {
                target,
                what: late.what,
                limit: late.limit,
                key: late.key,
                phase,
            };
        }
    }
    let (what, code) = happened(error);
    let fault = Fault { phase, what, code };
    let mut reason = causes(error).last().map_or_else(String::new, told);
    if causes(error).any(is_too_large) {
        TOO_LARGE.clone_into(&mut reason);
    }
    if what == What::Untrusted {
        reason.push_str(
            "; where it is to be trusted, name the PEM file of its CA with `upstream_ca` of the \
             endpoint",
        );
    }
    if phase < Phase::Head {
        UpstreamError::Connect {
            target,
            reason,
            fault,
        }
    } else {
        UpstreamError::Broken {
            target,
            reason,
            fault,
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
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
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
fn happened(error: &(dyn Error + 'static)) -> (What, Option<u32>) {
    let said = causes(error).filter_map(says).last();
    said.unwrap_or((What::Closed, None))
}

fn says(error: &(dyn Error + 'static)) -> Option<(What, Option<u32>)> {
    if let Some(failed) = error.downcast_ref::<Failed>() {
        return failed.what.map(|what| (what, None));
    }
    let idle = matches!(error.downcast_ref(), Some(BodyError::Idle { .. }));
    if idle || error.is::<Late>() {
        return Some((What::Timeout, None));
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return of_http1(error).map(|what| (what, None));
    }
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        return of_http2(error);
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some((of_tls(error), None));
    }
    let error = error.downcast_ref::<io::Error>()?;
    of_socket(error.kind()).map(|what| (what, None))
}

fn of_http1(error: &hyper::Error) -> Option<What> {
    if error.is_parse() {
        Some(What::Malformed)
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        Some(What::Closed)
    } else if error.is_timeout() {
        Some(What::Timeout)
    } else {
        None
    }
}

fn of_http2(error: &h2::Error) -> Option<(What, Option<u32>)> {
    if let Some(error) = error.get_io() {
        return of_socket(error.kind()).map(|what| (what, None));
    }
    let code = error.reason()?;
    let what = match (error.is_remote(), error.is_go_away()) {
        (true, false) => What::Reset,
        (true, true) => What::Closed,
        // It was ended here, since it broke the protocol.
        (false, _) => What::Malformed,
    };
    Some((what, Some(code.into())))
}

fn of_tls(error: &rustls::Error) -> What {
    match error {
        rustls::Error::InvalidCertificate(_) => What::Untrusted,
        rustls::Error::AlertReceived(_) => What::Refused,
        _ => What::Malformed,
    }
}

fn of_socket(kind: io::ErrorKind) -> Option<What> {
    Some(match kind {
        io::ErrorKind::ConnectionRefused => What::Refused,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => What::Reset,
        io::ErrorKind::UnexpectedEof => What::Closed,
        io::ErrorKind::TimedOut => What::Timeout,
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => What::Malformed,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::PermissionDenied => What::Unreachable,
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
            (reset(), What::Reset),
            (io::Error::other(reset()), What::Reset),
            (
                io::Error::new(io::ErrorKind::InvalidData, tls),
                What::Untrusted,
            ),
            (
                io::Error::new(io::ErrorKind::InvalidData, alert),
                What::Refused,
            ),
            (io::ErrorKind::UnexpectedEof.into(), What::Closed),
            (io::Error::other("who knows"), What::Closed),
        ];
        for (error, what) in cases {
            assert_eq!(of_body(&error), Fault::new(Phase::Body, what), "{error:?}");
        }
        let code = h2::Error::from(h2::Reason::CANCEL);
        assert_eq!(of_body(&code).code, Some(8));
    }

    #[test]
    fn a_phase_that_failed_is_named() {
        let failed = Failed {
            phase: Phase::Tls,
            what: None,
            source: Box::new(reset()),
        };
        let error = explain("h:1".to_owned(), &failed, true);
        assert_eq!(error.fault(), Fault::new(Phase::Tls, What::Reset));
        let error = explain("h:1".to_owned(), &reset(), false);
        assert_eq!(error.fault(), Fault::new(Phase::Head, What::Reset));
    }
}
