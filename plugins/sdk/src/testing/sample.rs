//! Messages for tests, and how a plugin sees them.

use serde_json::Value;

use super::{environment, pointer};

/// A message for a test; see [`request`], [`response`] and [`part`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    kind: String,
    line: RequestLine,
    status: u32,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    attributes: Vec<(String, String)>,
    parts: Vec<Self>,
}

/// The request line, with the authority.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RequestLine {
    method: String,
    authority: String,
    target: String,
}

/// A request of the client. The authority is `example.com` unless [`Sample::authority`] sets it.
#[must_use]
pub fn request(method: &str, target: &str) -> Sample {
    let mut sample = part("request").attribute("side", "client");
    method.clone_into(&mut sample.line.method);
    target.clone_into(&mut sample.line.target);
    sample
}

/// A response of the server to `GET /`, unless [`Sample::answering`] sets the request.
#[must_use]
pub fn response(status: u32) -> Sample {
    let mut sample = part("response");
    sample.status = status;
    sample
}

/// A part of a stream by its kind: `event`, `message` or `trailers`. The sender is the server
/// unless [`Sample::attribute`] sets `side`.
#[must_use]
pub fn part(kind: &str) -> Sample {
    let attributes = [
        ("endpoint", "test"),
        ("session", "test"),
        ("side", "server"),
    ];
    Sample {
        kind: kind.to_owned(),
        line: RequestLine {
            method: "GET".to_owned(),
            authority: "example.com".to_owned(),
            target: "/".to_owned(),
        },
        status: 0,
        headers: Vec::new(),
        body: Vec::new(),
        attributes: attributes
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        parts: Vec::new(),
    }
}

impl Sample {
    /// Adds a value of a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref().to_owned();
        self.headers.push((name.to_ascii_lowercase(), value));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.body = bytes.as_ref().to_owned();
        self
    }

    /// Sets the body to JSON text. The headers do not change.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "it reads better: json(json!({}))"
    )]
    pub fn json(self, value: Value) -> Self {
        self.body(value.to_string())
    }

    /// Sets host and port of the upstream.
    #[must_use]
    pub fn authority(mut self, authority: &str) -> Self {
        authority.clone_into(&mut self.line.authority);
        self
    }

    /// Sets an attribute: `endpoint`, `session`, `side`.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.retain(|(known, _)| known != name);
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the request that this response or part of a stream belongs to.
    #[must_use]
    pub fn answering(mut self, request: &Self) -> Self {
        self.line = request.line.clone();
        self
    }

    /// Adds a part to the stream of a response.
    #[must_use]
    pub fn with_part(mut self, part: Self) -> Self {
        self.parts.push(part);
        self
    }

    /// This message as a plugin sees it.
    pub(super) fn view(&self) -> crate::Message {
        crate::Message(Message(self.clone()))
    }
}

/// The getters of the contract for a message in memory.
pub(crate) struct Message(Sample);

impl Message {
    pub(crate) fn kind(&self) -> String {
        self.0.kind.clone()
    }

    pub(crate) fn method(&self) -> String {
        self.0.line.method.clone()
    }

    pub(crate) fn authority(&self) -> String {
        self.0.line.authority.clone()
    }

    pub(crate) fn path(&self) -> String {
        let target = &self.0.line.target;
        let path = target.split_once('?').map_or(&**target, |(path, _)| path);
        path.to_owned()
    }

    pub(crate) fn query(&self, name: &str) -> Vec<String> {
        let all = self.parameters().into_iter();
        all.filter(|(known, _)| known == name)
            .map(|(_, value)| value)
            .collect()
    }

    pub(crate) fn query_names(&self) -> Vec<String> {
        self.parameters()
            .into_iter()
            .map(|(name, _)| name)
            .collect()
    }

    fn parameters(&self) -> Vec<(String, String)> {
        let query = self
            .0
            .line
            .target
            .split_once('?')
            .map_or("", |(_, query)| query);
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decode(name), decode(value)))
            .collect()
    }

    pub(crate) fn status(&self) -> u32 {
        self.0.status
    }

    pub(crate) fn header(&self, name: &str) -> Vec<Vec<u8>> {
        let all = self.0.headers.iter();
        all.filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone())
            .collect()
    }

    pub(crate) fn header_names(&self) -> Vec<String> {
        self.0
            .headers
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub(crate) fn body_size(&self) -> u64 {
        self.0.body.len() as u64
    }

    pub(crate) fn body(&self, offset: u64, max: u32) -> Vec<u8> {
        let body = &self.0.body;
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(body.len());
        let end = start.saturating_add(max as usize).min(body.len());
        body[start..end].to_vec()
    }

    pub(crate) fn json(&self, pointer: &str) -> Option<String> {
        pointer::find(&self.0.body, pointer).unwrap_or_else(|error| {
            environment::fail(error);
            None
        })
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        let mut all = self.0.attributes.iter();
        all.find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    }

    pub(crate) fn part_count(&self) -> u32 {
        u32::try_from(self.0.parts.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn part(&self, index: u32) -> Option<Self> {
        let part = self.0.parts.get(index as usize)?;
        Some(Self(part.clone().answering(&self.0)))
    }
}

/// Decodes a name or a value of a query: `+` is a space, `%41` is `A`.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = tail.get(..2).filter(|_| *first == b'%').and_then(hex);
        bytes.push(escaped.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(digits[0])? * 16 + digit(digits[1])?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{part, request, response};

    #[test]
    fn getters_of_a_request_return_the_same_as_in_the_gateway() {
        let request = request("POST", "/a%20b?x=1&y=%41+b&x=%zz&z")
            .header("X-Kind", "a")
            .header("x-kind", [0xff])
            .json(json!({"id": 7}));
        let view = request.view();
        assert_eq!(
            (view.kind(), view.method()),
            ("request".into(), "POST".into())
        );
        assert_eq!((view.path(), view.status()), ("/a%20b".into(), 0));
        assert_eq!(view.query("x"), ["1", "%zz"]);
        assert_eq!(
            (view.query("y"), view.query("z")),
            (vec!["A b".into()], vec![String::new()])
        );
        assert_eq!(view.query_names(), ["x", "y", "x", "z"]);
        assert_eq!(view.header("x-KIND"), [vec![b'a'], vec![0xff]]);
        assert_eq!(view.header_text("x-kind").as_deref(), Some("a"));
        assert_eq!(view.header_names(), ["x-kind", "x-kind"]);
        assert_eq!(
            (view.body_size(), view.body(1, 4), view.body(9, 1)),
            (8, br#""id""#.to_vec(), vec![])
        );
        assert_eq!(view.json_as::<u8>("/id"), Ok(Some(7)));
        assert_eq!(view.json_as::<u8>("/no"), Ok(None));
        assert!(
            view.json_as::<String>("/id")
                .unwrap_err()
                .starts_with("`/id`: invalid type")
        );
        assert_eq!(view.attribute("side").as_deref(), Some("client"));
        assert_eq!(view.attribute("colour"), None);
    }

    #[test]
    fn parts_have_the_request_line_of_their_stream() {
        let request = request("GET", "/events").authority("api:1");
        let response = response(200)
            .answering(&request)
            .with_part(part("event").body("data: 1\n\n"));
        let view = response.view();
        assert_eq!(view.part_count(), 1);
        assert!(view.part(1).is_none());
        let event = view.part(0).unwrap();
        assert_eq!(
            (event.kind(), event.path()),
            ("event".into(), "/events".into())
        );
        assert_eq!(event.authority(), "api:1");
        assert_eq!(event.attribute("side").as_deref(), Some("server"));
    }
}
