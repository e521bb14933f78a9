//! The secrets in requests: one set for recording, another one for replay.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Name, value for recording, value for replay.
const VALUES: [(&str, &str, &str); 5] = [
    ("token", "tZk3vQ9xT7pLm2Rw8", "tB5nHs1cJ6yWd4Gf0"),
    ("key", "kX8rMq2aV5oEi7Lu3", "kD1zPw9tN4bCy6Hj0"),
    ("cookie", "cU7gYf3eS9kRv1Om5", "cQ2hLj8wZ4xBa6Tn0"),
    ("password", "pN6dKb4iF2sJt8Xc1", "pG9mRe3uW7vOq5Yl0"),
    ("secret", "sH5wCz1yA8nPx6Dk3", "sT4fVi7jE2oUr9Bg0"),
];

/// The password of the Basic scheme, which httpbin also expects in the path.
const DOOR: (&str, &str, &str) = ("door", "open-the-door-41", "close-the-gate-52");

/// Chooses one of two values.
type Choose = fn((&str, &'static str, &'static str)) -> &'static str;

/// The values for `${name}` in the requests.
pub(crate) struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    pub(crate) fn while_recording() -> Self {
        Self::of(|(_, one, _)| one)
    }

    pub(crate) fn others() -> Self {
        Self::of(|(_, _, other)| other)
    }

    fn of(choose: Choose) -> Self {
        let basic = STANDARD.encode(format!("alice:{}", choose(DOOR)));
        let plain = VALUES.into_iter().chain([DOOR]);
        let plain = plain.map(|value| (value.0, choose(value).to_owned()));
        Self(plain.chain([("basic", basic)]).collect())
    }

    /// Replaces `${name}` by the value of that name.
    pub(crate) fn put_into(&self, text: &str) -> String {
        let put = |text: String, (name, value): &(&str, String)| {
            text.replace(&format!("${{{name}}}"), value)
        };
        self.0.iter().fold(text.to_owned(), put)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, value)| value.as_str())
    }

    /// All values as a JSON object.
    pub(crate) fn to_json(&self) -> String {
        let pairs = self.0.iter().map(|(name, value)| (*name, value.as_str()));
        let all: BTreeMap<&str, &str> = pairs.collect();
        serde_json::to_string(&all).expect("texts can be written as JSON")
    }

    /// True if the bytes contain a secret.
    pub(crate) fn are_in(&self, bytes: &[u8]) -> bool {
        let mut finders = self
            .0
            .iter()
            .map(|(_, value)| memchr::memmem::Finder::new(value));
        finders.any(|finder| finder.find(bytes).is_some())
    }

    /// The name of a secret whose value, half of its value, or base64 form is in the bytes.
    pub(crate) fn traced_in(&self, bytes: &[u8]) -> Option<&'static str> {
        let traced = self.0.iter().find(|(_, value)| {
            let (front, back) = value.split_at(value.len() / 2);
            let mut traces = [front.to_owned(), back.to_owned()]
                .into_iter()
                .chain((0..3).map(|before| base64_core(value, before)));
            traces.any(|trace| memchr::memmem::find(bytes, trace.as_bytes()).is_some())
        });
        traced.map(|(name, _)| *name)
    }
}

/// The part of a base64 text that depends on the value alone if it follows `before` bytes modulo
/// three.
pub(crate) fn base64_core(value: &str, before: usize) -> String {
    let padded = [&vec![0; before][..], value.as_bytes()].concat();
    let whole = padded.len() / 3 * 3;
    let coded = STANDARD.encode(&padded[..whole]);
    // A character encodes six bits: one preceding byte affects two characters, two bytes affect
    // three.
    coded[(8 * before).div_ceil(6)..].to_owned()
}

#[test]
fn traces_are_found() {
    let secrets = Secrets::while_recording();
    let token = secrets.put_into("${token}");
    for before in ["", "a", "ab", "abc", "{\"token\": \""] {
        let coded = STANDARD.encode(format!("{before}{token}\"}}"));
        assert_eq!(
            secrets.traced_in(coded.as_bytes()),
            Some("token"),
            "{coded}"
        );
    }
    for part in [&token[..], &token[..8], &token[8..]] {
        let text = format!("it is {part}, is it not?");
        assert_eq!(secrets.traced_in(text.as_bytes()), Some("token"), "{text}");
    }
    assert_eq!(secrets.traced_in(b"it is <token-1>, is it not?"), None);
    assert_eq!(Secrets::others().traced_in(token.as_bytes()), None);
}
