//! Messages of random fragments: no panics, no known secret is left, redaction is idempotent.

use super::*;
use ouli_codec::json::Document;

const FRAGMENTS: [&str; 44] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    ":",
    ",",
    "\\",
    "\\\"",
    "\\u0041",
    "\\ud83d",
    " ",
    "\n",
    "\r\n",
    "data: ",
    "é",
    "\u{1f511}",
    "a=",
    "&sig=",
    "?password=",
    "#",
    "&amp;",
    "%3C",
    "%",
    "+",
    "\"password\":",
    "{\"password\":\"",
    "\"api_key\": ",
    "\\\"sig\\\":\\\"",
    "https://u:",
    "@h/",
    "<token-1>",
    "%3Ckey-2%3E",
    "<",
    ">",
    "--b\r\n",
    "--b--",
    "pat_abcd1234",
    "s3cr3t-value",
    "czNjcjN0LXZhbHVl",
    "s3cr3t%2Dvalue",
    "987654321",
    "null",
];

const TYPES: [&str; 6] = [
    "application/json",
    "text/event-stream",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "",
];

/// A deterministic random number generator (xorshift, Marsaglia 2003).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn text(&mut self) -> String {
        let size = self.below(24);
        (0..size)
            .map(|_| FRAGMENTS[self.below(FRAGMENTS.len())])
            .collect()
    }
}

fn check_body(run: usize, rules: &Rules, random: &mut Random) {
    let secrets = Secrets::default();
    secrets.register("known", b"s3cr3t-value");
    secrets.register("pin", b"987654321");
    let content_type = TYPES[random.below(TYPES.len())];
    let text = random.text();
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    let write = Redaction::new(rules, &secrets, Purpose::Write);
    let first = write.redact_body(Some(content_type), &bytes).value;
    let again = write.redact_body(Some(content_type), &first);
    let what = format!("{run}: {content_type}: {text:?} -> {first:?}");
    assert_eq!(again.value, first, "{what}");
    if let Some(hit) = secrets.searcher().find_any(&first) {
        panic!("{:?} at {:?} is left: {what}", hit.secret, hit.range);
    }
    if content_type == TYPES[0] && Document::parse(bytes.clone()).is_some() {
        assert!(Document::parse(first.clone()).is_some(), "{what}");
    }
    let key = Redaction::new(rules, &secrets, Purpose::Key);
    let seen = key.redact_body(Some(content_type), &bytes).value;
    assert!(
        secrets.searcher().find_any(&seen).is_none(),
        "{what} as {seen:?}"
    );
}

const RUNS: usize = 2000;

const HEADERS: [&str; 8] = [
    "x-note",
    "location",
    "cookie",
    "set-cookie",
    "authorization",
    "www-authenticate",
    "sec-websocket-protocol",
    "my-token",
];

fn check_head(run: usize, rules: &Rules, random: &mut Random) {
    let secrets = Secrets::default();
    secrets.register("known", b"s3cr3t-value");
    let write = Redaction::new(rules, &secrets, Purpose::Write);
    let mut input = request(&format!("/{}", random.text()), &[], "");
    for name in HEADERS {
        if let Ok(value) = HeaderValue::from_bytes(random.text().as_bytes()) {
            input.fields.push(HeaderName::from_static(name), value);
        }
    }
    let first = write.redact_request(&input).value;
    let what = format!("{run}: {input:?} -> {first:?}");
    assert_eq!(write.redact_request(&first).value, first, "{what}");
    let values = first.fields.iter().map(|(_, value)| value.as_bytes());
    for value in values.chain(first.target.splitn(2, '?').map(str::as_bytes)) {
        assert!(secrets.searcher().find_any(value).is_none(), "{what}");
    }
    Redaction::new(rules, &secrets, Purpose::Key).redact_request(&input);
}

#[test]
fn redaction_of_random_heads_is_idempotent() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let rules = rules();
    for run in 0..RUNS {
        check_head(run, &rules, &mut random);
    }
}

#[test]
fn redaction_of_random_bodies_is_idempotent() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let rules = rules();
    for run in 0..RUNS {
        check_body(run, &rules, &mut random);
    }
}
