//! Writes the member `stream` of an exchange.

use super::json_writer::JsonWriter;
use super::stream_names::{self, MessageRecord};
use super::{body_writer, chunk_sizes};
use ouli_message::stream::{Chunk, ChunkKind, Message, StreamContent};
use ouli_message::{Content, Exchange};

/// Writes the member `stream`, if the exchange was a stream.
///
/// The times come last, on one line: only they differ between two recordings of the same traffic.
pub(super) fn write(writer: &mut JsonWriter<'_>, exchange: &Exchange, folder: &str) {
    let Some(stream) = &exchange.stream else {
        return;
    };
    writer.open("stream", b'{');
    let times: Vec<_> = match &stream.content {
        StreamContent::Chunks(unit, chunks) => {
            write_chunks(writer, *unit, chunks, &exchange.response.body);
            chunks.iter().map(|chunk| chunk.at).collect()
        }
        StreamContent::Messages(protocol, messages) => {
            writer.string("protocol", stream_names::protocol_name(*protocol));
            writer.open("turns", b'[');
            for message in messages {
                write_message(writer, message, folder);
            }
            writer.close(b']');
            messages.iter().map(|message| message.at).collect()
        }
    };
    if let Some(side) = stream_names::ending_name(stream.ending) {
        writer.string("ended", side);
    }
    if !times.is_empty() {
        writer.numbers("at", times);
    }
    writer.close(b'}');
}

fn write_chunks(writer: &mut JsonWriter<'_>, unit: ChunkKind, chunks: &[Chunk], body: &Content) {
    writer.string("unit", stream_names::unit_name(unit));
    if chunk_sizes::need_sizes(unit, chunks, body) {
        writer.numbers("sizes", chunks.iter().map(|chunk| chunk.size));
    }
}

fn write_message(writer: &mut JsonWriter<'_>, message: &Message, folder: &str) {
    let record = MessageRecord::from(&message.kind);
    writer.open_item(b'{');
    writer.string(message.side.name(), record.kind);
    if record.compressed {
        writer.raw("compressed", "true");
    }
    if let Some(code) = record.code {
        writer.number("code", u64::from(code));
    }
    body_writer::write_members(writer, &record.content, folder);
    writer.close(b'}');
}
