//! Ambiguous responses of an origin, each followed by a response without a request.

use super::{chunks, framing, shown};

/// A response without a request.
pub(crate) const MARKED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nMARKED";

/// A response.
pub(crate) struct Evil {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// All responses of this kind.
pub(crate) fn all() -> Vec<Evil> {
    let mut all = Vec::new();
    for field in framing::codings() {
        let name = shown(field.trim_ascii_end());
        let chunks = "3\r\nabc\r\n0\r\n\r\n";
        let with =
            |fields: &[u8]| [b"HTTP/1.1 200 OK\r\n", fields, b"\r\n", chunks.as_bytes()].concat();
        all.push((name.clone(), with(&field)));
        let length = b"Content-Length: 13\r\n";
        all.push((
            format!("length, then {name}"),
            with(&[length, &field[..]].concat()),
        ));
        let short = b"Content-Length: 3\r\n";
        all.push((
            format!("{name}, then length"),
            with(&[&field[..], short].concat()),
        ));
    }
    for line in chunks::sizes() {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let bytes = [&head[..], &line, b"abc\r\n0\r\n\r\n"].concat();
        all.push((format!("the size {}", shown(&line)), bytes));
    }
    all.extend(lengths());
    all.extend(heads());
    let evil = all.into_iter().map(|(name, mut bytes)| {
        bytes.extend(MARKED.as_bytes());
        Evil { name, bytes }
    });
    evil.collect()
}

fn lengths() -> Vec<(String, Vec<u8>)> {
    let lengths = [
        "3\r\nContent-Length: 3",
        "3\r\nContent-Length: 0",
        "0\r\nContent-Length: 3",
        "3, 3",
        "3, 0",
        "+3",
        "-3",
        "0x3",
        "03",
        " 3",
        "3 ",
        "3;",
        "3.0",
        "",
        "x",
        "4",
        "2",
        "18446744073709551616",
        "18446744073709551619",
        "9223372036854775808",
        "3\n",
        "3\r",
        "\r\n 3",
        "3\0",
        "\"3\"",
        "3\r\n0",
    ];
    let answers = lengths.map(|length| {
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nabc");
        (format!("the length {length:?}"), text.into_bytes())
    });
    answers.into_iter().collect()
}

fn heads() -> Vec<(String, Vec<u8>)> {
    let sound = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    let storm = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(300);
    let heads: [&[u8]; 34] = [
        sound.as_bytes(),
        b"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.2 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/0.9 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"http/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"ICY 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 20 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 099 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 999 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1\t200 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 O\0K\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
        b"HTTP/1.1 200 OK\rContent-Length: 3\r\rabc",
        b"HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\n Content-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: y\r\n Content-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: y\0\r\nContent-Length: 3\r\n\r\nabc",
        b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"abc",
    ];
    let mut all: Vec<_> = heads
        .iter()
        .map(|head| (shown(head), head.to_vec()))
        .collect();
    all.push((
        "a storm of 1xx".to_owned(),
        [storm.as_bytes(), sound.as_bytes()].concat(),
    ));
    all
}
