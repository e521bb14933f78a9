//! Redaction of bodies of every format.

use super::*;

#[test]
fn json_keeps_the_text_around_secrets() {
    let cases = [
        (
            r#"{ "a" : 1.0 , "PassWord" : "x\ny" }"#,
            r#"{ "a" : 1.0 , "PassWord" : "<password-1>" }"#,
        ),
        (
            r#"[{"accessToken":"t"},{"access-token":"t"}]"#,
            r#"[{"accessToken":"<access-token-1>"},{"access-token":"<access-token-1>"}]"#,
        ),
        (
            r#"{"password":12.50,"api_key":true,"sig":null}"#,
            r#"{"password":"<password-1>","api_key":"<api-key-1>","sig":null}"#,
        ),
        (
            r#"{"password":{"v":["abc"]},"x":[]}"#,
            r#"{"password":{"v":["<password-1>"]},"x":[]}"#,
        ),
        (
            r#"{"password":"","api_key":{},"sig":[null]}"#,
            r#"{"password":"","api_key":{},"sig":[null]}"#,
        ),
        (
            r#"{"password":"a","password":"b"}"#,
            r#"{"password":"<password-1>","password":"<password-2>"}"#,
        ),
        (
            r#"{"cards":[{"number":"4111"},{"number":4222}]}"#,
            r#"{"cards":[{"number":"<card-1>"},{"number":"<card-2>"}]}"#,
        ),
        (
            r#"{"t":"x pat_abcd1234\n\u00e9"}"#,
            r#"{"t":"x pat_<pat-1>\né"}"#,
        ),
        (r#"{"pat_abcd1234":1}"#, r#"{"pat_<pat-1>":1}"#),
        (
            r#"{"u":"https://u:pw@h/?sig=s&b=1"}"#,
            r#"{"u":"https://u:%3Cuserinfo-1%3E@h/?sig=%3Csig-1%3E&b=1"}"#,
        ),
        (
            r#"{"raw":"{\"password\":\"x\",\"n\":1.0}"}"#,
            r#"{"raw":"{\"password\":\"<password-1>\",\"n\":1.0}"}"#,
        ),
        (
            r#"{"raw":"a=1&password=x%20y"}"#,
            r#"{"raw":"a=1&password=%3Cpassword-1%3E"}"#,
        ),
        (
            r#"{"raw":"log: \"password\": \"x\", cut"}"#,
            r#"{"raw":"log: \"password\": \"<password-1>\", cut"}"#,
        ),
        (r#"{"a":"b"}"#, r#"{"a":"b"}"#),
        (r#""pat_abcd1234""#, r#""pat_<pat-1>""#),
    ];
    for (text, expected) in cases {
        for content_type in [
            "application/json",
            "application/vnd.api+json; charset=utf-8",
            "text/plain",
            "",
        ] {
            assert_eq!(body(content_type, text), expected, "{content_type}: {text}");
        }
    }
}

#[test]
fn lines_of_json_are_redacted_one_by_one() {
    let cases = [
        (
            "application/x-ndjson",
            "{\"password\":\"a\"}\r\n\n{\"password\":\"b\"}\n[1]",
            "{\"password\":\"<password-1>\"}\r\n\n{\"password\":\"<password-2>\"}\n[1]",
        ),
        (
            "text/event-stream",
            "event: x\ndata: {\"password\":\"a\"}\n\n\
             data:{\"sig\":1}\ndata: [DONE]\n\n: pat_abcd1234\n",
            "event: x\ndata: {\"password\":\"<password-1>\"}\n\n\
             data:{\"sig\":\"<sig-1>\"}\ndata: [DONE]\n\n: pat_<pat-1>\n",
        ),
        (
            "text/event-stream",
            "data: {\ndata:  \"password\": \"a\",\ndata:  \"sig\": 5}\n\n",
            "data: {\ndata:  \"password\": \"<password-1>\",\ndata:  \"sig\": \"<sig-1>\"}\n\n",
        ),
        (
            "application/json",
            "{\"password\": \"cut of",
            "{\"password\": \"<password-1>",
        ),
        (
            "application/json",
            "{\"e\":\"\\ud83d\",\"password\":\"a\"}",
            "{\"e\":\"\\ud83d\",\"password\":\"<password-1>\"}",
        ),
        (
            "text/html",
            "<a href=\"/?x=1&amp;sig=abc\">pat_abcd1234</a>",
            "<a href=\"/?x=1&amp;sig=%3Csig-1%3E\">pat_%3Cpat-1%3E</a>",
        ),
    ];
    for (content_type, text, expected) in cases {
        assert_eq!(body(content_type, text), expected, "{text}");
    }
}

#[test]
fn deeply_nested_json_is_redacted() {
    let deep = format!(
        "{}{{\"password\":\"x\"}}{}",
        "[".repeat(200),
        "]".repeat(200)
    );
    assert!(body("application/json", &deep).contains("\"<password-1>\""));
}

#[test]
fn json_that_is_named_a_form_is_redacted_as_json() {
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    for (text, expected) in [
        (
            r#"{"password":"abc def"}"#,
            r#"{"password":"<password-1>"}"#,
        ),
        (
            r#" [{"password":"abc def"}]"#,
            r#" [{"password":"<password-1>"}]"#,
        ),
        (
            "\u{feff}{\"password\":\"abc def\"}",
            "\u{feff}{\"password\":\"<password-1>\"}",
        ),
        (
            "{\"n\":1}\n{\"password\":\"abc def\"}\n",
            "{\"n\":1}\n{\"password\":\"<password-1>\"}\n",
        ),
    ] {
        assert_eq!(body(form, text), expected);
    }
    // A form whose first name begins with a brace.
    assert_eq!(
        body(form, "{a}=1&password=abcdef"),
        "{a}=1&password=%3Cpassword-1%3E"
    );
}

#[test]
fn forms_are_redacted_by_field() {
    let text = "a=1&Password=x+y%21&api_key=&j=%7B%22sig%22%3A1%7D&t=pat_abcd1234";
    let expected = "a=1&Password=%3Cpassword-1%3E&api_key=\
        &j=%7B%22sig%22%3A%22%3Csig-1%3E%22%7D&t=pat_%3Cpat-1%3E";
    assert_eq!(body("application/x-www-form-urlencoded", text), expected);
}

#[test]
fn markup_stays_well_formed() {
    for (text, expected) in [
        (
            "<?xml version=\"1.0\"?>\n<id>pat_abcd1234</id>",
            "<?xml version=\"1.0\"?>\n<id>pat_%3Cpat-1%3E</id>",
        ),
        ("<a id=\"pat_abcd1234\"/>", "<a id=\"pat_%3Cpat-1%3E\"/>"),
        ("a < pat_abcd1234 >", "a < pat_<pat-1> >"),
    ] {
        assert_eq!(body("text/xml", text), expected);
        // Redaction of a recorded body changes nothing.
        assert_eq!(body("text/xml", expected), expected);
    }
}

#[test]
fn parts_are_redacted_by_field_and_by_type() {
    let text = "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nx y\r\n\
        --b\r\nContent-Disposition: form-data; name=\"m\"; filename=\"pat_abcd1234\"\r\n\
        Content-Type: application/json\r\n\r\n{\"sig\":\"s\"}\r\n\
        --b\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\npat_efgh5678\r\n--b--\r\n";
    let expected = "--b\r\n\
        Content-Disposition: form-data; name=\"password\"\r\n\r\n<password-1>\r\n\
        --b\r\nContent-Disposition: form-data; name=\"m\"; filename=\"pat_<pat-1>\"\r\n\
        Content-Type: application/json\r\n\r\n{\"sig\":\"<sig-1>\"}\r\n\
        --b\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\npat_<pat-2>\r\n--b--\r\n";
    assert_eq!(body("multipart/form-data; boundary=b", text), expected);
    let broken = "--b\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\npat_efgh5678";
    assert!(body("multipart/form-data; boundary=b", broken).ends_with("pat_<pat-1>"));
}

#[test]
fn finds_a_secret_across_lines_and_parts() {
    let (rules, secrets) = (rules(), Secrets::default());
    secrets.register("end", b"abcdef\r\n--b--");
    let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
    let cases = [
        (
            "application/x-ndjson",
            "{\"password\":\"line one\\n[2]\"}\nline one\n[2]\n",
            "{\"password\":\"<password-1>\"}\n<password-1>\n",
        ),
        (
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nabcdef\r\n--b--",
            "--b\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\n<end-1>",
        ),
    ];
    for (content_type, text, expected) in cases {
        let text = Bytes::from_static(text.as_bytes());
        assert_eq!(
            redaction.redact_body(Some(content_type), &text).value,
            expected
        );
    }
}

#[test]
fn binary_bodies_are_never_edited() {
    let (rules, secrets) = (rules(), Secrets::default());
    let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
    let binary = Bytes::from_static(b"\xff\xfe pat_abcd1234");
    assert_eq!(
        redaction.redact_body(Some("image/png"), &binary).value,
        binary
    );
    assert_eq!(redaction.redact_body(None, &binary).value, binary);
    let text = redaction.redact_body(Some("text/plain"), &binary).value;
    assert_eq!(text, b"\xff\xfe pat_<pat-1>".as_slice());
    let json = Bytes::from_static(b"{\"password\":\"\xe9x\",\"b\":\"\xe9\"}");
    let json = redaction.redact_body(Some("application/json"), &json).value;
    assert_eq!(
        json,
        b"{\"password\":\"<password-1>\",\"b\":\"\xe9\"}".as_slice()
    );
}

#[test]
fn finds_known_secrets_everywhere_in_json() {
    let (rules, secrets) = (rules(), Secrets::default());
    secrets.register("token", b"s3cr3t/\"value");
    secrets.register("pin", b"123456789");
    let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
    let cases = [
        (r#"{"a":"s3cr3t/\"value"}"#, r#"{"a":"<token-1>"}"#),
        (r#"{"a":"x s3cr3t\/\"value"}"#, r#"{"a":"x <token-1>"}"#),
        (
            r#"{"a":"\u0073\u0033cr3t/\u0022value"}"#,
            r#"{"a":"<token-1>"}"#,
        ),
        (
            r#"{"s3cr3t/\"value":"s3cr3t%2F%22value"}"#,
            r#"{"<token-1>":"<token-1>"}"#,
        ),
        (r#"{"a":"czNjcjN0LyJ2YWx1ZQ=="}"#, r#"{"a":"<token-1>"}"#),
        (
            r#"{"a":123456789,"b":[-123456789 ],"c":"123456789"}"#,
            r#"{"a":"<pin-1>","b":["<pin-1>" ],"c":"<pin-1>"}"#,
        ),
        (r#"{"a":1234567890}"#, r#"{"a":1234567890}"#),
        (
            r#"{"u":"https://h/s3cr3t%2F%22value/x"}"#,
            r#"{"u":"https://h/%3Ctoken-1%3E/x"}"#,
        ),
    ];
    for (text, expected) in cases {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        let redacted = redaction
            .redact_body(Some("application/json"), &bytes)
            .value;
        assert_eq!(redacted, expected, "{text}");
        assert!(ouli_codec::json::Document::parse(redacted).is_some());
    }
}

#[test]
fn finds_known_secrets_after_any_white_space() {
    let rules = rules();
    for space in ["\u{85}", "\u{a0}", "\u{2003}", "\u{3000}", "é ", "\n"] {
        for text in [
            format!("{space}s3cr3t-value"),
            format!("https://a{space}s3cr3t-value"),
        ] {
            let secrets = Secrets::default();
            secrets.register("known", b"s3cr3t-value");
            let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
            let body = Bytes::from(text.clone());
            let redacted = redaction.redact_body(Some("text/plain"), &body).value;
            assert_eq!(redacted, text.replace("s3cr3t-value", "<known-1>"));
        }
    }
}
