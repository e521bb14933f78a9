//! Requests with a part of each kind.

use serde_json::{Value, json};

use crate::support::client::{Answer, Client};
use crate::support::origin::{self, Origin, Reply, Seen};

/// A request whose parts can be changed.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) method: &'static str,
    /// The segments, percent-encoded.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
}

/// A body by its parts.
#[derive(Clone, Debug)]
pub(super) enum Body {
    None,
    Json(Value),
    /// Each line is a value.
    Lines(Vec<Value>),
    Form(Vec<(String, String)>),
    /// Name, file name and content.
    Multipart(Vec<(String, String, String)>),
    /// With its content type.
    Other(&'static str, Vec<u8>),
}

pub(super) const FORM: &str = "application/x-www-form-urlencoded";

const BOUNDARY: &str = "part-of-the-upload";

impl Sample {
    fn new(method: &'static str, path: &str, body: Body) -> Self {
        Self {
            method,
            path: path.split('/').skip(1).map(str::to_owned).collect(),
            query: Vec::new(),
            headers: Vec::new(),
            body,
        }
    }

    fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        self.query = owned(pairs);
        self
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) fn target(&self) -> String {
        let path = self.path.join("/");
        match self.query.is_empty() {
            true => format!("/{path}"),
            false => format!("/{path}?{}", encoded(&self.query)),
        }
    }

    pub(super) fn send(&self, client: &Client) -> Answer {
        let mut ask = client.ask(self.method, &self.target());
        for (name, value) in &self.headers {
            ask = ask.header(name, value);
        }
        let Some((content_type, body)) = self.body.encode() else {
            return ask.send();
        };
        ask.header("content-type", &content_type).body(body).send()
    }
}

impl Body {
    fn encode(&self) -> Option<(String, Vec<u8>)> {
        let (content_type, body) = match self {
            Self::None => return None,
            Self::Json(value) => ("application/json", value.to_string().into_bytes()),
            Self::Lines(values) => {
                let lines = values.iter().map(|value| format!("{value}\n"));
                let lines: String = lines.collect();
                ("application/x-ndjson", lines.into_bytes())
            }
            Self::Form(pairs) => (FORM, encoded(pairs).into_bytes()),
            Self::Multipart(parts) => {
                let parts = parts.iter().map(|(name, file, content)| {
                    format!(
                        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"; \
                         filename=\"{file}\"\r\ncontent-type: text/plain\r\n\r\n{content}\r\n"
                    )
                });
                let body = parts.collect::<String>() + &format!("--{BOUNDARY}--\r\n");
                let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
                return Some((content_type, body.into_bytes()));
            }
            Self::Other(content_type, bytes) => (*content_type, bytes.clone()),
        };
        Some((content_type.to_owned(), body))
    }
}

pub(super) fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn encoded(pairs: &[(String, String)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("&")
}

/// An origin whose responses say which request they are for. What a part or a condition asks for is
/// answered so, because a whole resource serves them by rule.
pub(super) fn origin() -> Origin {
    let answer = |seen: &Seen| -> Reply {
        if seen.headers.contains_key("range") {
            let part = origin::text("0123456789").status(206);
            return part.header("content-range", "bytes 0-9/100");
        }
        if seen.headers.contains_key("if-none-match") {
            return origin::status(304);
        }
        origin::text(&format!("{} {}", seen.method, seen.target))
    };
    origin::new().route("/*", answer).start()
}

/// Each has a path of its own.
pub(super) fn samples() -> Vec<Sample> {
    let document = json!({
        "user": {"name": "ann", "tags": ["x", "y"]},
        "count": 3, "ratio": 1.5, "on": true, "none": null,
        "list": [{"id": 1}, {"id": 2}]
    });
    let graphql = json!({
        "operationName": "Items",
        "query": "query Items($n: Int) { items(first: $n) { name } }",
        "variables": {"n": 5}
    });
    let file = |name: &str, file: &str, content: &str| {
        (name.to_owned(), file.to_owned(), content.to_owned())
    };
    let parts = vec![file("title", "t.txt", "one"), file("data", "d.txt", "two")];
    let lines = vec![json!({"a": 1}), json!({"b": ["c", 2]})];
    vec![
        Sample::new("GET", "/query/list", Body::None).query(&[
            ("page", "1"),
            ("tag", "two"),
            ("tag", "three"),
            ("empty", ""),
        ]),
        Sample::new("GET", "/segments/a/b%20c/D", Body::None),
        Sample::new("DELETE", "/items/7", Body::None),
        Sample::new("POST", "/json", Body::Json(document)).query(&[("v", "1")]),
        Sample::new("POST", "/graphql", Body::Json(graphql)),
        Sample::new("PUT", "/array", Body::Json(json!(["a", "b", 3]))),
        Sample::new("POST", "/lines", Body::Lines(lines)),
        Sample::new(
            "POST",
            "/form",
            Body::Form(owned(&[("a", "1"), ("b", "two"), ("b", "3")])),
        ),
        Sample::new("POST", "/multipart", Body::Multipart(parts)),
        Sample::new(
            "POST",
            "/text",
            Body::Other("text/plain", b"hello world".to_vec()),
        ),
        Sample::new(
            "PATCH",
            "/bytes",
            Body::Other("application/octet-stream", vec![0, 1, 2, 255]),
        ),
        Sample::new("GET", "/range", Body::None).header("range", "bytes=0-9"),
        Sample::new("GET", "/condition", Body::None).header("if-none-match", "\"a\""),
        Sample::new("POST", "/rpc", Body::Json(json!({"Limit": 10})))
            .header("x-amz-target", "Tables_2012.List"),
        Sample::new(
            "POST",
            "/soap",
            Body::Other("text/xml", b"<a><b>1</b></a>".to_vec()),
        )
        .header("soapaction", "\"urn:get\"")
        .header("prefer", "return=minimal"),
        Sample::new("POST", "/override", Body::None)
            .header("x-http-method-override", "DELETE")
            .header("depth", "1")
            .header("destination", "/copy"),
    ]
}
