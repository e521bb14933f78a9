//! Ambiguous chunked bodies: sizes, extensions, ends and trailers (RFC 9112, section 7.1).

use super::{SECOND, Template, post, shown};

pub(super) fn templates() -> Vec<Template> {
    let mut all: Vec<_> = sizes().iter().map(|line| first_chunk(line)).collect();
    all.extend(last().iter().map(|end| {
        let rest = [b"3\r\nabc\r\n", &end[..], b"{2}"].concat();
        chunked(format!("ends with {}", shown(end)), &rest)
    }));
    all.extend(trailers().iter().map(|trailer| {
        let rest = [b"3\r\nabc\r\n0\r\n", *trailer, b"\r\n\r\n{2}"].concat();
        chunked(format!("the trailer {}", shown(trailer)), &rest)
    }));
    let after: [&[u8]; 8] = [
        b"\n",
        b"\r",
        b"",
        b" \r\n",
        b"x\r\n",
        b"\r\n\r\n",
        b"\r\r\n",
        b"\0\r\n",
    ];
    all.extend(after.iter().map(|end| {
        let rest = [b"3\r\nabc", *end, b"0\r\n\r\n{2}"].concat();
        chunked(format!("{} after a chunk", shown(end)), &rest)
    }));
    // Sizes that are slightly too small or too large.
    for (said, body) in [
        (2, "abc"),
        (4, "abc"),
        (5, "abc"),
        (6, "abc"),
        (3, "abc\r\n"),
    ] {
        let rest = format!("{said:x}\r\n{body}\r\n0\r\n\r\n{{2}}");
        all.push(chunked(
            format!("size {said} for {}", shown(body.as_bytes())),
            rest.as_bytes(),
        ));
    }
    all.push(chunked("one request in a chunk".to_owned(), &in_a_chunk()));
    all
}

fn chunked(name: String, rest: &[u8]) -> Template {
    post(name, b"Transfer-Encoding: chunked\r\n", rest)
}

fn in_a_chunk() -> Vec<u8> {
    format!("{SECOND:x}\r\n{{2}}\r\n0\r\n\r\n{{2}}").into_bytes()
}

/// A complete chunk with this size line.
fn first_chunk(line: &[u8]) -> Template {
    let rest = [line, b"abc\r\n0\r\n\r\n{2}"].concat();
    chunked(format!("the size {}", shown(line)), &rest)
}

pub(super) fn sizes() -> Vec<Vec<u8>> {
    let sizes: [&[u8]; 28] = [
        b"3",
        b"03",
        b"0003",
        b"00000000000000000000000000000003",
        b"0x3",
        b"0X3",
        b"x3",
        b"+3",
        b"-3",
        b" 3",
        b"\t3",
        b"3 ",
        b"3\t",
        b"3 4",
        b"3,",
        b"3h",
        b"3_",
        b"\"3\"",
        b"'3'",
        b"3.0",
        b"",
        b" ",
        b"10000000000000003",
        b"fffffffffffffffd",
        b"100000003",
        b"8000000000000003",
        b"\xef\xbc\x93",
        b"3\0",
    ];
    let extensions: [&[u8]; 20] = [
        b";x",
        b";x=y",
        b";x=\"y\"",
        b"; x",
        b" ;x",
        b"\t;x",
        b" ; x = y",
        b";",
        b";;",
        b";x=",
        b";x=\"",
        b";x=\"\\\"",
        b";\0",
        b";\x0b",
        b";\x7f",
        b";\xff",
        b";x\rx",
        b";x\nx",
        b";x=\"\n\"",
        b";x=\"\r\n\"",
    ];
    let ends: [&[u8]; 6] = [b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"\x0b\r\n", b"\r\n\n"];
    let mut all: Vec<_> = sizes.iter().map(|size| [*size, b"\r\n"].concat()).collect();
    all.extend(
        extensions
            .iter()
            .map(|text| [b"3", *text, b"\r\n"].concat()),
    );
    all.extend(ends.iter().map(|end| [b"3", *end].concat()));
    all.extend(ends.iter().map(|end| [b"3;x", *end].concat()));
    all.push([b"3;", "x".repeat(2000).as_bytes(), b"\r\n"].concat());
    all
}

/// Ends of the last chunk, including the blank line.
fn last() -> Vec<Vec<u8>> {
    let sizes: [&[u8]; 12] = [
        b"0",
        b"00",
        b"0000000000000000000000",
        b"0 ",
        b" 0",
        b"-0",
        b"+0",
        b"0x0",
        b"0;x",
        b"0;\n",
        b"0;x\r",
        b"O",
    ];
    let mut all: Vec<_> = sizes
        .iter()
        .map(|size| [*size, b"\r\n\r\n"].concat())
        .collect();
    let ends: [&[u8]; 9] = [
        b"0\n\n",
        b"0\r\n\n",
        b"0\n\r\n",
        b"0\r\r",
        b"0\r\n\r\r\n",
        b"0\r\n \r\n\r\n",
        b"0\r\n\0\r\n\r\n",
        b"0\r\n",
        b"",
    ];
    all.extend(ends.map(<[u8]>::to_vec));
    all
}

fn trailers() -> [&'static [u8]; 20] {
    [
        b"X: y",
        b"Content-Length: 67",
        b"Transfer-Encoding: chunked",
        b"Host: other.test",
        b"Connection: keep-alive",
        b"Authorization: Basic eA==",
        b"X: y\r\n z",
        b" X: y",
        b"X : y",
        b"X",
        b": y",
        b"X: \0",
        b"X: \n",
        b"X: \r",
        b"X: y\nZ: 1",
        b"X: y\rZ: 1",
        b"X\0: y",
        b"X: \x7f",
        b"X: \xff",
        b"GET /third HTTP/1.1",
    ]
}
