//! Transcripts of the bytes of both directions.

use super::*;
use crate::websocket::{Encoder, HalfMessage, Transcript, read_transcript};
use ouli_message::Content;
use ouli_message::stream::{Arrival, Ending, Message, MessageKind, Payload};

/// Bytes of both sides with their arrivals, 10 microseconds apart.
#[derive(Default)]
pub(super) struct Tunnel {
    client: Vec<u8>,
    server: Vec<u8>,
    arrivals: Vec<Arrival>,
}

impl Tunnel {
    fn pass(mut self, side: Side, bytes: &[u8]) -> Self {
        let own = match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        };
        own.extend_from_slice(bytes);
        self.arrivals.push(Arrival {
            side,
            end: own.len() as u64,
            at: 10 * self.arrivals.len() as u64,
        });
        self
    }

    pub(super) fn client(self, bytes: &[u8]) -> Self {
        self.pass(Side::Client, bytes)
    }

    pub(super) fn server(self, bytes: &[u8]) -> Self {
        self.pass(Side::Server, bytes)
    }

    pub(super) fn read(&self, deflate: Option<DeflateParams>) -> Transcript {
        self.read_within(deflate, 1 << 20)
    }

    fn read_within(&self, deflate: Option<DeflateParams>, most: u64) -> Transcript {
        read_transcript(
            &self.client,
            &self.server,
            &self.arrivals,
            deflate,
            BOUNDS,
            most,
        )
    }
}

fn text(content: &str) -> MessageKind {
    MessageKind::Text(Payload {
        content: Content::Inline(content.as_bytes().to_vec().into()),
        compressed: false,
    })
}

fn message(side: Side, at: u64, kind: MessageKind) -> Message {
    Message { side, at, kind }
}

fn invalid(code: u16, reason: &str) -> MessageKind {
    let reason = reason.to_owned();
    MessageKind::Invalid { code, reason }
}

fn close(code: u16) -> MessageKind {
    MessageKind::Close {
        code: Some(code),
        reason: String::new(),
    }
}

const BYE: &[u8] = b"\x88\x02\x03\xe8";
const MASKED_BYE: &[u8] = b"\x88\x82\0\0\0\0\x03\xe8";

#[test]
fn orders_messages_by_their_last_bytes() {
    let tunnel = Tunnel::default()
        .client(b"\x81\x81\0\0")
        .server(b"\x81\x01a\x81\x01b\x01")
        .client(b"\0\0A\x81")
        .server(b"\x01c\x89\x00\x80\x01d")
        .client(b"\x81\0\0\0\0B\x8a\x80\0\0\0\0")
        .server(BYE)
        .client(MASKED_BYE);
    let expected = [
        message(Side::Server, 10, text("a")),
        message(Side::Server, 10, text("b")),
        message(Side::Client, 20, text("A")),
        message(Side::Server, 30, MessageKind::Ping(Bytes::new())),
        message(Side::Server, 30, text("cd")),
        message(Side::Client, 40, text("B")),
        message(Side::Client, 40, MessageKind::Pong(Bytes::new())),
        message(Side::Server, 50, close(1000)),
        message(Side::Client, 60, close(1000)),
    ];
    let transcript = tunnel.read(None);
    assert_eq!(transcript.messages, expected);
    assert_eq!(transcript.ending, Some(Ending::Complete));
    assert_eq!(transcript.violations, []);
}

#[test]
fn a_violation_ends_one_side_only() {
    let transcript = Tunnel::default()
        .client(b"\x81\x81\0\0\0\0A\x81\x01B\x81\x81\0\0\0\0C")
        .server(b"\x81\x01a")
        .client(MASKED_BYE)
        .server(b"\x88\x02\x03\xea")
        .read(None);
    let expected = [
        message(Side::Client, 0, text("A")),
        message(
            Side::Client,
            0,
            invalid(1002, "a frame of a client has no mask"),
        ),
        message(Side::Server, 10, text("a")),
        message(Side::Server, 30, close(1002)),
    ];
    assert_eq!(transcript.messages, expected);
    assert_eq!(transcript.ending, Some(Ending::Complete));
    let [fault] = transcript.violations[..] else {
        panic!("{:?}", transcript.violations);
    };
    assert_eq!(
        (fault.side, fault.at, fault.violation.code),
        (Side::Client, 0, 1002)
    );
    assert!(!transcript.has_unread_turns, "only a close follows");
}

