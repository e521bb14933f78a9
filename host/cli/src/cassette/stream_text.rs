//! Streams as people read them: a line for each turn or piece, with its time and who sent it.

use bytes::Bytes;

use ouli_cassette::{StreamParts, StreamSummary};
use ouli_codec::chunks::chunk_bodies;
use ouli_codec::grpc::{Schema, decode_message};
use ouli_message::stream::{
    Chunk, ChunkKind, Ending, Message, MessageKind, Payload, Protocol, Side, StreamContent,
};
use ouli_message::{Content, Exchange, Response};

/// Characters of a message that are shown where not all of it is asked for.
const MAX_TEXT_CHARS: usize = 120;

/// How streams are shown.
pub(super) struct StreamPrinter<'a> {
    /// Messages whole, and pieces of bodies too.
    pub(super) full: bool,
    /// How messages of gRPC are read.
    pub(super) schema: &'a Schema,
}

/// What a stream was, in a few words.
pub(super) fn summary(stream: &StreamSummary) -> String {
    let what = match stream.parts {
        StreamParts::Chunks(ChunkKind::Event) => "events",
        StreamParts::Chunks(ChunkKind::Line) => "lines",
        StreamParts::Chunks(ChunkKind::Raw) => "chunks",
        StreamParts::Messages(Protocol::WebSocket) => "turns of a WebSocket",
        StreamParts::Messages(Protocol::Grpc) => "turns of gRPC",
    };
    let ending = match stream.ending {
        Ending::Complete => "",
        Ending::ClientAborted => ", ended by the client",
        Ending::ServerAborted => ", broken off by the upstream",
    };
    format!("{} {what}{ending}", stream.count)
}

impl StreamPrinter<'_> {
    /// The lines of an exchange that was a stream; none of another one.
    pub(super) fn lines(&self, exchange: &Exchange) -> Vec<String> {
        match exchange.stream.as_ref().map(|stream| &stream.content) {
            Some(StreamContent::Messages(_, turns)) => {
                let path = exchange.request.path();
                let lines = turns.iter().map(|turn| self.message_line(path, turn));
                lines.chain(status(&exchange.response)).collect()
            }
            Some(StreamContent::Chunks(_, pieces)) if self.full => {
                texts(exchange.response.body.to_bytes(), pieces)
            }
            Some(StreamContent::Chunks(..)) | None => Vec::new(),
        }
    }

    fn message_line(&self, path: &str, turn: &Message) -> String {
        let (kind, text) = match &turn.kind {
            MessageKind::Text(words) => ("text", self.payload_text(path, turn.side, words)),
            MessageKind::Binary(words) => ("binary", self.payload_text(path, turn.side, words)),
            MessageKind::Ping(bytes) => ("ping", escape_text(bytes)),
            MessageKind::Pong(bytes) => ("pong", escape_text(bytes)),
            MessageKind::Close { code, reason } => {
                let code = code.map_or_else(String::new, |code| code.to_string());
                ("close", format!("{code} {reason}"))
            }
            MessageKind::End => ("end", String::new()),
        };
        line(turn.at, arrow(turn.side), &format!("{kind:<6} {text}"))
    }

    fn payload_text(&self, path: &str, side: Side, words: &Payload) -> String {
        let bytes = match &words.content {
            Content::Inline(bytes) => bytes,
            Content::Stored { digest, size } => return format!("({size} bytes in {digest})"),
        };
        let shape = self.schema.message_type(path, side);
        let json = shape.as_ref().and_then(|shape| shape.to_json(bytes));
        let text = match (json, shape) {
            (Some(json), Some(shape)) => format!("{} {json}", shape.name()),
            (_, _) => escape_text(bytes),
        };
        self.short(text)
    }

    fn short(&self, text: String) -> String {
        if self.full || text.chars().count() <= MAX_TEXT_CHARS {
            return text;
        }
        let start: String = text.chars().take(MAX_TEXT_CHARS).collect();
        format!("{start}... ({} bytes)", text.len())
    }
}

