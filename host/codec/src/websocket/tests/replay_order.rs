//! The order in which the messages of a conversation are replayed.

use ouli_message::stream::Side;

use super::transcripts::Tunnel;

const WHOLE: &[u8] = b"\x81\x81\0\0\0\0A";

/// A message of the server whose first fragment was sent.
fn begun() -> Tunnel {
    Tunnel::default().server(b"\x01\x01a")
}

const END: &[u8] = b"\x80\x01b";

/// The side, time and text of each message in the order of a replay; other messages are left out.
fn replayed(tunnel: &Tunnel) -> Vec<(Side, u64, String)> {
    let messages = tunnel.read(None).into_replay_order().into_iter();
    let texts = messages.filter_map(|message| {
        let text = message.kind.payload()?.content.inline();
        let text = String::from_utf8_lossy(text).into_owned();
        Some((message.side, message.at, text))
    });
    texts.collect()
}

#[test]
fn a_message_of_a_server_is_replayed_when_it_began() {
    let ping_and_message = [b"\x89\x80\0\0\0\0", WHOLE].concat();
    let cases = [
        ("fragments", begun().client(WHOLE).server(END)),
        (
            "a ping between them",
            begun().client(&ping_and_message).server(END),
        ),
        (
            "parts of a frame",
            Tunnel::default()
                .server(b"\x81\x02a")
                .client(WHOLE)
                .server(b"b"),
        ),
    ];
    for (name, tunnel) in cases {
        let expected = [
            (Side::Server, 0, "ab".to_owned()),
            (Side::Client, 10, "A".to_owned()),
        ];
        assert_eq!(replayed(&tunnel), expected, "{name}");
    }
    let two = begun()
        .client(WHOLE)
        .server(&[END, b"\x01\x01a"].concat())
        .client(WHOLE)
        .server(END);
    let times: Vec<_> = replayed(&two).iter().map(|(_, at, _)| *at).collect();
    assert_eq!(times, [0, 10, 20, 30]);
}

#[test]
fn a_message_of_a_client_counts_when_it_ended() {
    let between = Tunnel::default()
        .client(b"\x01\x81\0\0\0\0A")
        .server(b"\x81\x01a")
        .client(b"\x80\x80\0\0\0\0");
    let began_before = Tunnel::default()
        .client(&WHOLE[..3])
        .server(b"\x01\x01a")
        .client(&WHOLE[3..])
        .server(END);
    let ended_after = begun().client(&WHOLE[..3]).server(END).client(&WHOLE[3..]);
    for tunnel in [between, began_before, ended_after] {
        let sides: Vec<_> = replayed(&tunnel).iter().map(|(side, ..)| *side).collect();
        assert_eq!(sides, [Side::Server, Side::Client]);
    }
    // The message of the server began in the same bytes as its ping ended.
    let after = Tunnel::default().server(b"\x89").client(WHOLE);
    let after = replayed(&after.server(b"\x00\x81\x01a"));
    let sides: Vec<_> = after.iter().map(|(side, ..)| *side).collect();
    assert_eq!(sides, [Side::Client, Side::Server]);
}
