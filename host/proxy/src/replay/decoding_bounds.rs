//! The limits of decoding a request.

use crate::handler::RequestContext;
use ouli_codec::content_coding;

/// The limits of decoding a request.
pub(super) fn decoding_bounds(context: &RequestContext<'_>) -> content_coding::Bounds {
    let limits = &context.snapshot.config.limits;
    content_coding::Bounds {
        bytes: limits.decompressed_body as u64,
        ratio: limits.decompression_ratio as u64,
    }
}
