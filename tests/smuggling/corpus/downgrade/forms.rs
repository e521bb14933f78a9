//! Fields that HTTP/1.1 would read in another way than HTTP/2 does.

use super::super::SECOND;
use super::{Fields, pairs};

/// Name, fields after the pseudo-header fields, and body.
type Form = (String, Fields, Option<Vec<u8>>);

#[rustfmt::skip]
const LENGTHS: [&str; 16] = [
        "0",
        "1",
        "66",
        "67",
        "68",
        "067",
        "+67",
        "-1",
        "67, 67",
        "67,0",
        "0x43",
        "x",
        "",
        " 67",
        "67 ",
        "18446744073709551683",
];

#[rustfmt::skip]
const FIELDS: [(&str, &str); 42] = [
    ("transfer-encoding", "chunked"), ("transfer-encoding", "identity"), ("connection", "close"),
    ("connection", "content-length"), ("connection", "transfer-encoding"), ("upgrade", "h2c"),
    ("upgrade", "websocket"), ("keep-alive", "timeout=5"), ("proxy-connection", "keep-alive"),
    ("te", "chunked"), ("te", "trailers"), ("te", "trailers, chunked"), ("host", "other.test"),
    ("host", "origin.test"), ("host", ""), ("http2-settings", "AAMAAABkAAQAAP__"),
    ("Transfer-Encoding", "chunked"), ("Content-Length", "3"), ("x y", "z"), ("x:", "z"),
    ("", "z"), (" x", "z"), ("x ", "z"), ("transfer-encoding ", "chunked"),
    ("transfer-encoding: chunked\r\nx", "z"), ("x\r\ntransfer-encoding", "chunked"), ("x\0", "z"),
    ("x\n", "z"), ("content_length", "3"), ("x", "y\r\ntransfer-encoding: chunked"),
    ("x", "y\ntransfer-encoding: chunked"), ("x", "y\rtransfer-encoding: chunked"),
    ("x", "y\r\n\r\n{2}"), ("x", "y\n\n{2}"), ("x", "y\0z"), ("x", " y"), ("x", "y "),
    ("x", "\ty"), ("x", "y\x7f"), ("x", "y\x0b"), ("expect", "100-continue"),
    ("trailer", "content-length"),
];

/// Malformed values, in place of the valid field and after it.
#[rustfmt::skip]
pub(super) const PSEUDO_FIELDS: [(&str, &[u8]); 31] = [
    (":method", b"GET"), (":method", b"CONNECT"), (":method", b""),
    (":method", b"GET /x HTTP/1.1\r\nX:"), (":method", b"GET {2}"), (":method", b"G\0T"),
    (":path", b"{1} HTTP/1.1\r\nX: y"), (":path", b"{1} HTTP/1.1\r\n\r\n{2}"),
    (":path", b"{1}\n"), (":path", b"{1} x"), (":path", b"{1}\t"), (":path", b"{1}#x"),
    (":path", b""), (":path", b"first"), (":path", b"http://other.test{1}"), (":path", b"/{1}"),
    (":path", b"{1}\xff"), (":scheme", b"https"), (":scheme", b"ftp"), (":scheme", b""),
    (":scheme", b"http://other.test/x?"), (":authority", b"origin.test\r\nX: y"),
    (":authority", b"user@origin.test"), (":authority", b"origin.test/x"),
    (":authority", b"origin.test, other.test"), (":authority", b""), (":status", b"200"),
    (":unknown", b"x"), (":protocol", b"websocket"), (":", b"x"), (":host", b"origin.test"),
];

pub(super) const TRAILERS: [(&str, &str); 10] = [
    ("x", "y"),
    ("content-length", "3"),
    ("transfer-encoding", "chunked"),
    ("host", "other.test"),
    ("connection", "close"),
    (":path", "/other"),
    ("x", "y\r\nz: 1"),
    ("X", "y"),
    ("x y", "z"),
    ("x", "y\0"),
];

pub(super) fn forms() -> Vec<Form> {
    let mut forms = Vec::new();
    let two = || Some(b"{2}".to_vec());
    for length in LENGTHS {
        let fields = pairs(&[("content-length", length)]);
        forms.push((
            format!("length {length:?} of {SECOND}"),
            fields.clone(),
            two(),
        ));
        forms.push((format!("length {length:?} of none"), fields, None));
    }
    for (one, other) in [("67", "0"), ("0", "67"), ("67", "67")] {
        let fields = pairs(&[("content-length", one), ("content-length", other)]);
        forms.push((format!("lengths {one} and {other}"), fields, two()));
    }
    for (name, value) in FIELDS {
        let shown = format!("{name:?}: {value:?}");
        let fields = pairs(&[(name, value)]);
        let body = b"0\r\n\r\n{2}".to_vec();
        forms.push((format!("{shown} with a body"), fields.clone(), Some(body)));
        forms.push((shown, fields, None));
    }
    forms
}
