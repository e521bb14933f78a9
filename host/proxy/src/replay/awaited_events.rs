//! Events of a stream that answer calls of other requests: an event waits for its call, and has the
//! id that the client gave it.
//!
//! In the HTTP transport of MCP before 2025-03-26 the first event names the target to which the
//! client sends its calls, and the stream has the answers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use tokio::time::timeout;

use super::body_edits::BodyEdits;
use super::edit_list::{EditList, Finder};
use super::event_data::EventData;
use crate::handler::RequestContext;
use crate::session::Entry;
use ouli_codec::json::Document;
use ouli_matching::key::Role;
use ouli_message::stream::{Chunk, ChunkKind, StreamContent};

/// The bytes of an event, once its call was sent.
pub(super) type AwaitedEvent = Pin<Box<dyn Future<Output = Bytes> + Send + Sync>>;

/// The first event is among so many chunks: comments may be before it.
const MAX_BEFORE: usize = 8;

/// What each of these chunks waits for. Empty if no chunk waits.
pub(super) fn awaited_events(
    context: &RequestContext<'_>,
    entry: &Entry,
    chunks: &[(Chunk, Bytes)],
) -> Vec<Option<AwaitedEvent>> {
    let content = entry.stream.as_ref().map(|stream| &stream.content);
    let is_events = matches!(content, Some(StreamContent::Chunks(ChunkKind::Event, _)));
    if !is_events || entry.request.method != Method::GET {
        return Vec::new();
    }
    let first = chunks.iter().take(MAX_BEFORE);
    let target = first
        .map(|(_, event)| event)
        .find_map(|it| endpoint(entry, it));
    let index = context.snapshot.index(context.session.name());
    // Without recorded calls nobody sends them.
    let target = target.filter(|target| index.is_some_and(|index| index.has_target(target)));
    let Some(target) = target else {
        return Vec::new();
    };
    let target: Arc<str> = target.into();
    let awaited = chunks
        .iter()
        .map(|(_, event)| awaited(context, event, &target));
    awaited.collect()
}

fn awaited(context: &RequestContext<'_>, event: &Bytes, target: &Arc<str>) -> Option<AwaitedEvent> {
    let rules = context.snapshot.plugins.minted_rules()?;
    let data = EventData::of(event);
    let json = Document::parse(data.text.clone())?;
    let mut ids: Vec<_> = Vec::new();
    rules.for_each_answered(&json, |range, value| {
        if value.role == Role::Call {
            ids.push((data.place(range), value.compared));
        }
    });
    if ids.is_empty() {
        return None;
    }
    let calls = Arc::clone(context.session.answered_calls());
    let limit = context.snapshot.config.limits.stream_idle_timeout;
    let (event, target) = (event.clone(), Arc::clone(target));
    Some(Box::pin(async move {
        let mut edits = EditList::default();
        for (place, id) in ids {
            // A client that never sends the call gets the recorded answer.
            if let Ok(own) = timeout(limit, calls.take(&target, &id)).await {
                edits.push(place, own.as_bytes(), Finder::Place);
            }
        }
        BodyEdits::new(edits).apply(&event).into()
    }))
}

/// The target that an event names for the calls of its client: path and query.
fn endpoint(entry: &Entry, event: &Bytes) -> Option<String> {
    let mut lines = event.split(|byte| matches!(byte, b'\n' | b'\r'));
    let is_endpoint = lines.any(|line| {
        let kind = line.strip_prefix(b"event:").unwrap_or_default();
        kind.trim_ascii() == b"endpoint"
    });
    let data = EventData::of(event).text;
    let uri = std::str::from_utf8(&data).ok()?.trim();
    if !is_endpoint || uri.is_empty() {
        return None;
    }
    Some(match uri.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]).to_owned(),
        None if uri.starts_with('/') => uri.to_owned(),
        None => {
            let path = entry.request.path();
            let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
            format!("{folder}{uri}")
        }
    })
}
