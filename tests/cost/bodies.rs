//! Parsers of bodies.

use bytes::Bytes;
use ouli_codec::content_coding::{Bounds, Coding, decode, decode_with_offsets};
use ouli_codec::grpc::MessageSplitter;
use ouli_codec::json::{Document, Pointer};
use ouli_codec::{event_stream, form, multipart, truncated};

use super::Shape;
use super::inputs::{nested, numbered, repeat, within};

pub(super) fn shapes() -> Vec<Shape> {
    let mut shapes = json();
    shapes.extend(forms());
    shapes.extend(streams());
    shapes.extend(codings());
    shapes
}

fn json() -> Vec<Shape> {
    let json = |body: &[u8]| Document::parse(Bytes::copy_from_slice(body)).is_some();
    let find = |body: &[u8]| {
        let document = Document::parse(Bytes::copy_from_slice(body));
        let pointer = Pointer::parse("/*/a/*/b").unwrap();
        document.map(|document| document.find(&pointer).count())
    };
    vec![
        Shape::new("json zeros", within("[0", ",0", "]"), json),
        Shape::new("json strings", within("[\"\"", ",\"\"", "]"), json),
        Shape::new("json escapes", within("\"", "\\\"", "\""), json),
        Shape::new("json objects", within("[{}", ",{}", "]"), json),
        Shape::new("json nested", nested("[", "]", 100), json),
        Shape::new("json members", within("{\"a\":1", ",\"a\":1", "}"), json),
        Shape::new("json broken", repeat("["), json),
        Shape::new("json pointer", nested("{\"a\":[", "]}", 40), find),
        Shape::new(
            "json pointer members",
            within("{\"a\":1", ",\"a\":1", "}"),
            find,
        ),
        Shape::new(
            "numbered members",
            numbered("{", |n| format!("\"{n}\":{n},"), "\"a\":1}"),
            find,
        ),
    ]
}

fn forms() -> Vec<Shape> {
    let multipart = |body: &[u8]| multipart::parse(body, "b").map(|parts| parts.len());
    vec![
        Shape::new("form pairs", repeat("a=1&"), |body| form::parse(body).len()),
        Shape::new("form separators", repeat("&"), |body| {
            form::parse(body).len()
        }),
        Shape::new("form escapes", repeat("%"), |body| form::parse(body).len()),
        Shape::new("form equals", repeat("="), |body| form::parse(body).len()),
        Shape::new(
            "multipart parts",
            within("", "--b\r\n\r\n\r\n", "--b--"),
            multipart,
        ),
        Shape::new("multipart dashes", repeat("--"), multipart),
        Shape::new(
            "multipart heads",
            within("--b\r\n", "a:1\r\n", "\r\n\r\n--b--"),
            multipart,
        ),
        Shape::new(
            "multipart lines",
            within("--b\r\n\r\n", "\r\n--", "\r\n--b--"),
            multipart,
        ),
        Shape::new("multipart delimiters", repeat("\r\n--b "), multipart),
    ]
}

fn streams() -> Vec<Shape> {
    let cut = |body: &[u8]| truncated::missing_suffix(Some("application/json"), body);
    vec![
        Shape::new("events line ends", repeat("\n"), |body| {
            event_stream::event_sizes(body).count()
        }),
        Shape::new("events data", repeat("data\n"), |body| {
            event_stream::data_ranges(body).len()
        }),
        Shape::new("lines", repeat("\n"), |body| {
            event_stream::line_sizes(body).count()
        }),
        Shape::new("cut json", repeat("[{\"a\":"), cut),
        Shape::new("cut json quotes", repeat("\"\\"), cut),
        Shape::new("cut form", repeat("a=&"), |body| {
            truncated::missing_suffix(Some("application/x-www-form-urlencoded"), body)
        }),
        Shape::new("cut multipart", repeat("--b\r\n\r\n\r\n"), |body| {
            truncated::missing_suffix(Some("multipart/form-data; boundary=b"), body)
        }),
    ]
}

fn codings() -> Vec<Shape> {
    vec![
        Shape::new(
            "aws chunks",
            within("", "1\r\nx\r\n", "0\r\n\r\n"),
            |body| decode(Bytes::copy_from_slice(body), &[Coding::AwsChunked], BOUNDS),
        ),
        Shape::new("gzip members", many_members, |body| {
            decode(Bytes::copy_from_slice(body), &[Coding::Gzip], BOUNDS)
        }),
        Shape::new("gzip offsets", many_members, |body| {
            let ends: Vec<_> = (0..=body.len() as u64).collect();
            decode_with_offsets(
                &Bytes::copy_from_slice(body),
                &ends,
                &[Coding::Gzip],
                BOUNDS,
            )
        }),
        Shape::new("zstd frames", repeat("\u{50}*M\u{18}\0\0\0\0"), |body| {
            decode(Bytes::copy_from_slice(body), &[Coding::Zstd], BOUNDS)
        }),
        Shape::new("grpc empty messages", repeat("\0\0\0\0\0"), |body| {
            MessageSplitter::new(1 << 20).feed(body)
        }),
        Shape::new("grpc bytes", repeat("\0\0\0\0\u{1}x"), |body| {
            let mut splitter = MessageSplitter::new(1 << 20);
            body.iter()
                .map(|byte| splitter.feed(&[*byte]).is_ok())
                .count()
        }),
    ]
}

const BOUNDS: Bounds = Bounds {
    bytes: 64 << 20,
    ratio: 1000,
};

/// Empty members of gzip.
fn many_members(n: usize) -> Vec<u8> {
    let member = [
        31, 139, 8, 0, 0, 0, 0, 0, 0, 255, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    member.repeat(n / member.len())
}
