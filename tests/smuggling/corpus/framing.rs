//! Ambiguous Content-Length and Transfer-Encoding, alone and together.

use super::{SECOND, Template, post, shown, with};

/// Bytes that some servers skip.
const PUT_IN: [&[u8]; 14] = [
    b" ", b"\t", b"\x0b", b"\x0c", b"\0", b"\x7f", b"\x80", b"\xff", b"\r", b"\n", b"\"", b"'",
    b",", b";",
];

pub(super) fn templates() -> Vec<Template> {
    let mut all = Vec::new();
    for field in codings() {
        all.extend(together(&field));
    }
    let plain = b"Transfer-Encoding: chunked\r\n";
    for at in 0..plain.len() - 1 {
        for put in PUT_IN {
            all.push(overlooked(&with(plain, at, put)));
        }
    }
    all.extend(lengths());
    let plain = format!("Content-Length: {SECOND}\r\n").into_bytes();
    for at in 0..plain.len() - 1 {
        for put in PUT_IN {
            all.push(length(&with(&plain, at, put)));
        }
    }
    all
}

/// Variants of Transfer-Encoding, some of which mean `chunked`.
pub(super) fn codings() -> Vec<Vec<u8>> {
    let values: [&[u8]; 30] = [
        b"chunked",
        b"Chunked",
        b"CHUNKED",
        b"chunKed",
        b" chunked",
        b"\tchunked",
        b"chunked ",
        b"chunked,",
        b",chunked",
        b", chunked",
        b"x,chunked",
        b"chunked,x",
        b"chunked, identity",
        b"identity",
        b"identity, chunked",
        b"gzip, chunked",
        b"chunked, gzip",
        b"deflate",
        b"chunked, chunked",
        b"chunked;q=1",
        b"chunked; x=\"a\"",
        b"\"chunked\"",
        b"'chunked'",
        b"chunked\\",
        b"xchunked",
        b"chunkedx",
        b"chunk",
        b"",
        b"chunked chunked",
        b"(x) chunked",
    ];
    let mut fields: Vec<Vec<u8>> = values
        .iter()
        .map(|value| [b"Transfer-Encoding: ", *value, b"\r\n"].concat())
        .collect();
    let written: [&[u8]; 14] = [
        b"Transfer-Encoding:chunked\r\n",
        b"transfer-encoding: chunked\r\n",
        b"TRANSFER-ENCODING: chunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer_Encoding: chunked\r\n",
        b"Transfer Encoding: chunked\r\n",
        b"Transfer-Encoding\r\n: chunked\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
        b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"X: y\nTransfer-Encoding: chunked\r\n",
        b"X: y\rTransfer-Encoding: chunked\r\n",
    ];
    fields.extend(written.map(<[u8]>::to_vec));
    fields
}

/// A Transfer-Encoding field with Content-Length before it, after it, and without it.
fn together(field: &[u8]) -> [Template; 4] {
    let name = shown(field.trim_ascii_end());
    let whole = format!("Content-Length: {}\r\n", 5 + SECOND).into_bytes();
    let line = format!("{SECOND:x}\r\n");
    let short = format!("Content-Length: {}\r\n", line.len()).into_bytes();
    let chunk = [line.as_bytes(), b"{2}\r\n0\r\n\r\n"].concat();
    [
        post(
            format!("length, then {name}"),
            &[&whole[..], field].concat(),
            b"0\r\n\r\n{2}",
        ),
        post(
            format!("{name}, then length"),
            &[field, &whole[..]].concat(),
            b"0\r\n\r\n{2}",
        ),
        post(
            format!("short length, then {name}"),
            &[&short[..], field].concat(),
            &chunk,
        ),
        post(name, field, b"3\r\nabc\r\n0\r\n\r\n{2}"),
    ]
}

/// A coding that only one of two servers recognizes; the other one uses Content-Length.
fn overlooked(field: &[u8]) -> Template {
    let whole = format!("Content-Length: {}\r\n", 5 + SECOND).into_bytes();
    let name = format!("length, then {}", shown(field.trim_ascii_end()));
    post(name, &[&whole[..], field].concat(), b"0\r\n\r\n{2}")
}

fn length(field: &[u8]) -> Template {
    post(shown(field.trim_ascii_end()), field, b"{2}{2}")
}

/// Content-Length values that are not numbers, are too large, or are repeated.
fn lengths() -> Vec<Template> {
    let right = SECOND.to_string();
    let values = [
        right.clone(),
        "0".to_owned(),
        "00".to_owned(),
        format!("0{right}"),
        format!("{:0>40}", right),
        format!("+{right}"),
        format!("-{right}"),
        "-0".to_owned(),
        format!("0x{SECOND:x}"),
        format!("{SECOND:x}h"),
        format!("{right}.0"),
        format!("{right}e0"),
        format!("{right},"),
        format!(",{right}"),
        format!("{right}, {right}"),
        format!("{right},{right}"),
        format!("{right}, 0"),
        format!("0, {right}"),
        format!("{right};"),
        format!("{right} 0"),
        format!("0 {right}"),
        format!("\"{right}\""),
        format!("_{right}"),
        format!("{}_{}", &right[..1], &right[1..]),
        "\u{0666}\u{0667}".to_owned(),
        "".to_owned(),
        "abc".to_owned(),
        "9223372036854775807".to_owned(),
        "9223372036854775808".to_owned(),
        "18446744073709551615".to_owned(),
        "18446744073709551616".to_owned(),
        "18446744073709551617".to_owned(),
        "340282366920938463463374607431768211522".to_owned(),
        "9".repeat(400),
    ];
    let one = values.map(|value| length(format!("Content-Length: {value}\r\n").as_bytes()));
    let (signed, padded) = (format!("+{right}"), format!("0{right}"));
    let two = [
        (right.as_str(), "0"),
        ("0", right.as_str()),
        (right.as_str(), right.as_str()),
        (right.as_str(), signed.as_str()),
        ("x", right.as_str()),
        ("", right.as_str()),
        (right.as_str(), ""),
        (padded.as_str(), right.as_str()),
    ];
    let two = two.map(|(first, second)| {
        let fields = format!("Content-Length: {first}\r\nContent-Length: {second}\r\n");
        length(fields.as_bytes())
    });
    let named = [
        "Content_Length",
        "Content-Length ",
        "Content Length",
        "\"Content-Length\"",
    ];
    let named = named.map(|name| length(format!("{name}: {right}\r\n").as_bytes()));
    one.into_iter().chain(two).chain(named).collect()
}
