//! Rules, secrets and the guard.

use bytes::Bytes;
use ouli_redaction::{
    Guard, PartFormat, Purpose, Redaction, RuleDeclaration, Rules, Secrets, collapse_to_class,
};

use super::Shape;
use super::inputs::{nested, numbered, repeat, within};

pub(super) fn shapes() -> Vec<Shape> {
    let texts = TEXTS.iter().map(|(name, content_type, text)| {
        Shape::new(name, repeat(text), |body| redact(content_type, body))
    });
    let mut shapes: Vec<_> = texts.collect();
    shapes.extend(bodies());
    shapes.extend(scans());
    shapes.extend(searches());
    shapes.extend(parts());
    shapes.extend(protobuf());
    shapes
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A name, a content type, and a text that is repeated.
const TEXTS: &[(&str, &str, &str)] = &[
    ("zeros", JSON, "0"),
    ("quotes", JSON, "\""),
    ("escapes", JSON, "\\"),
    ("braces", JSON, "{"),
    ("text quotes", "text/plain", "\""),
    ("text braces", "text/plain", "{\"a\":"),
    ("text markup", "text/html", "<"),
    ("text elements", "text/xml", "<a>"),
    ("text attributes", "text/xml", "<a password="),
    ("text closed", "text/xml", "<password>x</password>"),
    ("text equals", "text/plain", "password="),
    ("text colons", "text/plain", "password: "),
    ("text values", "text/plain", "password=s3cr3t "),
    ("text urls", "text/plain", "https://a:"),
    ("text userinfo", "text/plain", "://@"),
    ("text bearer", "text/plain", "Bearer "),
    ("text keys", "text/plain", "sk-"),
    ("text jwt", "text/plain", "eyJ"),
    ("text jwt dots", "text/plain", "eyJaaaaaaaa."),
    ("text private", "text/plain", "-----BEGIN "),
    ("private keys", "text/plain", "-----BEGIN PRIVATE KEY-----"),
    ("begin lines", "text/plain", "-----BEGIN PRIVATE KEY-----!"),
    ("keys with digits", "text/plain", "sk-a0"),
    ("text github", "text/plain", "ghp_"),
    ("text tokens", "text/plain", "pat_abcdefgh "),
    ("text placeholder", "text/plain", "<token-1>"),
    ("text open", "text/plain", "<token-"),
    ("form names", FORM, "password=&"),
    ("form signs", FORM, "%3D"),
    ("event ends", "text/event-stream", "\n"),
    ("events", "text/event-stream", "data: {\"a\":\"x\"}\n\n"),
    ("event data", "text/event-stream", "data:\n"),
    ("lines", "application/x-ndjson", "{\"a\":\"x\"}\n"),
    ("line ends", "application/x-ndjson", "\n"),
    (
        "multipart",
        "multipart/form-data; boundary=b",
        "--b\r\n\r\n\r\n",
    ),
    (
        "nested multipart",
        "multipart/mixed; boundary=b",
        "--b\r\ncontent-type: multipart/mixed; boundary=b\r\n\r\n",
    ),
    (
        "multipart of multipart",
        "multipart/mixed; boundary=b",
        "--b\r\ncontent-type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n--c--\r\n",
    ),
    ("no type", "", "[0,"),
];

fn bodies() -> [Shape; 7] {
    [
        Shape::new("redact json zeros", within("[0", ",0", "]"), |body| {
            redact(JSON, body)
        }),
        Shape::new(
            "redact json strings",
            within("[\"\"", ",\"\"", "]"),
            |body| redact(JSON, body),
        ),
        Shape::new(
            "redact json secrets",
            within(
                "{\"password\":\"abcdefg\"",
                ",\"password\":\"abcdefg\"",
                "}",
            ),
            |body| redact(JSON, body),
        ),
        Shape::new("redact json nested", nested("{\"a\":", "}", 100), |body| {
            redact(JSON, body)
        }),
        Shape::new(
            "redact json in json",
            within("\"", "\\\"password\\\":", "\""),
            |body| redact(JSON, body),
        ),
        Shape::new(
            "redact many secrets",
            numbered(
                "[",
                |n| format!("{{\"password\":\"{:016x}\"}},", n * 7_919_773_331),
                "0]",
            ),
            |body| redact(JSON, body),
        ),
        Shape::new("redact query", repeat("&access_token=abcdef"), |body| {
            redact_target(body)
        }),
    ]
}

fn scans() -> [Shape; 6] {
    [
        Shape::new("guard zeros", repeat("0"), guard),
        Shape::new("guard keys", repeat("sk-a"), guard),
        Shape::new("guard jwt", repeat("eyJaaaaaaaa.aaaaaaaa."), guard),
        Shape::new("guard bearer", repeat("Bearer "), guard),
        Shape::new("placeholders", repeat("<token-1>"), |body| {
            collapse_to_class(std::str::from_utf8(body).unwrap()).len()
        }),
        Shape::new("placeholder begins", repeat("<a-"), |body| {
            collapse_to_class(std::str::from_utf8(body).unwrap()).len()
        }),
    ]
}

fn searches() -> [Shape; 6] {
    [
        Shape::new(
            "equal anchors",
            numbered("", |n| format!("{n:016x}-of-the-shared-suffix "), ""),
            |body| search(body, " "),
        ),
        Shape::new(
            "equal anchors of many lengths",
            numbered(
                "",
                |n| format!("{}{n:x}-of-the-suffix,", "x".repeat(n % 97)),
                "",
            ),
            |body| search(body, ","),
        ),
        Shape::new(
            "equal surroundings",
            numbered("", |n| format!("{n:08x}{},", "abc".repeat(80)), ""),
            |body| search(body, ","),
        ),
        Shape::new("prefixes of a secret", repeat(LETTERS), |body| {
            let prefix = |n: usize| LETTERS.repeat(40).into_bytes()[..6 + n * 5].to_vec();
            search_for((0..99).map(prefix), body)
        }),
        Shape::new("periodic secrets", repeat("abc"), |body| {
            search_for((2..99).map(|n| b"abc".repeat(n)), body)
        }),
        Shape::new("a long secret in a text like it", repeat("a"), |body| {
            let half = "a".repeat(body.len() / 2);
            search_for([format!("{half}bc{half}").into_bytes()], body)
        }),
    ]
}

fn parts() -> impl Iterator<Item = Shape> {
    let formats = [
        ("parts of messages", PartFormat::Messages),
        ("parts of events", PartFormat::Events),
        ("parts of lines", PartFormat::Lines),
    ];
    let texts = [
        "data: {\"a\":\"x\"}\n\n",
        "{\"delta\":{\"a\":\"w\"}}\n\n",
        "0,",
    ];
    let all = formats
        .into_iter()
        .flat_map(move |format| texts.map(|text| (format, text)));
    all.map(|((name, format), text)| {
        let name: &'static str = format!("{name}: {}", text.escape_debug()).leak();
        Shape::new(name, repeat(text), move |body| {
            let body = Bytes::copy_from_slice(body);
            let size = text.len();
            let parts = (0..body.len() / size).map(|at| body.slice(at * size..(at + 1) * size));
            let (rules, secrets) = (rules(), secrets());
            Redaction::new(&rules, &secrets, Purpose::Write)
                .redact_across_parts(parts.collect(), format)
                .value
        })
    })
}

fn protobuf() -> impl Iterator<Item = Shape> {
    let messages = [
        ("protobuf fields", "\u{8}\u{1}"),
        ("protobuf empty", "\u{12}\0"),
        ("protobuf strings", "\u{12}\u{3}abc"),
        ("protobuf groups", "\u{b}"),
        ("protobuf nested", "\u{12}\u{7f}"),
    ];
    messages.into_iter().map(|(name, text)| {
        Shape::new(name, repeat(text), |body| {
            let (rules, secrets) = (rules(), secrets());
            let body = Bytes::copy_from_slice(body);
            Redaction::new(&rules, &secrets, Purpose::Write)
                .redact_protobuf(&body, None)
                .value
        })
    })
}

fn secrets() -> Secrets {
    let secrets = Secrets::default();
    secrets.register("known", b"s3cr3t-value");
    secrets.register("pin", b"987654321");
    secrets
}

const PRIVATE_KEY: &str = concat!(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"(?:(?:-{0,4}[^-])*-----END [A-Z ]*PRIVATE KEY-----|[A-Za-z0-9+/=\s\\:,-]*)",
);

fn rules() -> Rules {
    thread_local! {
        static RULES: Rules = {
            let text = str::to_owned;
            let mut declared = Vec::new();
            for name in ["access_token", "password"] {
                let class = "secret".to_owned();
                declared.push(RuleDeclaration::Query { name: text(name), class: class.clone() });
                declared.push(RuleDeclaration::Form { name: text(name), class: class.clone() });
                declared.push(RuleDeclaration::JsonMember { name: text(name), class });
            }
            declared.push(RuleDeclaration::Header { name: text("cookie"), class: text("cookie") });
            let pointer = text("/cards/*/number");
            declared.push(RuleDeclaration::Json { pointer, class: text("card") });
            for (regex, class) in [
                (r"\bpat_([a-z0-9]{8,})", "pat"),
                (r"\bsk-[A-Za-z0-9][A-Za-z0-9_-]{20,}", "key"),
                (PRIVATE_KEY, "private-key"),
            ] {
                let (regex, class) = (text(regex), text(class));
                declared.push(RuleDeclaration::Pattern { regex, class });
            }
            Rules::compile(declared, &[]).unwrap()
        };
    }
    RULES.with(Clone::clone)
}

fn redact(content_type: &str, body: &[u8]) -> Bytes {
    let (rules, secrets) = (rules(), secrets());
    let body = Bytes::copy_from_slice(body);
    Redaction::new(&rules, &secrets, Purpose::Write)
        .redact_body(Some(content_type), &body)
        .value
}

fn redact_target(query: &[u8]) -> usize {
    let target = format!("/?{}", String::from_utf8_lossy(query));
    let request = super::keys::request(&target, Vec::new(), "", b"");
    let (rules, secrets) = (rules(), secrets());
    Redaction::new(&rules, &secrets, Purpose::Write)
        .redact_request(&request)
        .value
        .target
        .len()
}

fn guard(text: &[u8]) -> bool {
    Guard::new(&[]).scan(text, &secrets()).is_ok()
}

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789";

/// Searches for some secrets in a text.
fn search_for(values: impl IntoIterator<Item = Vec<u8>>, text: &[u8]) -> usize {
    let secrets = Secrets::default();
    for value in values {
        secrets.register("token", &value);
    }
    secrets.searcher().find(text).len()
}

/// Registers all secrets of a text and searches for them in it.
fn search(text: &[u8], separator: &str) -> usize {
    let secrets = Secrets::default();
    for secret in std::str::from_utf8(text).unwrap().split(separator) {
        secrets.register("token", secret.as_bytes());
    }
    secrets.searcher().find(text).len()
}
