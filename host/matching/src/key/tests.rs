//! Tables of equal and different requests, and a random comparison of keys with descriptions.

use bytes::Bytes;

use super::sample_message::{Sample, body, default_parts, multipart};
use super::{ExcludedNames, KeyPart, derive, describe};

/// Checks that keys, hashes and descriptions are all equal, or all different.
#[track_caller]
pub(super) fn check(parts: &[KeyPart], left: &Sample, right: &Sample, equal: bool, note: &str) {
    let keys = derive(parts, left) == derive(parts, right);
    let hashes = derive(parts, left).hash() == derive(parts, right).hash();
    let described = describe(parts, left) == describe(parts, right);
    assert_eq!((keys, hashes, described), (equal, equal, equal), "{note}");
}

pub(super) const JSON: &str = "application/json";
pub(super) const FORM: &str = "application/x-www-form-urlencoded";
const LINES: &str = "application/x-ndjson";

#[test]
fn compares_targets() {
    let cases: [(&str, &str, &[&str], bool); 13] = [
        ("/a", "/a", &[], true),
        ("/a", "/b", &[], false),
        ("/a", "/a/", &[], false),
        ("/a?x=1&y=2", "/a?y=2&x=1", &[], true),
        ("/a?x=1&x=2", "/a?x=2&x=1", &[], false),
        ("/a?x=1&y=2&x=3", "/a?x=1&x=3&y=2", &[], true),
        ("/a?x=%41", "/a?x=A", &[], true),
        ("/a?ab=c", "/a?a=bc", &[], false),
        ("/a?x=1", "/a", &[], false),
        ("/a?x=1", "/a", &["x"], true),
        ("/a?X=1", "/a", &["x"], false),
        ("/a?utm_source=1&utm_id=2&q=3", "/a?q=3", &["utm_*"], true),
        ("/a?x=", "/a", &[], false),
    ];
    for (left, right, except, equal) in cases {
        let parts = default_parts(except, &[]);
        let (a, b) = (Sample::new("GET", left), Sample::new("GET", right));
        check(
            &parts,
            &a,
            &b,
            equal,
            &format!("{left} and {right} except {except:?}"),
        );
    }
    let (get, head) = (Sample::new("GET", "/a"), Sample::new("HEAD", "/a"));
    check(&default_parts(&[], &[]), &get, &head, false, "methods");
    check(&[KeyPart::Path], &get, &head, true, "the path alone");
    check(
        &[KeyPart::Endpoint, KeyPart::Authority],
        &get,
        &head,
        true,
        "one endpoint",
    );
}

#[test]
fn compares_headers() {
    let plain = || Sample::new("GET", "/");
    let a = || plain().field("accept", b"x").field("date", b"1");
    let b = || plain().field("date", b"2").field("accept", b"x");
    let all_except = |names: &[&str]| KeyPart::Headers {
        except: ExcludedNames::case_insensitive(names),
    };
    let one = |name: &str| KeyPart::Header(name.to_owned());
    check(&[one("accept")], &a(), &b(), true, "one header");
    check(&[one("date")], &a(), &b(), false, "another value");
    check(&[one("accept")], &a(), &plain(), false, "absent");
    check(&[one("etag")], &a(), &plain(), true, "absent twice");
    let empty = plain().field("accept", b"");
    check(
        &[one("accept")],
        &empty,
        &plain(),
        false,
        "empty is not absent",
    );
    check(&[all_except(&[])], &a(), &b(), false, "all");
    check(&[all_except(&["Date"])], &a(), &b(), true, "all except one");
    check(
        &[all_except(&["D*"])],
        &a(),
        &b(),
        true,
        "all except a prefix",
    );
    let (ab, ba) = (
        plain().field("via", b"a").field("via", b"b"),
        plain().field("via", b"b").field("via", b"a"),
    );
    check(&[one("via")], &ab, &ba, false, "the order of values");
    check(
        &[all_except(&[])],
        &ab,
        &ba,
        false,
        "the order of values in all",
    );
    let (raw, other) = (plain().field("x", b"\xff"), plain().field("x", b"\xfe"));
    check(&[one("x")], &raw, &other, false, "bytes that are not text");
}