#[test]
fn an_answer_to_unread_bytes_is_noticed() {
    let violated = || Tunnel::default().client(b"\x81\x01A");
    let answered = violated().server(b"\x81\x01a");
    assert!(!answered.read(None).has_unread_turns, "sent before it");
    let pinged = violated().client(b"\x81\x01B").server(b"\x89\x00");
    assert!(!pinged.read(None).has_unread_turns, "no message");
    let went_on = violated().client(b"\x81\x01B").server(b"\x81\x01b");
    assert!(went_on.read(None).has_unread_turns);
}

#[test]
fn the_content_of_a_server_is_not_checked() {
    let latin = MessageKind::Text(Payload {
        content: Content::Inline(Bytes::from_static(b"caf\xe9")),
        compressed: false,
    });
    let transcript = Tunnel::default()
        .server(b"\x81\x04caf\xe9\x88\x02\x0b\xb7")
        .read(None);
    let expected = [
        message(Side::Server, 0, latin),
        message(Side::Server, 0, close(2999)),
    ];
    assert_eq!(transcript.messages, expected);
    assert_eq!(transcript.violations, []);
    for frames in [&b"\x81\x84\0\0\0\0caf\xe9"[..], b"\x88\x82\0\0\0\0\x0b\xb7"] {
        let transcript = Tunnel::default().client(frames).read(None);
        assert_eq!(transcript.violations.len(), 1, "{frames:?}");
    }
}

#[test]
fn derives_the_ending_from_close_frames() {
    let hello = b"\x81\x01a";
    let cases = [
        (Tunnel::default(), None),
        (Tunnel::default().server(hello), None),
        (
            Tunnel::default().server(hello).server(BYE),
            Some(Ending::ClientAborted),
        ),
        (
            Tunnel::default().client(MASKED_BYE),
            Some(Ending::ServerAborted),
        ),
        (
            Tunnel::default().client(MASKED_BYE).server(BYE),
            Some(Ending::Complete),
        ),
        (Tunnel::default().client(hello).server(hello), None),
    ];
    for (at, (tunnel, expected)) in cases.iter().enumerate() {
        assert_eq!(tunnel.read(None).ending, *expected, "{at}");
    }
}

#[test]
fn incomplete_messages_are_no_messages() {
    let transcript = Tunnel::default()
        .server(b"\x81\x01a\x01\x01b\x80\x02c")
        .client(b"\x81")
        .client(b"")
        .read(None);
    assert_eq!(transcript.messages, [message(Side::Server, 0, text("a"))]);
    assert_eq!(transcript.violations, []);
    let half = |side, position| HalfMessage { side, position };
    let halves = [half(Side::Client, 1), half(Side::Server, 1)];
    assert_eq!(transcript.half_messages, halves);
    assert_eq!(transcript.client_ended, Some(1));
    let whole = Tunnel::default()
        .server(b"\x01\x01a")
        .client(b"\x81\x81\0\0\0\0A")
        .server(b"\x80\x01b");
    assert_eq!(whole.read(None).half_messages, []);
}

#[test]
fn an_error_within_a_message_is_noticed() {
    const FAILED: &[u8] = b"\x88\x82\0\0\0\0\x03\xef";
    let within = |tunnel: Tunnel| tunnel.read(None).failed_within;
    let begun = || Tunnel::default().server(b"\x81\x01a\x01\x01b");
    assert_eq!(within(begun().client(FAILED)), Some(Side::Server));
    let finished = begun().client(FAILED).server(b"\x80\x01c");
    assert_eq!(within(finished), Some(Side::Server));
    let before = begun().server(b"\x80\x01c").client(FAILED);
    assert_eq!(within(before), None);
    assert_eq!(within(begun().client(MASKED_BYE)), None, "no error");
    let client = Tunnel::default().client(b"\x81\x82\0\0\0\0A");
    let client = client.server(b"\x88\x02\x03\xf1").client(b"B");
    assert_eq!(within(client), Some(Side::Client));
}

