//! Reads recorded bodies.

use std::sync::Arc;

use bytes::Bytes;

use super::counted_bytes::counted;
use crate::handler::{ExchangeError, RequestContext};
use ouli_message::Content;

/// Reads a body. A large one from a file counts in `limits.memory` until it is sent.
pub(super) async fn read(
    context: &RequestContext<'_>,
    content: &Content,
) -> Result<Bytes, ExchangeError> {
    let (digest, size) = match content {
        Content::Inline(bytes) => return Ok(bytes.clone()),
        Content::Stored { digest, size } => (digest.to_owned(), *size),
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let is_large = size >= context.snapshot.config.limits.offload_size;
    let memory = match is_large {
        true => Some(context.reserve(size, 0).await?),
        false => None,
    };
    let folder = Arc::clone(context.handler.shared.sessions.folder());
    let session = Arc::clone(context.session.name());
    let reads = &context.handler.shared.body_reads;
    let file = format!("{session}.bodies/{digest}");
    let read = reads.run(move || folder.read_body(&session, &digest));
    let bytes = read
        .await?
        .map_err(|error| ExchangeError::StoredBody(format!("{file}: {error}")))?;
    Ok(match memory {
        Some(memory) => counted(bytes, memory),
        None => bytes,
    })
}
