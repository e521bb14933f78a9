//! Tables of differences and their remedies.

use super::tests::{candidate, json, missed};
use super::{settings_text, *};
use crate::key::sample_message::{Sample, body, default_parts, multipart};
use crate::key::{ExcludedNames, KeyPart, derive};

fn compared(parts: &[KeyPart], live: &Sample, recorded: &Sample) -> Nearest {
    let missed = missed(parts, live, Cause::NoMatch);
    let mut miss = report(missed, vec![candidate(12, parts, recorded)]);
    miss.nearest.remove(0)
}

/// Differences as `part at | sent | recorded | remedy`.
fn lines(nearest: &Nearest) -> Vec<String> {
    let show = |difference: &Difference| {
        let text = |value: &Option<String>| value.clone().unwrap_or("-".to_owned());
        format!(
            "{} {} | {} | {} | {}",
            difference.part,
            text(&difference.at),
            text(&difference.live),
            text(&difference.recorded),
            resolution(difference)
        )
    };
    nearest.differences.iter().map(show).collect()
}

/// The setting as TOML, or the hint.
fn resolution(difference: &Difference) -> String {
    let Resolution::Setting(change) = &difference.resolution else {
        return difference.resolution.to_string();
    };
    let mut settings = serde_json::Map::new();
    change.apply_to_settings(&mut settings);
    let section = settings_text::section(&settings);
    section
        .trim_start_matches("[matcher]\n")
        .trim_end()
        .to_owned()
}

fn form(text: &str) -> Sample {
    Sample::new("POST", "/").body("application/x-www-form-urlencoded", text.to_owned())
}

fn raw(bytes: &'static [u8]) -> Sample {
    Sample::new("POST", "/").body("image/png", bytes)
}

