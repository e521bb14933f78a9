//! Streams as text: one line for each message or chunk, with its time and its sender.

use bytes::Bytes;

use ouli_cassette::{StreamParts, StreamSummary};
use ouli_codec::chunks::chunk_bodies;
use ouli_codec::grpc::{Schema, decode_message};
use ouli_message::printable::printable;
use ouli_message::stream::{
    Chunk, ChunkKind, Ending, Message, MessageKind, Payload, Protocol, Side, StreamContent,
};
use ouli_message::{Content, Exchange, Response};

/// Characters of a message that are printed without `--body`.
const MAX_TEXT_CHARS: usize = 120;

/// Formats streams.
pub(super) struct StreamPrinter<'a> {
    /// Print messages in full, and the chunks of bodies.
    pub(super) full: bool,
    /// The types of gRPC messages.
    pub(super) schema: &'a Schema,
}

/// A summary of a stream.
pub(super) fn summary(stream: &StreamSummary) -> String {
    let parts = match stream.parts {
        StreamParts::Chunks(ChunkKind::Event) => "events",
        StreamParts::Chunks(ChunkKind::Line) => "lines",
        StreamParts::Chunks(ChunkKind::Raw) => "chunks",
        StreamParts::Messages(Protocol::WebSocket) => "WebSocket messages",
        StreamParts::Messages(Protocol::Grpc) => "gRPC messages",
    };
    let ending = match stream.ending {
        Ending::Complete => "",
        Ending::ClientAborted => ", aborted by the client",
        Ending::ServerAborted => ", aborted by the upstream",
    };
    format!("{} {parts}{ending}", stream.count)
}

impl StreamPrinter<'_> {
    /// The lines of a stream; empty for an exchange without one.
    pub(super) fn lines(&self, exchange: &Exchange) -> Vec<String> {
        match exchange.stream.as_ref().map(|stream| &stream.content) {
            Some(StreamContent::Messages(_, messages)) => {
                let path = exchange.request.path();
                let lines = messages
                    .iter()
                    .map(|message| self.message_line(path, message));
                lines.chain(status(&exchange.response)).collect()
            }
            Some(StreamContent::Chunks(_, chunks)) if self.full => {
                chunk_lines(exchange.response.body.to_bytes(), chunks)
            }
            Some(StreamContent::Chunks(..)) | None => Vec::new(),
        }
    }

    fn message_line(&self, path: &str, message: &Message) -> String {
        let (kind, text) = match &message.kind {
            MessageKind::Text(payload) => ("text", self.payload_text(path, message.side, payload)),
            MessageKind::Binary(payload) => {
                ("binary", self.payload_text(path, message.side, payload))
            }
            MessageKind::Ping(bytes) => ("ping", escape_text(bytes)),
            MessageKind::Pong(bytes) => ("pong", escape_text(bytes)),
            MessageKind::Close { code, reason } => {
                let code = code.map_or_else(String::new, |code| code.to_string());
                ("close", format!("{code} {reason}"))
            }
            MessageKind::End => ("end", String::new()),
            MessageKind::Invalid { code, reason } => ("invalid", format!("{code} {reason}")),
        };
        line(
            message.at,
            arrow(message.side),
            &format!("{kind:<6} {text}"),
        )
    }

    fn payload_text(&self, path: &str, side: Side, payload: &Payload) -> String {
        let bytes = match &payload.content {
            Content::Inline(bytes) => bytes,
            Content::Stored { digest, size } => return format!("({size} bytes in {digest})"),
        };
        let message_type = self.schema.message_type(path, side);
        let json = message_type.as_ref().and_then(|it| it.to_json(bytes));
        let text = match (json, message_type) {
            (Some(json), Some(message_type)) => format!("{} {json}", message_type.name()),
            (_, _) => escape_text(bytes),
        };
        self.truncate(text)
    }

    fn truncate(&self, text: String) -> String {
        if self.full || text.chars().count() <= MAX_TEXT_CHARS {
            return text;
        }
        let start: String = text.chars().take(MAX_TEXT_CHARS).collect();
        format!("{start}... ({} bytes)", text.len())
    }
}

/// The status of a gRPC call, from its trailers, or from its headers if it has no trailers.
fn status(response: &Response) -> Option<String> {
    let field = |name| {
        response
            .trailers
            .get_str(name)
            .or(response.fields.get_str(name))
    };
    let status = field("grpc-status")?;
    let message = decode_message(field("grpc-message").unwrap_or_default());
    let message = escape_text(message.as_bytes());
    Some(format!("{:>12}  < status {status} {message}", ""))
}

fn chunk_lines(body: Bytes, chunks: &[Chunk]) -> Vec<String> {
    let bodies = chunk_bodies(body, chunks).zip(chunks);
    let lines = bodies.flat_map(|(bytes, chunk)| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines: Vec<_> = text.lines().map(|one| line(chunk.at, "<", one)).collect();
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
    reason = "microseconds are printed as milliseconds"
)]
fn line(at: u64, arrow: &str, text: &str) -> String {
    format!(
        "{:>9.1} ms  {arrow} {}",
        at as f64 / 1000.0,
        text.trim_end()
    )
}

/// Text with control characters escaped; for other bytes their number and the first of them.
fn escape_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => printable(text).into_owned(),
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
    use ouli_message::{CodedBody, Fields};

    #[test]
    fn a_status_line_has_the_decoded_message() {
        let status_of = |fields: Fields, trailers: Fields| {
            status(&Response {
                status: http::StatusCode::OK,
                fields,
                body: Content::EMPTY,
                coded: CodedBody::Derived,
                trailers,
                reason: None,
                omitted: Vec::new(),
            })
        };
        let status_fields = grpc::trailers(grpc::Code::NotFound, "caf\u{e9} 100%\n");
        let expected = "              < status 5 caf\u{e9} 100%\\n";
        for (fields, trailers) in [
            (Fields::default(), status_fields.clone()),
            (status_fields, Fields::default()),
        ] {
            assert_eq!(status_of(fields, trailers).as_deref(), Some(expected));
        }
        assert_eq!(status_of(Fields::default(), Fields::default()), None);
    }

    #[test]
    fn a_message_is_printed_on_one_line() {
        let schema = Schema::default();
        let printer = StreamPrinter {
            full: false,
            schema: &schema,
        };
        let message = |side, kind| Message {
            side,
            at: 1_234_567,
            kind,
        };
        let payload = |bytes: &'static [u8]| Payload {
            content: Content::Inline(Bytes::from_static(bytes)),
            compressed: false,
        };
        let close = MessageKind::Close {
            code: Some(4001),
            reason: "bye".to_owned(),
        };
        let cases = [
            (
                message(Side::Client, MessageKind::Text(payload(b"a\n\"b\""))),
                "> text   a\\n\"b\"",
            ),
            (
                message(Side::Server, MessageKind::Binary(payload(b"\xff\x00"))),
                "< binary (2 bytes: ff00)",
            ),
            (message(Side::Server, close), "< close  4001 bye"),
            (message(Side::Client, MessageKind::End), "> end"),
        ];
        for (message, expected) in cases {
            assert_eq!(
                printer.message_line("/", &message),
                format!("   1234.6 ms  {expected}")
            );
        }
        let long: &'static [u8] = &[b'x'; 500];
        let line = printer.message_line(
            "/",
            &message(Side::Client, MessageKind::Text(payload(long))),
        );
        assert!(
            line.ends_with("... (500 bytes)") && line.len() < 200,
            "{line}"
        );
    }
}