#[test]
fn compares_json_bodies() {
    let cases: [(&str, &str, &[&str], bool); 27] = [
        (r#"{"a":1,"b":2}"#, r#"{ "b" : 2, "a" : 1 }"#, &[], true),
        (r#"{"a":1}"#, r#"{"a":"1"}"#, &[], false),
        (r#"{"a":1}"#, r#"{"a":1.0}"#, &[], true),
        (r#"{"a":-0}"#, r#"{"a":0e7}"#, &[], true),
        ("[9007199254740993]", "[9007199254740992]", &[], false),
        (
            "[18446744073709551617]",
            "[18446744073709551618]",
            &[],
            false,
        ),
        (r#"["A"]"#, r#"["\u0041"]"#, &[], true),
        ("[0]", r#"["0"]"#, &[], false),
        ("[1,2]", "[2,1]", &[], false),
        (r#"["ab","c"]"#, r#"["a","bc"]"#, &[], false),
        ("[[1],2]", "[[1,2]]", &[], false),
        ("[]", "{}", &[], false),
        ("[null]", "[false]", &[], false),
        (r#"{"a":null}"#, "{}", &[], false),
        (r#"{"a":1,"a":1}"#, r#"{"a":1}"#, &[], false),
        (r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#, &[], false),
        (
            r#"{"a":1,"b":0,"a":2}"#,
            r#"{"b":0,"a":1,"a":2}"#,
            &[],
            true,
        ),
        (r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#, &["/a"], true),
        (r#"{"a":1,"b":2}"#, r#"{"b":2}"#, &["/a"], true),
        (r#"{"a":1}"#, r#"{"a":{"x":2}}"#, &["/a"], true),
        (
            r#"{"a":{"b":1,"c":2}}"#,
            r#"{"a":{"c":2}}"#,
            &["/a/b"],
            true,
        ),
        (r#"{"a":{"b":1}}"#, r#"{"a":{"b":2}}"#, &["/b"], false),
        (
            r#"[{"id":1,"x":2},{"id":3}]"#,
            r#"[{"x":2},{"id":9}]"#,
            &["/*/id"],
            true,
        ),
        ("[1,2,3]", "[9,2,3]", &["/0"], true),
        ("[1,2,3]", "[1,2,9]", &["/0"], false),
        ("[1,2]", "[1,9]", &["/01"], false),
        (r#"{"a/b":1}"#, r#"{"a/b":2}"#, &["/a~1b"], true),
    ];
    for (left, right, except, equal) in cases {
        let sample = |text: &str| Sample::new("POST", "/").body(JSON, text.to_owned());
        let note = format!("{left} and {right} except {except:?}");
        check(&[body(except)], &sample(left), &sample(right), equal, &note);
    }
}

#[test]
fn compares_bodies_by_content_type() {
    type Typed = (&'static str, &'static str);
    let cases: [(Typed, Typed, &[&str], bool); 31] = [
        ((JSON, "{}"), ("application/vnd.x+json", "{ }"), &[], true),
        (("", "[1]"), (JSON, "[ 1 ]"), &[], true),
        (("text/plain", "[1]"), (JSON, "[ 1 ]"), &[], true),
        (("text/plain", "1"), ("text/plain", "1.0"), &[], false),
        ((JSON, "1"), (JSON, "1.0"), &[], true),
        ((JSON, "{"), (JSON, "{ "), &[], false),
        ((JSON, "1"), ("text/plain", "1"), &[], false),
        ((LINES, "[1]\n"), (LINES, "[ 1]"), &[], true),
        (
            (LINES, "{\"a\":1,\"b\":2}\n1\n"),
            (LINES, "{\"b\":2,\"a\":1}\r\n\n1.0"),
            &[],
            true,
        ),
        ((LINES, "1\n2"), (LINES, "2\n1"), &[], false),
        ((LINES, "1\n2"), (LINES, "1\n"), &[], false),
        ((LINES, "{} {"), (LINES, "{}{"), &[], false),
        (
            (LINES, "{\"t\":1}\n{\"t\":2}"),
            (LINES, "{\"t\":3}\n{\"t\":4}"),
            &["/*/t"],
            true,
        ),
        (
            ("application/json-seq", "\u{1e}{\"a\": 1}\n"),
            ("application/json-seq", "\u{1e}{\"a\":1}\n"),
            &[],
            true,
        ),
        ((JSON, "\u{feff}{\"a\": 1}"), (JSON, "{\"a\":1}"), &[], true),
        (("image/png", "[1]"), ("image/png", "[ 1]"), &[], false),
        (("image/png", "x"), ("image/gif", "x"), &[], true),
        ((JSON, ""), (FORM, ""), &[], true),
        ((JSON, ""), (JSON, "null"), &[], false),
        ((JSON, "[1]"), (JSON, ""), &[""], true),
        ((FORM, "a=1&b=2"), (FORM, "b=2&a=%31"), &[], true),
        ((FORM, "a=caf%E9"), (FORM, "a=caf%E8"), &[], false),
        ((FORM, "a=caf%E9"), (FORM, "a=caf%EF%BF%BD"), &[], false),
        ((FORM, "a=caf%E9"), (FORM, "a=caf%25E9"), &[], false),
        ((FORM, "a=caf%e9"), (FORM, "a=c%61f%E9"), &[], true),
        ((FORM, "a=1&a=2"), (FORM, "a=2&a=1"), &[], false),
        ((FORM, "a=1"), ("text/plain", "a=1"), &[], false),
        ((FORM, "a=1&n=1"), (FORM, "a=1&n=2"), &["/n"], true),
        ((FORM, "a=1&n=1"), (FORM, "a=1"), &["/n"], true),
        ((FORM, "a=1&n=1"), (FORM, "a=2"), &["/n"], false),
        ((FORM, "a%2Fb=1"), (FORM, "a%2Fb=2"), &["/a~1b"], true),
    ];
    for (left, right, except, equal) in cases {
        let sample =
            |(kind, text): (&str, &str)| Sample::new("POST", "/").body(kind, text.to_owned());
        let note = format!("{left:?} and {right:?} except {except:?}");
        check(&[body(except)], &sample(left), &sample(right), equal, &note);
    }
}

#[test]
fn compares_multipart_bodies() {
    const A: &str = "Content-Disposition: form-data; name=\"a\"";
    const F: &str = "Content-Disposition: form-data; name=\"f\"; filename=\"x.txt\"";
    const G: &str = "Content-Disposition: form-data; name=\"f\"; filename=\"y.txt\"";
    const J: &str = "Content-Disposition: form-data; name=\"j\"\r\nContent-Type: application/json";
    type Parts = &'static [(&'static str, &'static str)];
    let cases: [(Parts, Parts, &[&str], bool); 9] = [
        (&[(A, "1")], &[(A, "1")], &[], true),
        (&[(A, "1")], &[(A, "2")], &[], false),
        (&[(A, "1")], &[(A, "2")], &["/a"], true),
        (&[(A, "1"), (F, "2")], &[(F, "2"), (A, "1")], &[], false),
        (&[(F, "1")], &[(G, "1")], &[], false),
        (&[(F, "1"), (A, "1")], &[(A, "1")], &["/f"], true),
        (&[(J, "{\"x\":1}")], &[(J, "{ \"x\": 1.0 }")], &[], true),
        (
            &[(J, "{\"x\":1,\"n\":2}")],
            &[(J, "{\"x\":1}")],
            &["/j/n"],
            true,
        ),
        (&[(A, "{\"x\":1}")], &[(A, "{ \"x\": 1 }")], &[], false),
    ];
    for (left, right, except, equal) in cases {
        let sample = |boundary, parts| {
            let (kind, text) = multipart(boundary, parts);
            Sample::new("POST", "/").body(&kind, text)
        };
        let note = format!("{left:?} and {right:?} except {except:?}");
        check(
            &[body(except)],
            &sample("one", left),
            &sample("two", right),
            equal,
            &note,
        );
    }
}

#[test]
fn compares_multipart_bodies_in_multipart_bodies() {
    const A: &str = "Content-Disposition: form-data; name=\"a\"";
    let sample = |outer, inner, value: &'static str| {
        let (kind, text) = multipart(inner, &[(A, value)]);
        let header: &'static str = format!("Content-Type: {kind}").leak();
        let (kind, text) = multipart(outer, &[(header, text.leak())]);
        Sample::new("POST", "/").body(&kind, text)
    };
    for (outer, inner, value, except, equal) in [
        ("three", "four", "1", vec![], true),
        ("one", "two", "2", vec![], false),
        ("x", "y", "2", vec!["//a"], true),
    ] {
        let (one, other) = (sample("one", "two", "1"), sample(outer, inner, value));
        check(&[body(&except)], &one, &other, equal, outer);
    }
}

#[test]
fn custom_parts_differ_from_built_in_parts() {
    let custom = |name: &str, value: &'static [u8]| KeyPart::Custom {
        name: name.to_owned(),
        value: Bytes::from_static(value),
    };
    let sample = Sample::new("GET", "/a").field("path", b"/a");
    let keys = [
        derive(&[custom("x", b"1")], &sample),
        derive(&[custom("x", b"2")], &sample),
        derive(&[custom("y", b"1")], &sample),
        derive(&[custom("path", b"/a")], &sample),
        derive(&[KeyPart::Path], &sample),
        derive(&[KeyPart::Header("path".to_owned())], &sample),
        derive(&[KeyPart::Path, KeyPart::Method], &sample),
        derive(&[KeyPart::Method, KeyPart::Path], &sample),
        derive(&[], &sample),
    ];
    for (index, key) in keys.iter().enumerate() {
        let hashes: Vec<_> = keys[..index].iter().map(super::Key::hash).collect();
        assert!(!hashes.contains(&key.hash()), "{index}");
    }
    let names: Vec<_> = [
        custom("x", b""),
        KeyPart::Path,
        KeyPart::Header("etag".to_owned()),
    ]
    .iter()
    .map(KeyPart::name)
    .collect();
    assert_eq!(names, ["x", "path", "header.etag"]);
}

/// A deterministic random number generator.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }

    fn json(&mut self, depth: u64) -> String {
        let count = self.below(3);
        match self.below(if depth == 0 { 2 } else { 4 }) {
            0 => self
                .pick(&["1", "1.0", "2", "10e-1", "null", "true"])
                .to_owned(),
            1 => self
                .pick(&["\"a\"", "\"\\u0061\"", "\"\"", "\"1\""])
                .to_owned(),
            2 => {
                let list: Vec<_> = (0..count).map(|_| self.json(depth - 1)).collect();
                format!("[{}]", list.join(self.pick(&[",", " , "])))
            }
            _ => {
                let member = |random: &mut Self| {
                    let name = random.pick(&["a", "b", "id"]);
                    format!("\"{name}\":{}", random.json(depth - 1))
                };
                let list: Vec<_> = (0..count).map(|_| member(self)).collect();
                format!("{{{}}}", list.join(","))
            }
        }
    }

    fn sample(&mut self) -> Sample {
        let query = self.pick(&["", "?x=1&y=2", "?y=2&x=1", "?x=1", "?n=3&x=1", "?x=1&x=2"]);
        let path = self.pick(&["/a", "/b"]);
        let sample = Sample::new(self.pick(&["GET", "POST"]), &format!("{path}{query}"));
        match self.below(4) {
            0 => sample,
            1 => {
                let fields = ["a=1&b=2", "b=2&a=1", "a=1", "", "id=3&a=1"];
                sample.body(FORM, self.pick(&fields).to_owned())
            }
            2 => sample.body(self.pick(&["", "text/plain", JSON]), self.json(2)),
            _ => sample.body("image/png", self.pick(&["x", "y", "{}", ""]).to_owned()),
        }
    }
}

#[test]
fn keys_and_descriptions_agree() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let sets = [
        default_parts(&[], &[]),
        default_parts(&["n"], &["/id", "/*/id", "/0", "/a/b"]),
        vec![body(&["/*/*", "/b"])],
    ];
    let samples: Vec<_> = (0..400).map(|_| random.sample()).collect();
    for parts in sets {
        let all: Vec<_> = samples
            .iter()
            .map(|sample| (derive(&parts, sample), describe(&parts, sample)))
            .collect();
        let mut equal = 0;
        for (index, (key, described)) in all.iter().enumerate() {
            for (other_key, other) in &all[..index] {
                let same = key.hash() == other_key.hash();
                assert_eq!(same, described == other, "{described:?} and {other:?}");
                assert_eq!(same, key == other_key);
                equal += usize::from(same);
            }
        }
        assert!(equal > 100, "too few equal pairs: {equal}");
    }
}
