//! A message built from literals, for tests.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::{ExcludedNames, KeyPart};
use ouli_codec::json::{Document, Pointer};
use ouli_codec::{MessageView, form};
use ouli_message::Fields;

/// A request of endpoint `api` in session `default`.
#[derive(Clone)]
pub(crate) struct Sample {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    fields: Fields,
    body: Bytes,
    json: Option<Document>,
}

impl Sample {
    /// A request without headers and body.
    pub(crate) fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = form::parse(query.as_bytes()).into_iter();
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: pairs
                .map(|pair| (pair.name.to_string(), pair.value.to_string()))
                .collect(),
            fields: Fields::default(),
            body: Bytes::new(),
            json: None,
        }
    }

    /// Adds a header.
    pub(crate) fn field(mut self, name: &'static str, value: &'static [u8]) -> Self {
        self.fields.push(
            HeaderName::from_static(name),
            HeaderValue::from_bytes(value).unwrap(),
        );
        self
    }

    /// Sets the body and its content type; `""` sets none.
    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        if !content_type.is_empty() {
            let value = HeaderValue::from_str(content_type).unwrap();
            self.fields.push(http::header::CONTENT_TYPE, value);
        }
        self.body = body.into();
        self.json = Document::parse(self.body.clone());
        self
    }
}

impl MessageView for Sample {
    fn kind(&self) -> &'static str {
        "request"
    }

    fn endpoint(&self) -> &str {
        "api"
    }

    fn session(&self) -> &str {
        "default"
    }

    fn method(&self) -> &str {
        &self.method
    }

    fn authority(&self) -> &str {
        "api.example.com"
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn query(&self) -> &[(String, String)] {
        &self.query
    }

    fn status(&self) -> u16 {
        0
    }

    fn fields(&self) -> &Fields {
        &self.fields
    }

    fn body(&self) -> &Bytes {
        &self.body
    }

    fn json(&self) -> Option<&Document> {
        self.json.as_ref()
    }
}

/// Method, path, query and body, as matchers usually declare them.
pub(crate) fn default_parts(query_except: &[&str], body_except: &[&str]) -> Vec<KeyPart> {
    let except = ExcludedNames::exact(query_except);
    vec![
        KeyPart::Method,
        KeyPart::Path,
        KeyPart::Query { except },
        body(body_except),
    ]
}

/// The body except these pointers.
pub(crate) fn body(except: &[&str]) -> KeyPart {
    let except = except.iter().map(|text| Pointer::parse(text).unwrap());
    KeyPart::Body {
        except: except.collect(),
    }
}

/// A multipart body of these parts, each as header lines and content, and its content type.
pub(crate) fn multipart(boundary: &str, parts: &[(&str, &str)]) -> (String, String) {
    let mut body = String::new();
    for (head, content) in parts {
        body.push_str(&format!("--{boundary}\r\n{head}\r\n\r\n{content}\r\n"));
    }
    body.push_str(&format!("--{boundary}--\r\n"));
    (format!("multipart/form-data; boundary={boundary}"), body)
}