/// The status of a call, from its trailers, or from its header where it has no others.
fn status(response: &Response) -> Option<String> {
    let of = |name| {
        response
            .trailers
            .get_str(name)
            .or(response.fields.get_str(name))
    };
    let status = of("grpc-status")?;
    let message = decode_message(of("grpc-message").unwrap_or_default());
    let message = escape_text(message.as_bytes());
    Some(format!("{:>12}  < status {status} {message}", ""))
}

fn texts(body: Bytes, pieces: &[Chunk]) -> Vec<String> {
    let parts = chunk_bodies(body, pieces).zip(pieces);
    let lines = parts.flat_map(|(part, piece)| {
        let text = String::from_utf8_lossy(&part).into_owned();
        let lines: Vec<_> = text.lines().map(|one| line(piece.at, "<", one)).collect();
        lines
    });
    lines.collect()
}

fn arrow(side: Side) -> &'static str {
    match side {
        Side::Client => ">",
        Side::Server => "<",
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds are shown as milliseconds"
)]
fn line(at: u64, arrow: &str, text: &str) -> String {
    format!(
        "{:>9.1} ms  {arrow} {}",
        at as f64 / 1000.0,
        text.trim_end()
    )
}

/// Text as it is but for control characters; of other bytes how many there are.
fn escape_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text
            .escape_debug()
            .to_string()
            .replace("\\\"", "\"")
            .replace("\\'", "'"),
        Err(_) => format!("({} bytes: {})", bytes.len(), hex(bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    let start = bytes.iter().take(16).map(|byte| format!("{byte:02x}"));
    let more = if bytes.len() > 16 { "..." } else { "" };
    start.collect::<String>() + more
}

#[cfg(test)]
mod tests {
    use super::*;
    use ouli_codec::grpc;
    use ouli_message::Fields;

    #[test]
    fn a_status_has_its_message_in_words() {
        let status_of = |fields: Fields, trailers: Fields| {
            status(&Response {
                status: http::StatusCode::OK,
                fields,
                body: Content::EMPTY,
                trailers,
            })
        };
        let told = grpc::trailers(grpc::Code::NotFound, "caf\u{e9} 100%\n");
        let expected = "              < status 5 caf\u{e9} 100%\\n";
        for (fields, trailers) in [(Fields::default(), told.clone()), (told, Fields::default())] {
            assert_eq!(status_of(fields, trailers).as_deref(), Some(expected));
        }
        assert_eq!(status_of(Fields::default(), Fields::default()), None);
    }

    #[test]
    fn a_message_is_one_line() {
        let schema = Schema::default();
        let show = StreamPrinter {
            full: false,
            schema: &schema,
        };
        let turn = |side, said| Message {
            side,
            at: 1_234_567,
            kind: said,
        };
        let words = |bytes: &'static [u8]| Payload {
            content: Content::Inline(Bytes::from_static(bytes)),
            compressed: false,
        };
        let close = MessageKind::Close {
            code: Some(4001),
            reason: "bye".to_owned(),
        };
        let cases = [
            (
                turn(Side::Client, MessageKind::Text(words(b"a\n\"b\""))),
                "> text   a\\n\"b\"",
            ),
            (
                turn(Side::Server, MessageKind::Binary(words(b"\xff\x00"))),
                "< binary (2 bytes: ff00)",
            ),
            (turn(Side::Server, close), "< close  4001 bye"),
            (turn(Side::Client, MessageKind::End), "> end"),
        ];
        for (turn, expected) in cases {
            assert_eq!(
                show.message_line("/", &turn),
                format!("   1234.6 ms  {expected}")
            );
        }
        let long: &'static [u8] = &[b'x'; 500];
        let line = show.message_line("/", &turn(Side::Client, MessageKind::Text(words(long))));
        assert!(
            line.ends_with("... (500 bytes)") && line.len() < 200,
            "{line}"
        );
    }
}
