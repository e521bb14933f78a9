//! The rules of RFC 6455 and RFC 7692, one row each: client frames and the expected response
//! frames.

use crate::support::websocket::{
    BINARY, CLOSE, Frame, PING, PONG, TEXT, bare, close, close_body, frame,
};

/// One rule.
pub(super) struct Row {
    pub(super) name: &'static str,
    /// The bytes of each write.
    pub(super) sends: Vec<Vec<u8>>,
    /// The expected frames before the end of the connection.
    pub(super) answers: Vec<Answer>,
    /// The offered extensions.
    pub(super) offers: Option<&'static str>,
}

/// An expected frame.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// Exactly this frame.
    Frame(Frame),
    /// A close frame with this code and any reason.
    Code(u16),
    /// An empty close frame.
    Empty,
}

fn row(name: &'static str, sends: &[Vec<u8>], answers: &[Answer]) -> Row {
    Row {
        name,
        sends: sends.to_vec(),
        answers: answers.to_vec(),
        offers: None,
    }
}

fn says(first: u8, payload: impl AsRef<[u8]>) -> Answer {
    let payload = payload.as_ref().to_vec();
    Answer::Frame(Frame { first, payload })
}

/// Appends the closing handshake of the client.
fn ended(mut sends: Vec<Vec<u8>>, mut answers: Vec<Answer>) -> (Vec<Vec<u8>>, Vec<Answer>) {
    sends.push(close(1000, ""));
    answers.push(Answer::Code(1000));
    (sends, answers)
}

fn good(name: &'static str, sends: &[Vec<u8>], answers: &[Answer]) -> Row {
    let (sends, answers) = ended(sends.to_vec(), answers.to_vec());
    row(name, &sends, &answers)
}

fn bad(name: &'static str, sends: &[Vec<u8>], code: u16) -> Row {
    row(name, sends, &[Answer::Code(code)])
}

/// All rows.
pub(super) fn rows() -> Vec<Row> {
    let mut rows = framing();
    rows.extend(fragments());
    rows.extend(control());
    rows.extend(closing());
    rows.extend(text());
    rows.extend(compressed());
    rows
}

/// RFC 6455, sections 5.1 to 5.3.
fn framing() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, length) in [
        ("5.2 length 0", 0),
        ("5.2 length 1", 1),
        ("5.2 length 125", 125),
        ("5.2 length 126", 126),
        ("5.2 length 127", 127),
        ("5.2 length 65535", 65_535),
        ("5.2 length 65536", 65_536),
        ("5.2 length 1 MiB", 1 << 20),
    ] {
        let payload = vec![b'*'; length];
        rows.push(good(
            name,
            &[frame(TEXT, &payload)],
            &[says(TEXT, &payload)],
        ));
        let payload: Vec<u8> = (0..length).map(|byte| byte as u8 | 0x80).collect();
        rows.push(good(
            name,
            &[frame(BINARY, &payload)],
            &[says(BINARY, &payload)],
        ));
    }
    let long = frame(TEXT, "byte by byte");
    let bytes: Vec<_> = long.iter().map(|byte| vec![*byte]).collect();
    rows.push(good(
        "5.2 a frame in single bytes",
        &bytes,
        &[says(TEXT, "byte by byte")],
    ));
    let mut zero = bare(TEXT, "zero mask");
    zero[1] |= 0x80;
    zero.splice(2..2, [0; 4]);
    rows.push(good(
        "5.3 a mask of zeros",
        &[zero],
        &[says(TEXT, "zero mask")],
    ));
    rows.push(bad(
        "5.1 a client's frame without a mask",
        &[bare(TEXT, "x")],
        1002,
    ));
    for (name, bit) in [("5.2 RSV1", 0x40), ("5.2 RSV2", 0x20), ("5.2 RSV3", 0x10)] {
        rows.push(bad(name, &[frame(TEXT | bit, "x")], 1002));
        rows.push(bad(name, &[frame(PING | bit, "x")], 1002));
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        rows.push(bad(
            "5.2 a reserved opcode",
            &[frame(0x80 | opcode, "x")],
            1002,
        ));
    }
    let mut huge = vec![BINARY, 0xff];
    huge.extend((1_u64 << 63).to_be_bytes());
    huge.extend([0; 4]);
    rows.push(bad("5.2 a length with its first bit set", &[huge], 1002));
    let both = [frame(TEXT, "one"), frame(TEXT | 0x40, "two")].concat();
    let answers = [says(TEXT, "one"), Answer::Code(1002)];
    rows.push(row(
        "7.1.7 messages before a violation are answered",
        &[both],
        &answers,
    ));
    rows
}

