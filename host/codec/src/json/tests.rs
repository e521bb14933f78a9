//! Tests of documents and pointers.

use std::fmt::Write as _;

use bytes::Bytes;

use super::*;

fn parse(text: &str) -> Option<Document> {
    Document::parse(Bytes::copy_from_slice(text.as_bytes()))
}

#[test]
fn accepts_only_strict_json() {
    let good = [
        "null",
        " true ",
        "-0.5e+10",
        "\"\\u00e9\\ud83d\\ude00\"",
        "[]",
        "[1,[2]]",
        "{}",
        "{\"a\":{},\"a\":1}",
        "123456789012345678901234567890",
        "\"é\"",
        "\r\n\t {\"a\" : [ ] }\n",
        "\u{feff}{\"a\": [1]}",
    ];
    for text in good {
        assert!(parse(text).is_some(), "{text}");
    }
    let bad = [
        "",
        " ",
        "nul",
        "nulll",
        "NaN",
        "Infinity",
        "-Infinity",
        "-",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "{\"a\":}",
        "\"",
        "\"\n\"",
        "\"\\x\"",
        "\"\\ud83d\"",
        "1 2",
        "{}x",
        "'a'",
        "[1]]",
        "\u{feff}",
        "\u{feff}\u{feff}{}",
        "{}\u{feff}",
        "\"\u{1}\"",
    ];
    for text in bad {
        assert!(parse(text).is_none(), "{text:?}");
    }
    assert!(Document::parse(Bytes::from_static(b"\"\xff\"")).is_none());
    assert!(Document::parse(Bytes::from_static(b"{} \xff")).is_none());
}

#[test]
fn limits_the_nesting() {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(MAX_DEPTH)).is_some());
    assert!(parse(&nested(MAX_DEPTH + 1)).is_none());
    assert!(parse(&"[".repeat(1 << 20)).is_none());
}

#[test]
fn spans_are_exact() {
    let text = r#" { "a" : "x\n" , "b" :[ 1.50 , true,null ] , "a":{} } "#;
    let json = parse(text).unwrap();
    let slice = |pointer: &str| -> Vec<String> {
        let pointer = Pointer::parse(pointer).unwrap();
        let found = json.find(&pointer);
        found.map(|node| node.text().to_owned()).collect()
    };
    assert_eq!(slice(""), [text.trim()]);
    assert_eq!(slice("/a"), [r#""x\n""#, "{}"]);
    assert_eq!(slice("/b"), ["[ 1.50 , true,null ]"]);
    assert_eq!(slice("/b/*"), ["1.50", "true", "null"]);
    assert_eq!(slice("/b/0"), ["1.50"]);
    assert_eq!(slice("/*/1"), ["true"]);
    for missing in ["/b/00", "/b/3", "/b/-", "/b/+1", "/c", "/a/0", "/b/"] {
        assert!(slice(missing).is_empty(), "{missing}");
    }
    let pointer = Pointer::parse("/a").unwrap();
    let first = json.find(&pointer).next().unwrap();
    assert!(matches!(first.kind(), Kind::String(decoded) if decoded == "x\n"));
}

#[test]
fn parses_and_displays_pointers() {
    let json = parse(r#"{"":0,"a/b":1,"m~n":2,"*":3}"#).unwrap();
    for (pointer, expected) in [("/", "0"), ("/a~1b", "1"), ("/m~0n", "2")] {
        let parsed = Pointer::parse(pointer).unwrap();
        assert_eq!(json.find(&parsed).next().unwrap().text(), expected);
        assert_eq!(parsed.to_string(), pointer);
    }
    assert_eq!(json.find(&Pointer::parse("/*").unwrap()).count(), 4);
    assert_eq!(Pointer::parse("a"), Err(PointerError::NoSlash));
    assert_eq!(Pointer::parse("/~2"), Err(PointerError::Escape));
    assert_eq!(Pointer::parse("/a~"), Err(PointerError::Escape));
    assert_eq!(
        Pointer::parse("/~01").unwrap().steps(),
        [Step::Name("~1".into())]
    );
    assert_eq!(escape("~/*"), "~0~1*");
}

/// Writes a value without white space by reading each value of the document.
fn written(node: Node<'_>) -> String {
    match node.kind() {
        Kind::Object(members) => {
            let members = members.map(|member| {
                let name = serde_json::Value::from(member.name.as_ref());
                format!("{name}:{}", written(member.value))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Kind::Array(elements) => {
            format!("[{}]", elements.map(written).collect::<Vec<_>>().join(","))
        }
        Kind::String(text) => serde_json::Value::from(text.as_ref()).to_string(),
        Kind::Number | Kind::Bool(_) | Kind::Null => node.text().to_owned(),
    }
}

#[test]
fn reads_every_value_as_serde_json_does() {
    let texts = [
        r#" { "a\"b" : [ { } , [ ] , [[1,-2.5e+3],"\u00e9\\"] ] , "" : { "x":null , "y" : 0 } } "#,
        r#"[[],[[]],[{}],{"a":[]},"","]","}",",",1]"#,
        "\"\\\"\"",
        "-0.5E-10",
        "{\"a\":{\"a\":{\"a\":[]},\"b\":0}}",
    ];
    for text in texts {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        let read: serde_json::Value =
            serde_json::from_str(&written(parse(text).unwrap().root())).unwrap();
        assert_eq!(read, value, "{text}");
    }
}

#[test]
fn the_table_is_at_most_six_times_the_text() {
    for unit in ["0", "[]", "{}", "\"\"", "{\"\":0}", "[[[[]]]]", "null"] {
        let sizes = [1_000, 2_000].map(|count| {
            let mut text = String::from("[0");
            for _ in 0..count {
                write!(text, ",{unit}").unwrap();
            }
            text.push(']');
            let size = text.len();
            (parse(&text).unwrap().table_size(), size)
        });
        let [(one, size), (two, _)] = sizes;
        assert!(one <= 6 * size, "{unit}: {one} bytes for {size}");
        assert!(two <= 2 * one, "{unit}: {one} bytes, then {two}");
    }
}
