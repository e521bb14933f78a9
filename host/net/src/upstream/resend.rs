//! Decides whether a request without a response is sent again.
//!
//! A request that the upstream has not processed can be sent again whatever its method is (RFC
//! 9113, sections 6.8 and 8.7). One that it may have processed can only if the method is idempotent
//! (RFC 9110, section 9.2.2).

use std::error::Error as _;

use h2::Reason;

/// Connections that have ended before they processed the request. An upstream that limits the
/// requests of a connection may end some in succession.
const MAX_UNPROCESSED: u32 = 10;

/// Streams that the upstream has refused, which it also does when it is overloaded.
const MAX_REFUSED: u32 = 5;

/// Streams that an upstream has reset because its connection exceeds a limit of its own.
const MAX_OVERLOADED: u32 = 5;

/// Connections that have ended because of an error: the request itself may be its cause.
const MAX_FAILED: u32 = 1;

/// Why there is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Nothing was sent, or the connection ended before the upstream processed the request.
    Unprocessed,
    /// The upstream refused the stream.
    Refused,
    /// The upstream reset the stream because the connection is too much for it (RFC 9113, section
    /// 7: ENHANCE_YOUR_CALM). It may have processed the request.
    Overloaded,
    /// The upstream ended the connection because of an error, before it processed the request.
    Failed,
    /// The connection was closed. The upstream may have processed the request.
    Closed,
    /// Anything else, for example a malformed response.
    Other,
}

/// The requests that were sent again, by reason.
#[derive(Debug, Default)]
pub(super) struct Resends {
    unprocessed: u32,
    refused: u32,
    overloaded: u32,
    failed: u32,
    closed: bool,
}

impl Resends {
    /// A closed connection is the reason at most once: then the connection was not idle, and its
    /// upstream fails.
    pub(super) fn may_repeat(&self) -> bool {
        !self.closed
    }

    /// Counts a loss. True if the request may be sent again.
    pub(super) fn allow(&mut self, loss: Loss) -> bool {
        let (count, max) = match loss {
            Loss::Unprocessed => (&mut self.unprocessed, MAX_UNPROCESSED),
            Loss::Refused => (&mut self.refused, MAX_REFUSED),
            Loss::Overloaded => (&mut self.overloaded, MAX_OVERLOADED),
            Loss::Failed => (&mut self.failed, MAX_FAILED),
            Loss::Closed => return !std::mem::replace(&mut self.closed, true),
            Loss::Other => return false,
        };
        *count += 1;
        *count <= max
    }
}

/// Why a request on HTTP/2 has no response.
pub(super) fn http2_loss(error: &hyper::Error) -> Loss {
    let cause = error.source();
    let Some(h2) = cause.and_then(|cause| cause.downcast_ref::<h2::Error>()) else {
        // hyper dropped the request while it waited for its stream to be opened.
        if error.is_user() {
            return Loss::Unprocessed;
        }
        let is_io = cause.is_some_and(|cause| cause.is::<std::io::Error>());
        return if is_io || error.is_canceled() || error.is_closed() {
            Loss::Closed
        } else {
            Loss::Other
        };
    };
    // h2 gives the error of a GOAWAY only to streams above its last stream id.
    match h2.reason() {
        Some(Reason::NO_ERROR) if h2.is_remote() && h2.is_go_away() => Loss::Unprocessed,
        Some(_) if h2.is_remote() && h2.is_go_away() => Loss::Failed,
        Some(Reason::REFUSED_STREAM) if h2.is_remote() => Loss::Refused,
        Some(Reason::ENHANCE_YOUR_CALM) if h2.is_remote() => Loss::Overloaded,
        Some(_) | None => Loss::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_limit() {
        for (loss, max) in [
            (Loss::Unprocessed, MAX_UNPROCESSED),
            (Loss::Refused, MAX_REFUSED),
            (Loss::Overloaded, MAX_OVERLOADED),
            (Loss::Failed, MAX_FAILED),
            (Loss::Closed, 1),
            (Loss::Other, 0),
        ] {
            let mut resends = Resends::default();
            for _ in 0..max {
                assert!(resends.allow(loss), "{loss:?}");
            }
            assert!(!resends.allow(loss), "{loss:?}");
        }
    }
}
