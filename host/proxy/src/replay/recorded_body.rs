//! The bytes of a recorded response in the form in which they are sent. A thread that serves
//! clients compresses nothing but small bodies.

use bytes::Bytes;
use http::StatusCode;

use super::body_edits::BodyEdits;
use super::counted_bytes::counted;
use super::own_ids::OwnIds;
use super::representation::Representation;
use super::stored_body::read;
use crate::handler::{ExchangeError, RequestContext};
use crate::session::Entry;
use ouli_codec::chunks::chunk_bodies;
use ouli_codec::content_coding::{self, Coding, CodingError};
use ouli_message::stream::Chunk;
use ouli_message::{CodedBody, Response};

/// The bytes of a body.
pub(super) enum RecordedBody {
    /// At once.
    Whole(Bytes),
    /// Chunk by chunk.
    Chunks(Vec<(Chunk, Bytes)>),
}

/// How a body is divided.
pub(super) enum Division {
    /// Not at all.
    Whole,
    /// Into chunks of the decoded body. Without `complete`, the end of the coding is not sent.
    Chunks { chunks: Vec<Chunk>, complete: bool },
}

/// Bodies up to this size in bytes are coded on the thread that serves the client.
const MAX_INLINE_WORK: usize = 16 << 10;

/// Reads the body of a recorded response, and codes and divides it.
pub(super) async fn recorded_body(
    context: &RequestContext<'_>,
    entry: &Entry,
    (codings, form): (Vec<Coding>, Representation),
    division: Division,
) -> Result<RecordedBody, ExchangeError> {
    let response = &entry.response;
    let exact = response.coded.exact().filter(|_| !codings.is_empty());
    match (form, exact) {
        (Representation::AsRecorded, Some(coded)) => {
            let bytes = read(context, coded).await?;
            match division {
                Division::Whole => Ok(RecordedBody::Whole(bytes)),
                Division::Chunks { chunks, .. } => {
                    let size = bytes.len();
                    run(context, size, move || Ok(split(&bytes, chunks, &codings))).await
                }
            }
        }
        (Representation::Recoded, _) => {
            let bytes = read(context, &response.body).await?;
            run(context, bytes.len(), move || {
                encode(&bytes, division, &codings)
            })
            .await
        }
        (Representation::AsRecorded | Representation::Decoded, _) => {
            let bytes = read(context, &response.body).await?;
            Ok(divide(bytes, division))
        }
    }
}

/// The body of a recorded response with the values that its client made up. None if it repeats
/// none of the recorded ones, or its coding could not be removed.
pub(super) async fn renamed_body(
    context: &RequestContext<'_>,
    recorded: &Response,
    own_ids: OwnIds,
) -> Result<Option<(Bytes, BodyEdits)>, ExchangeError> {
    let is_coded = recorded.fields.get_str("content-encoding").is_some();
    if recorded.body.size() == 0 || (is_coded && recorded.coded == CodedBody::Undecoded) {
        return Ok(None);
    }
    let bytes = read(context, &recorded.body).await?;
    let content_type = recorded.fields.get_str("content-type").map(str::to_owned);
    let is_part = recorded.status == StatusCode::PARTIAL_CONTENT;
    let rename = move || {
        let edits = own_ids.edits(content_type.as_deref(), &bytes);
        let edits = if is_part {
            edits.of_equal_length()
        } else {
            edits
        };
        let new = (!edits.is_empty()).then(|| Bytes::from(edits.apply(&bytes)));
        new.map(|new| (new, edits))
    };
    // The new body is counted until it is sent.
    let size = usize::try_from(recorded.body.size()).unwrap_or(usize::MAX);
    let (renamed, memory) = context.work_on_body(size, rename).await?;
    Ok(renamed.map(|(new, edits)| match memory {
        Some(memory) => (counted(new, memory), edits),
        None => (new, edits),
    }))
}

/// Codes and divides a body that was edited.
pub(super) async fn edited_body(
    context: &RequestContext<'_>,
    (bytes, edits): (Bytes, BodyEdits),
    (codings, form): (Vec<Coding>, Representation),
    mut division: Division,
) -> Result<RecordedBody, ExchangeError> {
    if let Division::Chunks { chunks, .. } = &mut division {
        edits.move_chunks(chunks);
    }
    drop(edits);
    if form != Representation::Recoded || codings.is_empty() {
        return Ok(divide(bytes, division));
    }
    run(context, bytes.len(), move || {
        encode(&bytes, division, &codings)
    })
    .await
}

/// Runs work on a body of this size, on another thread if it is large.
async fn run<T: Send + 'static>(
    context: &RequestContext<'_>,
    size: usize,
    work: impl FnOnce() -> Result<T, CodingError> + Send + 'static,
) -> Result<T, ExchangeError> {
    let result = if size <= MAX_INLINE_WORK {
        work()
    } else {
        context.handler.shared.body_reads.run(work).await?
    };
    result.map_err(|error| ExchangeError::Internal(error.to_string()))
}

/// The chunks of a body without codings.
fn divide(bytes: Bytes, division: Division) -> RecordedBody {
    match division {
        Division::Whole => RecordedBody::Whole(bytes),
        Division::Chunks { chunks, .. } => {
            let bodies: Vec<_> = chunk_bodies(bytes, &chunks).collect();
            RecordedBody::Chunks(without_empty(chunks.into_iter().zip(bodies)))
        }
    }
}

/// The recorded coded bytes, divided so that the client can decode each chunk when it arrives.
fn split(bytes: &Bytes, chunks: Vec<Chunk>, codings: &[Coding]) -> RecordedBody {
    let sizes: Vec<_> = chunks.iter().map(|chunk| chunk.size).collect();
    let parts = content_coding::split_coded(bytes, &sizes, codings);
    RecordedBody::Chunks(without_empty(chunks.into_iter().zip(parts)))
}

/// Codes a body. Each chunk is flushed, so that the client can decode it when it arrives.
fn encode(
    bytes: &Bytes,
    division: Division,
    codings: &[Coding],
) -> Result<RecordedBody, CodingError> {
    let (chunks, complete) = match division {
        Division::Whole => {
            return content_coding::encode(bytes, codings).map(RecordedBody::Whole);
        }
        Division::Chunks { chunks, complete } => (chunks, complete),
    };
    let mut encoder = content_coding::Encoder::new(codings)?;
    let mut encoded = Vec::with_capacity(chunks.len() + 1);
    for (chunk, bytes) in chunks.iter().zip(chunk_bodies(bytes.clone(), &chunks)) {
        encoded.push((*chunk, encoder.encode_chunk(&bytes)?));
    }
    if complete && let Some(last) = chunks.last() {
        encoded.push((*last, encoder.finish()));
    }
    Ok(RecordedBody::Chunks(without_empty(encoded)))
}

fn without_empty(chunks: impl IntoIterator<Item = (Chunk, Bytes)>) -> Vec<(Chunk, Bytes)> {
    let chunks = chunks.into_iter();
    chunks.filter(|(_, bytes)| !bytes.is_empty()).collect()
}
