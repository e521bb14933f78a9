//! Generated ambiguous requests: each is marked and carries a second, marked request after the
//! ambiguous part.

/// The client that sends inputs and reads responses.
pub(crate) mod client;
/// Malformed HTTP/2 requests.
pub(crate) mod downgrade;
/// HTTP/2 frames, including malformed ones.
pub(crate) mod frames;
/// The expectations, and the comparison with the outcomes.
pub(crate) mod judge;
/// The grammar.
pub(crate) mod strict;

/// Responses that two clients could parse differently.
pub(crate) mod responses;

/// Chunk sizes, chunk extensions and trailers.
mod chunks;
/// Variants of the fields that frame a body.
mod framing;
/// Hosts, targets, methods and versions.
mod heads;
/// Line ends and control characters.
mod lines;
/// Upgrades, expectations and pipelined requests.
mod upgrades;

/// The bytes that one client sends on one connection.
pub(crate) struct Input {
    /// Counted from 0.
    pub(crate) id: usize,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// Template of an input: `{1}` is replaced by the target of the first request, `{2}` by the second
/// request.
type Template = (String, Vec<u8>);

/// The bytes of the second request.
const SECOND: usize = second(0).len();

/// The target of a request.
pub(crate) fn target(which: &str, id: usize) -> String {
    format!("/{which}/{id:04}")
}

/// The input that a target belongs to.
pub(crate) fn owner(target: &str) -> Option<usize> {
    let ends = ["/first/", "/second/"].map(|mark| target.find(mark).map(|at| at + mark.len()));
    let start = ends.into_iter().flatten().next()?;
    target.get(start..start + 4)?.parse().ok()
}

/// All inputs.
pub(crate) fn all() -> Vec<Input> {
    let parts = [
        ("framing", framing::templates()),
        ("lines", lines::templates()),
        ("chunks", chunks::templates()),
        ("heads", heads::templates()),
        ("upgrades", upgrades::templates()),
    ];
    let named = parts.into_iter().flat_map(|(kind, templates)| {
        let with_kind = move |(name, bytes)| (kind, name, bytes);
        templates.into_iter().map(with_kind)
    });
    let filled = named.enumerate().map(|(id, (kind, name, bytes))| Input {
        id,
        kind,
        name,
        bytes: filled(&bytes, id),
    });
    filled.collect()
}

fn filled(template: &[u8], id: usize) -> Vec<u8> {
    let mut filled = Vec::new();
    let mut rest = template;
    while let Some(byte) = rest.first() {
        let (taken, length) = match rest {
            [b'{', b'1', b'}', ..] => (target("first", id).into_bytes(), 3),
            [b'{', b'2', b'}', ..] => (second(id).to_vec(), 3),
            _ => (vec![*byte], 1),
        };
        filled.extend(taken);
        rest = &rest[length..];
    }
    filled
}

/// The second request. It closes the connection, so that the client knows when all is sent.
const fn second(id: usize) -> [u8; 67] {
    let mut bytes = *b"GET /second/0000 HTTP/1.1\r\nHost: origin.test\r\nConnection: close\r\n\r\n";
    let digits = [id / 1000 % 10, id / 100 % 10, id / 10 % 10, id % 10];
    let mut at = 0;
    while at < digits.len() {
        bytes[12 + at] = b'0' + digits[at] as u8;
        at += 1;
    }
    bytes
}

/// A first request with these fields after `host`, and the bytes after its head.
fn post(name: impl Into<String>, fields: &[u8], rest: &[u8]) -> Template {
    let start = b"POST {1} HTTP/1.1\r\nHost: origin.test\r\n";
    (name.into(), [start, fields, b"\r\n", rest].concat())
}

/// The bytes as shown in a name.
fn shown(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

/// The text with these bytes inserted at a position.
fn with(text: &[u8], at: usize, put: &[u8]) -> Vec<u8> {
    [&text[..at], put, &text[at..]].concat()
}

/// A target whose bytes that are not ASCII are percent-encoded, as the gateway forwards it.
fn encoded(target: &[u8]) -> Vec<u8> {
    let bytes = target.iter().map(|byte| match byte.is_ascii() {
        true => vec![*byte],
        false => format!("%{byte:02X}").into_bytes(),
    });
    bytes.flatten().collect()
}
