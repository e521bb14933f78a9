//! Streams as people read them: a line for each turn or piece, with its time and who sent it.

use bytes::Bytes;

use ouli_cassette::{Parts, Streamed};
use ouli_codec::chunks::cut;
use ouli_codec::grpc::{Schema, decode_message};
use ouli_message::stream::{Ending, Form, Piece, Protocol, Said, Side, Turn, Unit, Words};
use ouli_message::{Content, Exchange, Response};

/// Characters of a message that are shown where not all of it is asked for.
const SHOWN: usize = 120;

/// How streams are shown.
pub(super) struct Show<'a> {
    /// Messages whole, and pieces of bodies too.
    pub(super) all: bool,
    /// How messages of gRPC are read.
    pub(super) schema: &'a Schema,
}

/// What a stream was, in a few words.
pub(super) fn summary(stream: &Streamed) -> String {
    let what = match stream.parts {
        Parts::Pieces(Unit::Event) => "events",
        Parts::Pieces(Unit::Line) => "lines",
        Parts::Pieces(Unit::Chunk) => "chunks",
        Parts::Turns(Protocol::WebSocket) => "turns of a WebSocket",
        Parts::Turns(Protocol::Grpc) => "turns of gRPC",
    };
    let ending = match stream.ending {
        Ending::Complete => "",
        Ending::Client => ", ended by the client",
        Ending::Server => ", broken off by the upstream",
    };
    format!("{} {what}{ending}", stream.count)
}

impl Show<'_> {
    /// The lines of an exchange that was a stream; none of another one.
    pub(super) fn lines(&self, exchange: &Exchange) -> Vec<String> {
        match exchange.stream.as_ref().map(|stream| &stream.form) {
            Some(Form::Turns(_, turns)) => {
                let path = exchange.request.path();
                let lines = turns.iter().map(|turn| self.turn(path, turn));
                lines.chain(status(&exchange.response)).collect()
            }
            Some(Form::Pieces(_, pieces)) if self.all => {
                texts(exchange.response.body.to_bytes(), pieces)
            }
            Some(Form::Pieces(..)) | None => Vec::new(),
        }
    }

    fn turn(&self, path: &str, turn: &Turn) -> String {
        let (kind, text) = match &turn.said {
            Said::Text(words) => ("text", self.words(path, turn.side, words)),
            Said::Binary(words) => ("binary", self.words(path, turn.side, words)),
            Said::Ping(bytes) => ("ping", shown(bytes)),
            Said::Pong(bytes) => ("pong", shown(bytes)),
            Said::Close { code, reason } => {
                let code = code.map_or_else(String::new, |code| code.to_string());
                ("close", format!("{code} {reason}"))
            }
            Said::End => ("end", String::new()),
        };
        line(turn.at, arrow(turn.side), &format!("{kind:<6} {text}"))
    }

    fn words(&self, path: &str, side: Side, words: &Words) -> String {
        let bytes = match &words.content {
            Content::Inline(bytes) => bytes,
            Content::Stored { digest, size } => return format!("({size} bytes in {digest})"),
        };
        let shape = self.schema.shape(path, side);
        let json = shape.as_ref().and_then(|shape| shape.to_json(bytes));
        let text = match (json, shape) {
            (Some(json), Some(shape)) => format!("{} {json}", shape.name()),
            (_, _) => shown(bytes),
        };
        self.short(text)
    }

    fn short(&self, text: String) -> String {
        if self.all || text.chars().count() <= SHOWN {
            return text;
        }
        let start: String = text.chars().take(SHOWN).collect();
        format!("{start}... ({} bytes)", text.len())
    }
}

/// The status of a call, from its trailers, or from its header where it has no others.
fn status(response: &Response) -> Option<String> {
    let of = |name| response.trailers.text(name).or(response.fields.text(name));
    let status = of("grpc-status")?;
    let message = decode_message(of("grpc-message").unwrap_or_default());
    let message = shown(message.as_bytes());
    Some(format!("{:>12}  < status {status} {message}", ""))
}

fn texts(body: Bytes, pieces: &[Piece]) -> Vec<String> {
    let parts = cut(body, pieces).zip(pieces);
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
fn shown(bytes: &[u8]) -> String {
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
    fn a_turn_is_one_line() {
        let schema = Schema::default();
        let show = Show {
            all: false,
            schema: &schema,
        };
        let turn = |side, said| Turn {
            side,
            at: 1_234_567,
            said,
        };
        let words = |bytes: &'static [u8]| Words {
            content: Content::Inline(Bytes::from_static(bytes)),
            compressed: false,
        };
        let close = Said::Close {
            code: Some(4001),
            reason: "bye".to_owned(),
        };
        let cases = [
            (
                turn(Side::Client, Said::Text(words(b"a\n\"b\""))),
                "> text   a\\n\"b\"",
            ),
            (
                turn(Side::Server, Said::Binary(words(b"\xff\x00"))),
                "< binary (2 bytes: ff00)",
            ),
            (turn(Side::Server, close), "< close  4001 bye"),
            (turn(Side::Client, Said::End), "> end"),
        ];
        for (turn, expected) in cases {
            assert_eq!(show.turn("/", &turn), format!("   1234.6 ms  {expected}"));
        }
        let long: &'static [u8] = &[b'x'; 500];
        let line = show.turn("/", &turn(Side::Client, Said::Text(words(long))));
        assert!(
            line.ends_with("... (500 bytes)") && line.len() < 200,
            "{line}"
        );
    }
}