#[test]
fn a_server_sends_no_message_after_its_close() {
    let reason = |tunnel: &Tunnel| {
        let violations = tunnel.read(None).violations;
        violations.first().map(|it| it.violation.reason)
    };
    let late = Some("a frame follows the close frame");
    for frames in [&b"\x81\x01a"[..], b"\x01\x01a", b"\xc1\x01a"] {
        let together = Tunnel::default().server(&[BYE, frames].concat());
        assert_eq!(reason(&together), late, "{frames:?}");
        let later = Tunnel::default().server(BYE).client(MASKED_BYE);
        assert_eq!(reason(&later.server(frames)), late, "{frames:?}");
    }
    let pings = Tunnel::default()
        .server(BYE)
        .server(b"\x8a")
        .server(b"\0\x89\0")
        .server(BYE);
    assert_eq!(reason(&pings), None);
    assert_eq!(pings.read(None).half_messages, []);
    let client = Tunnel::default()
        .client(MASKED_BYE)
        .client(b"\x81\x81\0\0\0\0A")
        .server(BYE)
        .read(None);
    assert_eq!(client.violations, []);
    assert_eq!(client.messages.len(), 2);
}

#[test]
fn a_length_of_a_server_has_its_shortest_form() {
    let long = [
        b"\x82\x7e\0\x01a".to_vec(),
        b"\x82\x7f\0\0\0\0\0\0\0\x01a".to_vec(),
        [&b"\x82\x7f\0\0\0\0\0\0\0\x7e"[..], &[7; 126]].concat(),
    ];
    for bytes in long {
        let transcript = Tunnel::default().server(&bytes).read(None);
        assert_eq!(transcript.violations.len(), 1, "{bytes:?}");
        assert_eq!(transcript.messages, []);
    }
    let short = [&b"\x82\x7e\0\x7e"[..], &[7; 126]].concat();
    let transcript = Tunnel::default().server(&short).read(None);
    assert_eq!(transcript.violations, []);
    let client = Tunnel::default().client(b"\x82\xfe\0\x01\0\0\0\0a");
    assert_eq!(client.read(None).messages.len(), 1);
}

#[test]
fn accepts_arrivals_beyond_the_bytes() {
    let mut tunnel = Tunnel::default().server(b"\x81\x01a\x81\x01b");
    for end in [u64::MAX, 0, 3, 1] {
        tunnel.arrivals.push(Arrival {
            side: Side::Client,
            end,
            at: 5,
        });
    }
    tunnel.arrivals[0].end = 3;
    let transcript = tunnel.read(None);
    assert_eq!(transcript.messages, [message(Side::Server, 0, text("a"))]);
}

#[test]
fn marks_compressed_messages() {
    let deflate = Some(DeflateParams::default());
    let mut encoder = Encoder::new(Side::Server, deflate);
    let content = Dice(2).prose(200_000);
    let transcript = Tunnel::default()
        .server(&encoder.message(true, &content, true, None))
        .server(&encoder.message(true, &content, false, None))
        .server(b"\xc1\x01\x07")
        .read(deflate);
    let words: Vec<_> = transcript
        .messages
        .iter()
        .filter_map(|turn| turn.kind.payload())
        .collect();
    assert!(words.iter().all(|words| words.content.inline() == content));
    assert!(words[0].compressed && !words[1].compressed);
    let fault = transcript.violations[0];
    assert_eq!(
        (fault.side, fault.at, fault.violation.code),
        (Side::Server, 20, 1007)
    );
}

#[test]
fn limits_the_memory_of_a_conversation() {
    let tunnel = Tunnel::default()
        .server(&b"\x82\x00".repeat(50_000))
        .client(MASKED_BYE);
    let transcript = tunnel.read_within(None, 10_000);
    let size = size_of::<Message>();
    assert_eq!(transcript.messages.len(), 10_000 / size);
    assert_eq!(
        (
            transcript.violations.len(),
            transcript.violations[0].violation.code
        ),
        (1, 1009)
    );
    assert_eq!(transcript.ending, None);
    let content = [&b"\x82\x7e\x03\xe8"[..], &[0; 1000]].concat();
    let tunnel = Tunnel::default().server(&content).server(&content);
    let room = 2 * (1000 + size as u64);
    assert_eq!(tunnel.read_within(None, room).messages.len(), 2);
    assert_eq!(tunnel.read_within(None, room - 1).messages.len(), 1);
}
