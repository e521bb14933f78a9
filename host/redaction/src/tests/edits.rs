//! Edits of plugins.

use super::*;

fn replace(start: u64, end: u64, text: &str) -> Edit {
    let bytes = text.as_bytes().to_vec();
    Edit::Replace { start, end, bytes }
}

fn json(pointer: &str, text: &str) -> Edit {
    let (pointer, text) = (pointer.to_owned(), text.to_owned());
    Edit::ReplaceJson { pointer, text }
}

fn header(name: &str, values: &[&str]) -> Edit {
    Edit::SetHeader {
        name: name.to_owned(),
        values: values
            .iter()
            .map(|value| value.as_bytes().to_vec())
            .collect(),
    }
}

fn sample() -> Request {
    request(
        "/a",
        &[("x", "1"), ("y", "2"), ("x", "3")],
        r#"{"a":1,"b":[true,"x"]}"#,
    )
}

#[test]
fn edits_are_applied_together() {
    let mut request = sample();
    let remove = Edit::RemoveHeader {
        name: "Y".to_owned(),
    };
    let target = Edit::SetTarget("/b?c=%3Cd-1%3E".to_owned());
    let edits = vec![
        header("X", &["new", "newer"]),
        remove,
        target,
        json("/b/*", "null"),
        replace(5, 6, "22"),
        replace(22, 22, "\n"),
    ];
    edit_request(&mut request, edits).unwrap();
    assert_eq!(request.target, "/b?c=%3Cd-1%3E");
    assert_eq!(request.fields, fields(&[("x", "new"), ("x", "newer")]));
    assert_eq!(request.body.inline(), b"{\"a\":22,\"b\":[null,null]}\n");
    let mut answer = response(&[], "[1]");
    edit_response(&mut answer, vec![json("/0", "{}"), header("z", &["1"])]).unwrap();
    assert_eq!(
        (answer.body.inline(), answer.fields.get_str("z")),
        (b"[{}]".as_slice(), Some("1"))
    );
}

#[test]
fn one_invalid_edit_prevents_all_others() {
    let cases = [
        (header("a b", &[]), "`a b` is not a header name"),
        (
            header("a", &["x\r\ny"]),
            "the new value of header `a` is invalid",
        ),
        (
            replace(0, 99, ""),
            "bytes 0 to 99 are outside the body of 22 bytes",
        ),
        (
            replace(3, 2, ""),
            "bytes 3 to 2 are outside the body of 22 bytes",
        ),
        (
            replace(0, u64::MAX, ""),
            "bytes 0 to 18446744073709551615 are outside the body of 22 bytes",
        ),
        (replace(4, 6, ""), "two edits overlap at byte 5 of the body"),
        (
            json("a", "1"),
            "`a`: a JSON pointer is empty or begins with `/`",
        ),
        (json("/b", "nope"), "the new text at `/b` is not JSON"),
        (
            Edit::SetTarget("https://x/".to_owned()),
            "the new target is not a path with an optional query",
        ),
        (
            Edit::SetTarget("/a b".to_owned()),
            "the new target is not a path with an optional query",
        ),
    ];
    for (bad, expected) in cases {
        let mut request = sample();
        let error = edit_request(
            &mut request,
            vec![header("x", &[]), replace(5, 6, "2"), bad],
        )
        .unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(request, sample());
    }
}

#[test]
fn edits_of_missing_content_are_errors() {
    let mut answer = response(&[], "text");
    let target = Edit::SetTarget("/".to_owned());
    assert_eq!(
        edit_response(&mut answer, vec![target]),
        Err(EditError::NoTarget)
    );
    assert_eq!(
        edit_response(&mut answer, vec![json("", "1")]),
        Err(EditError::NoJson)
    );
    answer.body = Content::Stored {
        digest: "abc".to_owned(),
        size: 3,
    };
    assert_eq!(
        edit_response(&mut answer, vec![replace(0, 0, "")]),
        Err(EditError::NoBody)
    );
    assert_eq!(
        edit_response(&mut answer, vec![json("/a", "1")]),
        Err(EditError::NoBody)
    );
    let mut list = response(&[], "[1]");
    assert_eq!(edit_response(&mut list, vec![json("/7", "2")]), Ok(()));
    assert_eq!(list.body.inline(), b"[1]");
}
