//! Splits event streams into events and texts into lines.

use std::ops::Range;

use memchr::{memchr, memchr2};

/// The sizes in bytes of the events of an event stream (WHATWG HTML, section 9.2), in order. They
/// add up to the size of `body`.
///
/// An event includes the empty line that ends it, its lines, comments, and the byte order mark of
/// the stream. Lines end with LF, CRLF or CR. An empty line alone is an event, and the last event
/// may be unfinished.
pub fn event_sizes(body: &[u8]) -> impl Iterator<Item = usize> {
    let mut start = 0;
    let mut line = if body.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len()
    } else {
        0
    };
    std::iter::from_fn(move || {
        while let Some(length) = memchr2(b'\n', b'\r', &body[line..]) {
            let rest = &body[line + length..];
            line += length + if rest.starts_with(b"\r\n") { 2 } else { 1 };
            if length == 0 {
                let size = line - start;
                start = line;
                return Some(size);
            }
        }
        let rest = body.len() - start;
        (start, line) = (body.len(), body.len());
        (rest > 0).then_some(rest)
    })
}

/// The sizes in bytes of the lines of `body`, in order. They add up to the size of `body`. Each
/// line includes its LF; the last one may have none.
pub fn line_sizes(body: &[u8]) -> impl Iterator<Item = usize> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &body[start..];
        let size = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        start += size;
        (size > 0).then_some(size)
    })
}

/// True if an event has no `data` field: clients dispatch nothing for it (WHATWG HTML, section
/// 9.2.6).
pub fn is_without_data(event: &[u8]) -> bool {
    let event = event.strip_prefix(BYTE_ORDER_MARK).unwrap_or(event);
    let mut lines = event.split(|byte| matches!(byte, b'\n' | b'\r'));
    !lines.any(|line| line.starts_with(b"data"))
}

/// The ranges of the values of the `data` fields of one event, in order (WHATWG HTML, section
/// 9.2.6), without the space after the colon and the end of the line.
pub fn data_ranges(event: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut line = if event.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len()
    } else {
        0
    };
    while line < event.len() {
        let rest = &event[line..];
        let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        if let Some(value) = rest[..length].strip_prefix(b"data:") {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            ranges.push(line + length - value.len()..line + length);
        }
        // The CR of a CRLF ends the line; the LF then ends an empty line without data.
        line += length + 1;
    }
    ranges
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;

    fn split(body: &[u8], sizes: impl Iterator<Item = usize>) -> Vec<String> {
        let mut rest = body;
        let chunks = sizes.map(|size| {
            let (chunk, after) = rest.split_at(size);
            rest = after;
            String::from_utf8_lossy(chunk).into_owned()
        });
        let chunks = chunks.collect();
        assert!(rest.is_empty(), "{body:?}");
        chunks
    }

    #[test]
    fn events_end_after_an_empty_line() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("data: a", &["data: a"]),
            ("data: a\n", &["data: a\n"]),
            ("data: a\n\n", &["data: a\n\n"]),
            (
                "id: 1\ndata: a\n\ndata: b\n\n",
                &["id: 1\ndata: a\n\n", "data: b\n\n"],
            ),
            ("data: a\r\n\r\ndata: b", &["data: a\r\n\r\n", "data: b"]),
            ("data: a\r\rdata: b\r\r", &["data: a\r\r", "data: b\r\r"]),
            ("a\r\n\n\rb\n\r\nc", &["a\r\n\n", "\r", "b\n\r\n", "c"]),
            ("a\n\r\n\r", &["a\n\r\n", "\r"]),
            ("\n\n", &["\n", "\n"]),
            ("a\n\n\n\r\nb", &["a\n\n", "\n", "\r\n", "b"]),
            (": comment\n\n", &[": comment\n\n"]),
            ("\u{feff}data: a\n\nb", &["\u{feff}data: a\n\n", "b"]),
            ("\u{feff}\n\n", &["\u{feff}\n", "\n"]),
            ("\u{feff}", &["\u{feff}"]),
            ("a\n\u{feff}\n\n", &["a\n\u{feff}\n\n"]),
        ];
        for (body, expected) in cases {
            assert_eq!(
                split(body.as_bytes(), event_sizes(body.as_bytes())),
                *expected
            );
        }
    }

    #[test]
    fn lines_end_with_a_line_feed() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("{}", &["{}"]),
            ("{}\n[]\r\n\n1", &["{}\n", "[]\r\n", "\n", "1"]),
            ("a\rb\n", &["a\rb\n"]),
        ];
        for (body, expected) in cases {
            assert_eq!(
                split(body.as_bytes(), line_sizes(body.as_bytes())),
                *expected
            );
        }
    }

    #[test]
    fn an_event_without_data_is_known() {
        for event in [
            "\n",
            ": comment\r\n\r\n",
            "\u{feff}id: 1\n\n",
            "x: data\r\r",
        ] {
            assert!(is_without_data(event.as_bytes()), "{event:?}");
        }
        for event in ["data\n\n", "\u{feff}data: a\n\n", "id: 1\rdata:a\r\r"] {
            assert!(!is_without_data(event.as_bytes()), "{event:?}");
        }
    }

    #[test]
    fn data_is_what_stands_behind_its_name() {
        let cases: [(&str, &[&str]); 6] = [
            ("data: a\ndata:b\n\n", &["a", "b"]),
            ("\u{feff}data: a\r\nid: 1\r\ndata:  b\r\n\r\n", &["a", " b"]),
            ("data\n\n", &[]),
            (": data: no\rdata:\r\r", &[""]),
            ("event: data: x\n\n", &[]),
            ("data: unfinished", &["unfinished"]),
        ];
        for (event, expected) in cases {
            let found: Vec<_> = data_ranges(event.as_bytes())
                .into_iter()
                .map(|it| &event[it])
                .collect();
            assert_eq!(found, expected, "{event:?}");
        }
    }
}
