//! Valid and invalid HTTP/1.1, in chunks of any size.

use super::*;

const LIMITS: HeadLimits = HeadLimits {
    bytes: 4 << 10,
    fields: 10,
};

const HEAD: &str = "POST / HTTP/1.1\r\nHost: x\r\n";

/// The number of valid bytes before an invalid body, and whether all are valid. Checks that chunk
/// sizes do not matter.
fn validate(bytes: &[u8]) -> (usize, bool) {
    let mut results = Vec::new();
    for size in [bytes.len(), 1, 2, 3, 7] {
        let (mut validator, mut valid) = (Http1Validator::new(LIMITS), 0);
        let result = bytes.chunks(size).try_for_each(|chunk| {
            let result = validator.feed(chunk);
            valid += result.err().unwrap_or(chunk.len());
            result
        });
        let in_head = validator.head_error().is_some();
        results.push((if in_head { 0 } else { valid }, result.is_ok()));
    }
    results.dedup();
    assert_eq!(results.len(), 1, "{}: {results:?}", bytes.escape_ascii());
    results[0]
}

#[test]
fn accepts_valid_requests() {
    let long = format!("X: {}\r\n\r\n", "y".repeat(1000));
    let requests = [
        "\r\n",
        "Content-Length: 3\r\n\r\na\nb",
        "Transfer-Encoding: Chunked\r\n\r\n3;x=y\r\na\nb\r\n0\r\nX: y\r\n\r\n",
        long.as_str(),
    ];
    let all: String = requests.map(|rest| format!("{HEAD}{rest}")).concat();
    assert_eq!(validate(all.as_bytes()), (all.len(), true));
}

#[test]
fn rejects_ambiguous_requests() {
    let chunked = "Transfer-Encoding: chunked\r\n";
    let long = |text: &str| text.repeat(1000);
    let cases = [
        ("\n".to_owned(), 0),
        ("X: y\n".to_owned(), 4),
        (format!("X: {}\n", long("y")), 1003),
        ("Transfer-Encoding: gzip\r\n".to_owned(), 24),
        (
            format!("Transfer-Encoding: chunked{}x\r\n", long(" ")),
            1028,
        ),
        (format!("{chunked}{chunked}"), 55),
        (format!("{chunked}Content-Length: 3\r\n\r\n"), 48),
        ("Content-Length: 3\r\nContent-Length: 4\r\n".to_owned(), 37),
        ("Content-Length: +3\r\n".to_owned(), 19),
        (format!("Content-Length: {}3\r\n", long("0")), 1018),
        (format!("{chunked}\r\n3 \r\nabc"), 33),
        (format!("{chunked}\r\n3;\x01\r\nabc"), 34),
        (format!("{chunked}\r\n3;x\nabc"), 33),
        (format!("{chunked}\r\n{}3\r\nabc", long("0")), 1032),
        (format!("{chunked}\r\n3;{}\r\nabc", long("x")), 1033),
        (format!("{chunked}\r\n0\r\nX: y\nZ: 1\r\n\r\n"), 37),
    ];
    for (rest, at) in cases {
        let text = format!("{HEAD}{rest}GET / HTTP/1.1\r\n");
        let in_body = rest.starts_with(&format!("{chunked}\r\n"));
        let position = if in_body { HEAD.len() + at } else { 0 };
        assert_eq!(validate(text.as_bytes()), (position, false), "{rest:?}");
    }
}

#[test]
fn tells_an_invalid_head_from_an_invalid_body() {
    let chunked = "Transfer-Encoding: chunked\r\n\r\n3\n";
    for (rest, in_head) in [("X: y\n", true), (chunked, false)] {
        let mut validator = Http1Validator::new(LIMITS);
        assert!(validator.feed(format!("{HEAD}{rest}").as_bytes()).is_err());
        assert!(validator.is_invalid());
        assert_eq!(validator.head_error().is_some(), in_head, "{rest:?}");
        assert_eq!(validator.feed(b"GET"), Err(0));
    }
}

#[test]
fn does_not_validate_other_protocols() {
    let mut validator = Http1Validator::new(LIMITS);
    validator.switch_protocol();
    assert_eq!(validator.feed(b"\n\n\n"), Ok(()));
}

#[test]
fn a_head_keeps_to_its_limits() {
    let error = |head: &str| {
        let mut validator = Http1Validator::new(LIMITS);
        let result = validator.feed(head.as_bytes());
        assert_eq!(result.is_err(), validator.is_invalid());
        validator.head_error()
    };
    let fields = |count: usize| format!("{HEAD}{}\r\n", "x: y\r\n".repeat(count));
    assert_eq!(
        error(&fields(9).repeat(3)),
        None,
        "each head is counted alone"
    );
    assert_eq!(error(&fields(10)), Some(HeadError::TooManyFields(10)));
    let long = |count: usize| format!("{HEAD}x: {}\r\n\r\n", "y".repeat(count));
    let fits = LIMITS.bytes - long(0).len();
    assert_eq!(error(&long(fits).repeat(3)), None);
    assert_eq!(
        error(&long(fits + 1)),
        Some(HeadError::TooLarge(LIMITS.bytes))
    );
    assert_eq!(validate(long(LIMITS.bytes).as_bytes()), (0, false));
}

#[test]
fn rejects_fields_that_hyper_rejects() {
    for field in [
        "no colon",
        ": y",
        "x : y",
        " folded",
        "x: \0",
        "x: a\rb",
        "x\u{e9}: y",
    ] {
        let mut validator = Http1Validator::new(LIMITS);
        assert!(
            validator
                .feed(format!("{HEAD}{field}\r\n").as_bytes())
                .is_err()
        );
        assert_eq!(validator.head_error(), Some(HeadError::Field), "{field:?}");
    }
}

#[test]
fn bytes_of_another_protocol_may_follow_a_request_for_it() {
    let early = b"\x81\x85\x01\x02\x03";
    let upgrade = [
        format!("{HEAD}Upgrade: websocket\r\n\r\n").as_bytes(),
        early,
    ]
    .concat();
    assert_eq!(validate(&upgrade), (upgrade.len(), true));
    let other = [format!("{HEAD}\r\n").as_bytes(), early].concat();
    assert!(!validate(&other).1);
}
