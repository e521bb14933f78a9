//! The memory of a recorded exchange that can be replayed.

use http::{HeaderName, HeaderValue};

use super::entry::Entry;
use ouli_message::stream::{Chunk, Message, StreamContent};
use ouli_message::{Content, Exchange, Fields, Request};

/// An entry with its place in the session, and its keys and places in the index.
const ENTRY_BYTES: usize = size_of::<Entry>() + size_of::<Request>() + 960;

/// A field: name and value, and what the allocator adds to each.
const FIELD_BYTES: usize = size_of::<(HeaderName, HeaderValue)>() + 64;

/// A message, its key, and what the allocator adds to its content.
const MESSAGE_BYTES: usize = size_of::<Message>() + 64;

/// The bytes that an exchange takes in memory while it can be replayed, with its keys; a little
/// more than it takes.
pub(super) fn exchange_bytes(exchange: &Exchange) -> usize {
    let (request, response) = (&exchange.request, &exchange.response);
    let texts = [&exchange.endpoint, &request.authority, &request.target];
    let texts = texts.into_iter().map(String::len).sum::<usize>();
    let fields = [
        &request.fields,
        &request.trailers,
        &response.fields,
        &response.trailers,
    ];
    let fields = fields.into_iter().map(fields_bytes).sum::<usize>();
    let omitted = response.omitted.len() * size_of::<HeaderName>();
    let stream = exchange.stream.as_ref().map(|it| &it.content);
    let stream = stream.map_or(0, |content| match content {
        StreamContent::Chunks(_, chunks) => chunks.len() * size_of::<Chunk>(),
        StreamContent::Messages(_, messages) => messages.iter().map(message_bytes).sum(),
    });
    let bodies = [&request.body, &response.body].into_iter();
    let bodies = bodies.chain(response.coded.exact()).map(content_bytes);
    ENTRY_BYTES + texts + fields + omitted + stream + bodies.sum::<usize>()
}

fn fields_bytes(fields: &Fields) -> usize {
    let each = fields.iter();
    each.map(|(name, value)| FIELD_BYTES + name.as_str().len() + value.len())
        .sum()
}

fn message_bytes(message: &Message) -> usize {
    let content = match message.kind.payload() {
        Some(payload) => content_bytes(&payload.content),
        None => message.kind.inline_bytes().len(),
    };
    MESSAGE_BYTES + content
}

fn content_bytes(content: &Content) -> usize {
    content.digest().map_or(content.inline().len(), str::len)
}
