//! Upgrades, expectations, connection options, and requests that follow without a pause.

use super::{SECOND, Template, post, shown};

pub(super) fn templates() -> Vec<Template> {
    let mut all = upgrades();
    all.extend(expectations());
    all.extend(options());
    all.extend(in_a_row());
    all
}

const SOCKET: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Bytes sent after an upgrade request, before its response.
fn upgrades() -> Vec<Template> {
    let settings = "HTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let asked = [
        format!("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n{settings}"),
        "Upgrade: h2c\r\nConnection: Upgrade\r\n".to_owned(),
        "Upgrade: h2c\r\n".to_owned(),
        "Upgrade: HTTP/2.0\r\nConnection: Upgrade\r\n".to_owned(),
        "Upgrade: TLS/1.0\r\nConnection: Upgrade\r\n".to_owned(),
        "Upgrade: websocket\r\nConnection: Upgrade\r\n".to_owned(),
        "Upgrade: websocket\r\nConnection: close\r\n".to_owned(),
        "Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n".to_owned(),
        SOCKET.to_owned(),
        SOCKET.replace("13", "12"),
        SOCKET.replace("websocket", "WebSocket "),
        SOCKET.replace("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
    ];
    let mut all = Vec::new();
    for fields in asked {
        let name = shown(fields.as_bytes());
        let get = format!("GET {{1}} HTTP/1.1\r\nHost: origin.test\r\n{fields}\r\n{{2}}");
        all.push((format!("GET {name}"), get.into_bytes()));
        let fields = format!("{fields}Content-Length: {SECOND}\r\n");
        all.push(post(format!("POST {name}"), fields.as_bytes(), b"{2}{2}"));
        let chunked = fields.replace(
            &format!("Content-Length: {SECOND}"),
            "Transfer-Encoding: chunked",
        );
        all.push(post(
            format!("chunked {name}"),
            chunked.as_bytes(),
            b"0\r\n\r\n{2}",
        ));
        let get = format!("GET {{1}} HTTP/1.1\r\nHost: origin.test\r\n{fields}\r\n{{2}}{{2}}");
        all.push((format!("GET with a body {name}"), get.into_bytes()));
    }
    all
}

fn expectations() -> Vec<Template> {
    let values = [
        "100-continue",
        "100-Continue",
        "100-continue, x",
        "100-continue, 100-continue",
        "x",
        "",
        "100",
        "100-continue;x=y",
        "\"100-continue\"",
        "200-ok",
    ];
    let mut all = Vec::new();
    for value in values {
        let length = format!("Expect: {value}\r\nContent-Length: {SECOND}\r\n");
        all.push(post(
            format!("expect {value:?}"),
            length.as_bytes(),
            b"{2}{2}",
        ));
        let chunked = format!("Expect: {value}\r\nTransfer-Encoding: chunked\r\n");
        let rest = format!("{SECOND:x}\r\n{{2}}\r\n0\r\n\r\n{{2}}");
        all.push(post(
            format!("expect {value:?}, chunked"),
            chunked.as_bytes(),
            rest.as_bytes(),
        ));
    }
    let twice = format!("Expect: 100-continue\r\nExpect: x\r\nContent-Length: {SECOND}\r\n");
    all.push(post("expect twice", twice.as_bytes(), b"{2}{2}"));
    let get = "GET {1} HTTP/1.1\r\nHost: origin.test\r\nExpect: 100-continue\r\n\r\n{2}";
    all.push(("expect without a body".to_owned(), get.into()));
    all
}

/// Fields that `Connection` names are removed by a proxy.
fn options() -> Vec<Template> {
    let names = [
        "Content-Length",
        "Transfer-Encoding",
        "Host",
        "content-length, close",
        "Keep-Alive",
        "x, y,,z",
        "Content-Type, Content-Length",
        "\"Content-Length\"",
        "Connection",
        "TE",
        "Trailer",
    ];
    let mut all = Vec::new();
    for name in names {
        let fields = format!("Connection: {name}\r\nContent-Length: {SECOND}\r\n");
        all.push(post(
            format!("connection {name:?}"),
            fields.as_bytes(),
            b"{2}{2}",
        ));
        let fields = format!("Connection: {name}\r\nTransfer-Encoding: chunked\r\n");
        let rest = b"3\r\nabc\r\n0\r\n\r\n{2}";
        all.push(post(
            format!("connection {name:?}, chunked"),
            fields.as_bytes(),
            rest,
        ));
    }
    for fields in [
        "TE: chunked\r\n",
        "TE: trailers, chunked\r\nConnection: TE\r\n",
        "Trailer: Host\r\n",
    ] {
        all.push(post(format!("{fields:?}"), fields.as_bytes(), b"{2}"));
    }
    all
}

/// Bodies where none is expected, and pipelined requests.
fn in_a_row() -> Vec<Template> {
    let mut all = Vec::new();
    for method in [
        "GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "PUT", "PATCH", "X-OWN", "get",
    ] {
        let start = format!("{method} {{1}} HTTP/1.1\r\nHost: origin.test\r\n");
        let length = format!("{start}Content-Length: {SECOND}\r\n\r\n{{2}}{{2}}");
        all.push((format!("{method} with a body"), length.into_bytes()));
        let short = format!("{start}Content-Length: 5\r\n\r\n{{2}}");
        all.push((format!("{method} with a short length"), short.into_bytes()));
        let long = format!("{start}Content-Length: {}\r\n\r\n{{2}}", SECOND + 1);
        all.push((format!("{method} with a long length"), long.into_bytes()));
        let chunks = format!("{start}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{{2}}");
        all.push((format!("{method} with no chunk"), chunks.into_bytes()));
        let chunks = format!("{start}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n{{2}}");
        all.push((format!("{method} with chunks"), chunks.into_bytes()));
        all.push((
            format!("{method} alone"),
            format!("{start}\r\n{{2}}").into_bytes(),
        ));
        let closing = format!("{start}Connection: close\r\n\r\n{{2}}");
        all.push((format!("{method} as the last one"), closing.into_bytes()));
    }
    all
}
