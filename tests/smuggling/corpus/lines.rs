//! Invalid line ends, folded lines and control characters in a head.

use super::{SECOND, Template, post, shown, with};

/// Bytes in place of a line end.
const ENDS: [&[u8]; 8] = [
    b"\n",
    b"\r",
    b"\n\r",
    b"\r\r\n",
    b"\r\n ",
    b"\r\n\t",
    b"\x0b",
    b"\xe2\x80\xa8",
];

/// A head with one occurrence of each part.
fn whole() -> Vec<u8> {
    let head = format!(
        "POST {{1}} HTTP/1.1\r\nHost: origin.test\r\nX-Some: text\r\n\
         Content-Length: {SECOND}\r\n\r\n"
    );
    head.into_bytes()
}

pub(super) fn templates() -> Vec<Template> {
    let head = whole();
    let mut all = Vec::new();
    let after = b"{2}{2}";
    let places: Vec<_> = (0..head.len())
        .filter(|at| head[*at..].starts_with(b"\r\n"))
        .collect();
    for (line, at) in places.iter().enumerate() {
        for end in ENDS {
            let bytes = [&head[..*at], end, &head[at + 2..], after].concat();
            all.push((format!("line {line} ends with {}", shown(end)), bytes));
        }
    }
    for end in ENDS {
        let text = String::from_utf8_lossy(&head).into_owned();
        let lines: Vec<_> = text.split("\r\n").map(str::as_bytes).collect();
        let bytes = [lines.join(end), after.to_vec()].concat();
        all.push((format!("all lines end with {}", shown(end)), bytes));
    }
    for at in 0..=head.len() {
        // Positions inside of the marker are left out.
        if (6..8).contains(&at) {
            continue;
        }
        for put in [&b"\n"[..], b"\r"] {
            let bytes = [with(&head, at, put), after.to_vec()].concat();
            all.push((format!("{} at byte {at}", shown(put)), bytes));
        }
    }
    all.extend(before());
    all.extend(folded());
    all.extend(controls());
    all
}

/// Bytes before a request.
fn before() -> Vec<Template> {
    let before: [&[u8]; 9] = [
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b" ",
        b"\t",
        b"\0",
        b"\xef\xbb\xbf",
        b"X: y\r\n",
    ];
    let starts = before.map(|start| {
        let bytes = [start, &whole(), b"{2}{2}"].concat();
        (format!("{} before the request", shown(start)), bytes)
    });
    starts.into_iter().collect()
}

fn folded() -> Vec<Template> {
    let folds: [&[u8]; 8] = [
        b"X: a\r\n b\r\n",
        b"X: a\r\n\tb\r\n",
        b"X: a\r\n \r\n",
        b"X:\r\n Content-Length: 3\r\n",
        b"X: a\r\n Transfer-Encoding: chunked\r\n",
        b"Content-Length:\r\n 3\r\n",
        b"Content-Length: 3\r\n 0\r\n",
        b" X: a\r\n",
    ];
    let mut all: Vec<_> = folds
        .iter()
        .map(|fold| post(shown(fold), fold, b"{2}{2}"))
        .collect();
    // The first line after the request line has no line to continue.
    for start in [
        &b" Host: origin.test\r\n"[..],
        b"\tHost: origin.test\r\n",
        b" \r\n",
    ] {
        let bytes = [
            b"POST {1} HTTP/1.1\r\n",
            start,
            b"Host: origin.test\r\n\r\n{2}",
        ]
        .concat();
        all.push((format!("{} after the request line", shown(start)), bytes));
    }
    all
}

/// Control characters and non-ASCII bytes in each part of a head.
fn controls() -> Vec<Template> {
    let controls = (0..=b' ').chain([b'"', b'(', b':', b'@', b'{', 0x7f, 0x80, 0xa0, 0xff]);
    let mut all = Vec::new();
    for control in controls.filter(|byte| !matches!(byte, b'\r' | b'\n')) {
        let shown = shown(&[control]);
        let parts: [(&str, &[&[u8]]); 4] = [
            (
                "the name",
                &[
                    b"POST {1} HTTP/1.1\r\nHost: origin.test\r\nX-",
                    b"y: z\r\n\r\n{2}",
                ],
            ),
            (
                "the value",
                &[
                    b"POST {1} HTTP/1.1\r\nHost: origin.test\r\nX: y",
                    b"z\r\n\r\n{2}",
                ],
            ),
            (
                "the method",
                &[b"PO", b"ST {1} HTTP/1.1\r\nHost: origin.test\r\n\r\n{2}"],
            ),
            (
                "the version",
                &[b"POST {1} HTTP/1", b".1\r\nHost: origin.test\r\n\r\n{2}"],
            ),
        ];
        for (part, around) in parts {
            all.push((format!("{shown} in {part}"), around.join(&control)));
        }
    }
    all
}
