//! Streams to text: how a body came in pieces, or what the sides of a conversation said.

use super::page::Page;
use super::stream_words::{self, Spoken};
use super::{body, pieces};
use crate::exchange::stream::{Form, Piece, Stream, Turn, Unit};
use crate::exchange::{Content, Exchange};

/// Writes the member `stream`; nothing where the exchange was no stream.
///
/// Times stand on one line at its end: they alone differ from one recording to the next.
pub(super) fn write(page: &mut Page<'_>, exchange: &Exchange, folder: &str) {
    let Some(Stream { form, ending }) = &exchange.stream else {
        return;
    };
    page.open("stream", b'{');
    let times: Vec<_> = match form {
        Form::Pieces(unit, pieces) => {
            write_pieces(page, *unit, pieces, &exchange.response.body);
            pieces.iter().map(|piece| piece.at).collect()
        }
        Form::Turns(protocol, turns) => {
            page.string("protocol", stream_words::protocol(*protocol));
            page.open("turns", b'[');
            turns.iter().for_each(|turn| write_turn(page, turn, folder));
            page.close(b']');
            turns.iter().map(|turn| turn.at).collect()
        }
    };
    if let Some(side) = stream_words::ended(*ending) {
        page.string("ended", side);
    }
    if !times.is_empty() {
        page.numbers("at", times);
    }
    page.close(b'}');
}

fn write_pieces(page: &mut Page<'_>, unit: Unit, pieces: &[Piece], body: &Content) {
    page.string("unit", stream_words::unit(unit));
    if pieces::need_sizes(unit, pieces, body) {
        page.numbers("sizes", pieces.iter().map(|piece| piece.size));
    }
}

fn write_turn(page: &mut Page<'_>, turn: &Turn, folder: &str) {
    let spoken = Spoken::from(&turn.said);
    page.open_item(b'{');
    page.string(turn.side.name(), spoken.kind);
    if spoken.compressed {
        page.raw("compressed", "true");
    }
    if let Some(code) = spoken.code {
        page.number("code", u64::from(code));
    }
    body::write_members(page, &spoken.content, folder);
    page.close(b'}');
}