#[test]
fn targets_differ_by_part_and_parameter() {
    let cases: [(&str, &str, &[&str]); 6] = [
        (
            "/A/",
            "/a",
            &[concat!(
                r#"path - | "/A/" | "/a" | "#,
                "differs only in case and a trailing slash; no setting ignores it"
            )],
        ),
        (
            "/a",
            "/b",
            &[r#"path - | "/a" | "/b" | no setting ignores the path"#],
        ),
        (
            "/a?n=1&x=1",
            "/a?n=2&x=1",
            &[r#"query n | "1" | "2" | ignore_query = ["n"]"#],
        ),
        (
            "/a?n=1",
            "/a",
            &[r#"query n | "1" | - | ignore_query = ["n"]"#],
        ),
        (
            "/a?n=1&n=2",
            "/a?n=2&n=1",
            &[r#"query n | "1", "2" | "2", "1" | ignore_query = ["n"]"#],
        ),
        (
            "/a?q%22=1",
            "/a",
            &[r#"query q" | "1" | - | ignore_query = ["q\""]"#],
        ),
    ];
    let parts = default_parts(&[], &[]);
    for (live, recorded, expected) in cases {
        let nearest = compared(
            &parts,
            &Sample::new("GET", live),
            &Sample::new("GET", recorded),
        );
        assert_eq!(lines(&nearest), expected, "{live} and {recorded}");
    }
}

#[test]
fn json_bodies_differ_by_pointer() {
    let cases: [(&str, &str, &[&str]); 8] = [
        (
            r#"{"a":1,"b":{"c":"x"}}"#,
            r#"{"b":{"c":"y"},"a":1.0}"#,
            &[r#"body /b/c | "x" | "y" | ignore_body = ["/b/c"]"#],
        ),
        (
            r#"{"a/b":1}"#,
            "{}",
            &[r#"body /a~1b | 1 | - | ignore_body = ["/a~1b"]"#],
        ),
        (
            "{}",
            r#"{"a":{"b":[1,null]}}"#,
            &[r#"body /a | - | {"b":[1,null]} | ignore_body = ["/a"]"#],
        ),
        (
            r#"[{"id":1},{"id":2}]"#,
            r#"[{"id":3},{"id":4}]"#,
            &[
                r#"body /0/id | 1 | 3 | ignore_body = ["/*/id"]"#,
                r#"body /1/id | 2 | 4 | ignore_body = ["/*/id"]"#,
            ],
        ),
        (
            r#"{"m":[{"id":1},{"id":2,"x":1}]}"#,
            r#"{"m":[{"id":1},{"id":4}]}"#,
            &[
                r#"body /m/1/id | 2 | 4 | ignore_body = ["/m/1/id"]"#,
                r#"body /m/1/x | 1 | - | ignore_body = ["/m/1/x"]"#,
            ],
        ),
        (
            "[1,2,3]",
            "[1,2]",
            &[r#"body /2 | 3 | - | ignore_body = ["/2"]"#],
        ),
        ("[]", "{}", &["body  | [] | {} | ignore_body = [\"\"]"]),
        ("[1]", "[1.0]", &[]),
    ];
    for (live, recorded, expected) in cases {
        let nearest = compared(&[body(&[])], &json(live), &json(recorded));
        assert_eq!(lines(&nearest), expected, "{live} and {recorded}");
    }
}

#[test]
fn other_bodies_differ_by_field_or_as_a_whole() {
    let cases: [(Sample, Sample, &[&str]); 5] = [
        (
            form("a=1&n~=2"),
            form("a=1&n~=3"),
            &[r#"body n~ | "2" | "3" | ignore_body = ["/n~0"]"#],
        ),
        (
            raw(b"abc"),
            raw(b"abd"),
            &[concat!(
                r#"body - | "abc" | "abd" | "#,
                r#"ignore_body = [""]"#
            )],
        ),
        (
            raw(b"a\x1b[31m"),
            raw(b"\xff\x00"),
            &[concat!(
                r#"body - | "a\u001b[31m" | 2 bytes ff00 | "#,
                r#"ignore_body = [""]"#
            )],
        ),
        (
            json("{}"),
            form("a=1"),
            &[r#"body - | {} | a="1" | ignore_body = [""]"#],
        ),
        (
            json("{}"),
            json(""),
            &[r#"body - | {} | no body | ignore_body = [""]"#],
        ),
    ];
    for (live, recorded, expected) in cases {
        let nearest = compared(&[body(&[])], &live, &recorded);
        assert_eq!(lines(&nearest), expected);
    }
}

#[test]
fn multipart_bodies_differ_by_part() {
    const A: &str = "Content-Disposition: form-data; name=\"a\"";
    const F: &str = "Content-Disposition: form-data; name=\"f\"; filename=\"x\"";
    const G: &str = "Content-Disposition: form-data; name=\"f\"; filename=\"y\"";
    const J: &str = "Content-Disposition: form-data; name=\"j\"\r\nContent-Type: application/json";
    const N: &str = "Content-Disposition: attachment";
    type Parts = &'static [(&'static str, &'static str)];
    let cases: [(Parts, Parts, &str); 6] = [
        (
            &[(A, "1")],
            &[(A, "2")],
            r#"body a | "1" | "2" | ignore_body = ["/a"]"#,
        ),
        (
            &[(A, "1"), (F, "2")],
            &[(F, "2")],
            r#"body a | "1" | - | ignore_body = ["/a"]"#,
        ),
        (
            &[(A, "1"), (F, "2")],
            &[(F, "2"), (A, "1")],
            r#"body - | - | - | ignore_body = [""]"#,
        ),
        (
            &[(F, "1")],
            &[(G, "1")],
            concat!(
                r#"body f | filename "x" | filename "y" | "#,
                r#"ignore_body = ["/f"]"#
            ),
        ),
        (
            &[(J, r#"{"n":1}"#)],
            &[(J, r#"{"n":2}"#)],
            r#"body /j/n | 1 | 2 | ignore_body = ["/j/n"]"#,
        ),
        (
            &[(N, "1")],
            &[(N, "2")],
            r#"body part 1 | "1" | "2" | ignore_body = ["/"]"#,
        ),
    ];
    for (live, recorded, expected) in cases {
        let sample = |boundary, parts| {
            let (kind, text) = multipart(boundary, parts);
            Sample::new("POST", "/").body(&kind, text)
        };
        let nearest = compared(&[body(&[])], &sample("one", live), &sample("two", recorded));
        assert_eq!(lines(&nearest), [expected]);
    }
}

#[test]
fn headers_and_custom_parts_differ_by_name() {
    let except = ExcludedNames::case_insensitive(["date"]);
    let custom = |value: &'static str| KeyPart::Custom {
        name: "tenant".to_owned(),
        value: value.into(),
    };
    let parts = |value| {
        vec![
            KeyPart::Header("accept".to_owned()),
            KeyPart::Header("range".to_owned()),
            KeyPart::Headers {
                except: except.clone(),
            },
            custom(value),
        ]
    };
    let live = Sample::new("GET", "/")
        .field("accept", b"x")
        .field("range", b"bytes=0-1")
        .field("date", b"1");
    let recorded = Sample::new("GET", "/").field("etag", b"\xff");
    let mut missed = missed(&parts("a"), &live, Cause::NoMatch);
    let named = serde_json::json!(["Accept", "*"]);
    missed.guidance.matcher.insert("headers".to_owned(), named);
    let miss = report(missed, vec![candidate(1, &parts("b"), &recorded)]);
    assert_eq!(
        lines(&miss.nearest[0]),
        [
            r#"header.accept accept | "x" | - | headers = []"#,
            r#"header.range range | "bytes=0-1" | - | ignore_headers = ["range"]"#,
            r#"headers accept | "x" | - | ignore_headers = ["accept"]"#,
            r#"headers etag | - | "�" | ignore_headers = ["etag"]"#,
            r#"headers range | "bytes=0-1" | - | ignore_headers = ["range"]"#,
            concat!(
                r#"tenant - | "a" | "b" | "#,
                "a plugin computes part tenant: change the plugin or its settings"
            ),
        ]
    );
}

#[test]
fn settings_are_suggested_for_the_built_in_matcher_only() {
    let parts = default_parts(&[], &[]);
    let (live, recorded) = (Sample::new("GET", "/?a=1"), Sample::new("GET", "/?a=2"));
    let mut missed = missed(&parts, &live, Cause::NoMatch);
    missed.message.matcher = Some("mine.wasm".to_owned());
    let miss = report(missed, vec![candidate(1, &parts, &recorded)]);
    assert_eq!(miss.remedy, None);
    let expected = concat!(
        r#"query a | "1" | "2" | "#,
        "the matcher mine.wasm compares it: change its settings or the parts it declares"
    );
    assert_eq!(lines(&miss.nearest[0]), [expected]);
}

#[test]
fn every_suggested_setting_ignores_its_difference() {
    let live = || json(r#"{"a/b":1,"list":[{"id":1},{"id":2}],"more":[1,2]}"#);
    let recorded = || json(r#"{"list":[{"id":3},{"id":4}],"more":[1]}"#);
    let nearest = compared(&[body(&[])], &live(), &recorded());
    let pointers: Vec<_> = nearest
        .differences
        .iter()
        .map(|difference| match &difference.resolution {
            Resolution::Setting(Change::Ignore { entry, .. }) => entry.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(pointers, ["/a~1b", "/list/*/id", "/list/*/id", "/more/1"]);
    let parts = [body(&pointers)];
    assert_eq!(derive(&parts, &live()), derive(&parts, &recorded()));
}