/// RFC 6455, section 5.4.
fn fragments() -> Vec<Row> {
    let parts = [frame(0x01, "fr"), frame(0x00, "ag"), frame(0x80, "ment")];
    let between = [
        frame(0x01, "fr"),
        frame(PING, "here?"),
        frame(0x00, "ag"),
        frame(PONG, "unasked"),
        frame(0x80, "ment"),
    ];
    let whole = says(TEXT, "fragment");
    let empty = [frame(0x01, ""), frame(0x00, ""), frame(0x80, "")];
    vec![
        good("5.4 three fragments", &parts, std::slice::from_ref(&whole)),
        good(
            "5.4 in one write",
            &[parts.concat()],
            std::slice::from_ref(&whole),
        ),
        good(
            "5.4 control frames between",
            &between,
            &[says(PONG, "here?"), whole],
        ),
        good("5.4 empty fragments", &empty, &[says(TEXT, "")]),
        good(
            "5.4 binary fragments",
            &[frame(0x02, [0xff]), frame(0x80, [0])],
            &[says(BINARY, [0xff, 0])],
        ),
        bad("5.4 a continuation of nothing", &[frame(0x80, "x")], 1002),
        bad(
            "5.4 an open continuation of nothing",
            &[frame(0x00, "x")],
            1002,
        ),
        bad(
            "5.4 a message within another",
            &[frame(0x01, "a"), frame(TEXT, "b")],
            1002,
        ),
        bad(
            "5.4 a continuation after the end",
            &[frame(0x01, ""), frame(0x80, ""), frame(0x80, "x")],
            1002,
        )
        .after(says(TEXT, "")),
    ]
}

/// RFC 6455, section 5.5.
fn control() -> Vec<Row> {
    let ten: Vec<_> = (0..10).map(|n: u8| frame(PING, [n; 3])).collect();
    let pongs: Vec<_> = (0..10).map(|n: u8| says(PONG, [n; 3])).collect();
    vec![
        good("5.5.2 an empty ping", &[frame(PING, "")], &[says(PONG, "")]),
        good(
            "5.5.2 a ping of 125",
            &[frame(PING, [7; 125])],
            &[says(PONG, [7; 125])],
        ),
        good("5.5.2 ten pings", &ten, &pongs),
        good(
            "5.5.3 a pong that nobody asked for",
            &[frame(PONG, "x")],
            &[],
        ),
        bad("5.5 a ping of 126", &[frame(PING, [7; 126])], 1002),
        bad("5.5 a ping in fragments", &[frame(0x09, "x")], 1002),
        bad("5.5 a pong in fragments", &[frame(0x0a, "x")], 1002),
        bad("5.5 a close of 126", &[frame(CLOSE, [3; 126])], 1002),
    ]
}

