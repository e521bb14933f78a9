//! The secrets that requests carry: one set while recording, another one at replay.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Name, value while recording, value at replay.
const VALUES: [(&str, &str, &str); 5] = [
    ("token", "tZk3vQ9xT7pLm2Rw8", "tB5nHs1cJ6yWd4Gf0"),
    ("key", "kX8rMq2aV5oEi7Lu3", "kD1zPw9tN4bCy6Hj0"),
    ("cookie", "cU7gYf3eS9kRv1Om5", "cQ2hLj8wZ4xBa6Tn0"),
    ("password", "pN6dKb4iF2sJt8Xc1", "pG9mRe3uW7vOq5Yl0"),
    ("secret", "sH5wCz1yA8nPx6Dk3", "sT4fVi7jE2oUr9Bg0"),
];

/// The password of the Basic scheme, which httpbin wants in the path too.
const DOOR: (&str, &str, &str) = ("door", "open-the-door-41", "close-the-gate-52");

/// Chooses one of two values.
type Choose = fn((&str, &'static str, &'static str)) -> &'static str;

/// Values for the names that stand in the requests as `${name}`.
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

    /// The text with `${name}` replaced by the value of that name.
    pub(crate) fn put_into(&self, text: &str) -> String {
        let put = |text: String, (name, value): &(&str, String)| {
            text.replace(&format!("${{{name}}}"), value)
        };
        self.0.iter().fold(text.to_owned(), put)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, value)| value.as_str())
    }

    /// True where any of them stands in these bytes.
    pub(crate) fn are_in(&self, bytes: &[u8]) -> bool {
        let mut finders = self
            .0
            .iter()
            .map(|(_, value)| memchr::memmem::Finder::new(value));
        finders.any(|finder| finder.find(bytes).is_some())
    }
}
