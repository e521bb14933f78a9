//! Streams to text: how a body came in pieces, or what the sides of a conversation said.

use super::json_writer::JsonWriter;
use super::stream_names::{self, MessageRecord};
use super::{body_writer, chunk_sizes};
use ouli_message::stream::{Chunk, ChunkKind, Message, Stream, StreamContent};
use ouli_message::{Content, Exchange};

/// Writes the member `stream`; nothing where the exchange was no stream.
///
/// Times stand on one line at its end: they alone differ from one recording to the next.
pub(super) fn write(page: &mut JsonWriter<'_>, exchange: &Exchange, folder: &str) {
    let Some(Stream {
        content: form,
        ending,
    }) = &exchange.stream
    else {
        return;
    };
    page.open("stream", b'{');
    let times: Vec<_> = match form {
        StreamContent::Chunks(unit, pieces) => {
            write_chunks(page, *unit, pieces, &exchange.response.body);
            pieces.iter().map(|piece| piece.at).collect()
        }
        StreamContent::Messages(protocol, turns) => {
            page.string("protocol", stream_names::protocol_name(*protocol));
            page.open("turns", b'[');
            turns
                .iter()
                .for_each(|turn| write_message(page, turn, folder));
            page.close(b']');
            turns.iter().map(|turn| turn.at).collect()
        }
    };
    if let Some(side) = stream_names::ending_name(*ending) {
        page.string("ended", side);
    }
    if !times.is_empty() {
        page.numbers("at", times);
    }
    page.close(b'}');
}

fn write_chunks(page: &mut JsonWriter<'_>, unit: ChunkKind, pieces: &[Chunk], body: &Content) {
    page.string("unit", stream_names::unit_name(unit));
    if chunk_sizes::need_sizes(unit, pieces, body) {
        page.numbers("sizes", pieces.iter().map(|piece| piece.size));
    }
}

fn write_message(page: &mut JsonWriter<'_>, turn: &Message, folder: &str) {
    let spoken = MessageRecord::from(&turn.kind);
    page.open_item(b'{');
    page.string(turn.side.name(), spoken.kind);
    if spoken.compressed {
        page.raw("compressed", "true");
    }
    if let Some(code) = spoken.code {
        page.number("code", u64::from(code));
    }
    body_writer::write_members(page, &spoken.content, folder);
    page.close(b'}');
}