/// RFC 6455, sections 5.5.1 and 7.4.
fn closing() -> Vec<Row> {
    let mut rows = vec![
        row(
            "5.5.1 an empty close",
            &[frame(CLOSE, "")],
            &[Answer::Empty],
        ),
        bad("5.5.1 a close of one byte", &[frame(CLOSE, [3])], 1002),
        row(
            "5.5.1 a reason",
            &[close(1000, "bye")],
            &[says(CLOSE, close_body(1000, "bye"))],
        ),
        row(
            "5.5.1 nothing counts after it",
            &[[close(1000, ""), frame(TEXT, "late"), frame(PING, "late")].concat()],
            &[Answer::Code(1000)],
        ),
        bad(
            "8.1 a reason that is no UTF-8",
            &[frame(
                CLOSE,
                [&close_body(1000, "")[..], &[0xce, 0xba, 0xff]].concat(),
            )],
            1007,
        ),
    ];
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
    ] {
        rows.push(row(
            "7.4 an allowed code",
            &[close(code, "")],
            &[Answer::Code(code)],
        ));
    }
    for code in [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ] {
        rows.push(bad("7.4 a forbidden code", &[close(code, "")], 1002));
    }
    rows
}

/// RFC 6455, section 8.1.
fn text() -> Vec<Row> {
    let word = "\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5} \u{1f608}";
    let mut rows = vec![
        good(
            "8.1 several bytes a character",
            &[frame(TEXT, word)],
            &[says(TEXT, word)],
        ),
        good(
            "8.1 a character over fragments",
            &[
                frame(0x01, &word.as_bytes()[..3]),
                frame(0x80, &word.as_bytes()[3..]),
            ],
            &[says(TEXT, word)],
        ),
        bad(
            "8.1 a fault in the second fragment",
            &[frame(0x01, "good"), frame(0x80, [0xff])],
            1007,
        ),
        bad(
            "8.1 a fault before the end of the message",
            &[frame(0x01, [0xce, 0xba, 0xed, 0xa0, 0x80])],
            1007,
        ),
    ];
    let faults: [(&str, &[u8]); 7] = [
        ("8.1 a byte that is none", &[0xfe]),
        ("8.1 a continuation alone", &[0x80]),
        ("8.1 too long a form", &[0xc0, 0xaf]),
        ("8.1 too long a form of three", &[0xe0, 0x80, 0xaf]),
        ("8.1 half a surrogate pair", &[0xed, 0xa0, 0x80]),
        ("8.1 past the last character", &[0xf4, 0x90, 0x80, 0x80]),
        ("8.1 cut short", &[0xe2, 0x82]),
    ];
    for (name, bytes) in faults {
        rows.push(bad(name, &[frame(TEXT, bytes)], 1007));
    }
    rows
}

/// RFC 7692: `Hello` compressed, as in section 7.2.3.
fn compressed() -> Vec<Row> {
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let stored = [
        0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
    ];
    let parts = [frame(0x41, &hello[..3]), frame(0x80, &hello[3..])];
    let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
    let offers = "permessage-deflate; server_no_context_takeover";
    let same = says(TEXT | 0x40, hello);
    let rows = vec![
        good(
            "7692 7.2.3.1 one block",
            &[frame(0xc1, hello)],
            std::slice::from_ref(&same),
        ),
        good(
            "7692 7.2.3.1 in fragments",
            &parts,
            std::slice::from_ref(&same),
        ),
        good(
            "7692 7.2.3.2 the window stays",
            &[frame(0xc1, hello), frame(0xc1, again)],
            &[same.clone(), same.clone()],
        ),
        good(
            "7692 7.2.3.3 a block without compression",
            &[frame(0xc1, stored)],
            &[same],
        ),
        good(
            "7692 6.1 an uncompressed message",
            &[frame(TEXT, "Hello")],
            &[says(TEXT, "Hello")],
        ),
        bad(
            "7692 6.1 RSV1 on a continuation",
            &[frame(0x41, "a"), frame(0xc0, "b")],
            1002,
        ),
        bad("7692 6.1 RSV1 on a ping", &[frame(0xc9, hello)], 1002),
        bad(
            "7692 7.2.2 no deflate data",
            &[frame(0xc1, [0xff, 0xff, 0xff])],
            1007,
        ),
    ];
    let offered = |row: Row| Row {
        offers: Some(offers),
        ..row
    };
    rows.into_iter().map(offered).collect()
}

impl Row {
    /// Expects this frame first.
    fn after(mut self, answer: Answer) -> Self {
        self.answers.insert(0, answer);
        self
    }
}
