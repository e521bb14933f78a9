//! The requests of all clients, read from `requests.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::secrets::Secrets;

const ALL: &str = include_str!("requests.json");

/// A request and its options.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// The unique name of the test case.
    pub(crate) name: String,
    #[serde(default = "get")]
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) body: Option<Body>,
    /// Additional arguments of curl; other clients skip this request.
    #[serde(default)]
    pub(crate) curl: Option<Vec<String>>,
}

/// A body; each client encodes it with its own means.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Body {
    /// JSON, serialized by the client.
    Json { value: Value },
    /// A JSON array of this many objects.
    Items { count: usize },
    /// Exactly this text.
    Text {
        #[serde(rename = "type")]
        media_type: String,
        text: String,
    },
    /// Bytes with content-length.
    Bytes { length: usize },
    /// Bytes without content-length.
    Chunked { length: usize },
    /// A urlencoded form.
    Form { fields: Map<String, Value> },
    /// A multipart form; the last part is a file of this length.
    Multipart {
        fields: Map<String, Value>,
        length: usize,
    },
}

/// All requests, with these secrets filled in.
pub(crate) fn all(secrets: &Secrets) -> Vec<Request> {
    let mut requests: Vec<Request> =
        serde_json::from_str(&secrets.put_into(ALL)).expect("requests.json is in the repository");
    for request in &mut requests {
        if let Some(Body::Items { count }) = request.body {
            let value = items(count);
            request.body = Some(Body::Json { value });
        }
    }
    requests
}

/// A GET request for this target.
pub(crate) fn of(name: &str, target: String) -> Request {
    Request {
        name: name.to_owned(),
        method: get(),
        target,
        headers: BTreeMap::new(),
        body: None,
        curl: None,
    }
}

fn get() -> String {
    "GET".to_owned()
}

fn items(count: usize) -> Value {
    let item = |at: usize| {
        let text = format!("item {at} \u{2713}");
        json!({"at": at, "half": at as f64 / 2.0, "text": text})
    };
    (0..count).map(item).collect()
}

/// Bytes of all values, of this length.
pub(crate) fn filler(length: usize) -> Vec<u8> {
    (0..length).map(|at| (7 * at + 3) as u8).collect()
}
