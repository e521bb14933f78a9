//! One golden case: an exchange, and what the plugin must make of it. A JSON file.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};

use ouli_message::{Content, Exchange, Fields};

/// A case as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// What it shows, in a line.
    pub(super) description: String,
    pub(super) role: Role,
    #[serde(default)]
    pub(super) settings: Map<String, Value>,
    pub(super) request: Map<String, Value>,
    #[serde(default)]
    pub(super) response: Option<Map<String, Value>>,
    /// Changes of the request that leave its key as it is.
    #[serde(default)]
    pub(super) same: Vec<Map<String, Value>>,
    /// Changes of the request that give it another key.
    #[serde(default)]
    pub(super) different: Vec<Map<String, Value>>,
    #[serde(default)]
    pub(super) expect: Option<Map<String, Value>>,
}

/// The role that a case is for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Role {
    Matcher,
    Redactor,
    RecordingPolicy,
}

/// A request as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RequestSpec {
    method: Option<String>,
    target: Option<String>,
    authority: Option<String>,
    headers: Headers,
    #[serde(flatten)]
    body: BodySpec,
}

/// A response as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResponseSpec {
    status: Option<u16>,
    headers: Headers,
    #[serde(flatten)]
    body: BodySpec,
}

type Headers = BTreeMap<String, Option<OneOrMore>>;

/// The values of a header.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// A body in one of three forms; none where it is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BodySpec {
    json: Option<Value>,
    text: Option<String>,
    base64: Option<String>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl Case {
    /// Reads a case; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let case: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let varied = !case.same.is_empty() || !case.different.is_empty();
        match case.role {
            Role::Matcher if !varied && case.expect.is_none() => {
                Err("it expects nothing: add `same`, `different` or `expect`".to_owned())
            }
            Role::Redactor | Role::RecordingPolicy if varied => {
                Err("`same` and `different` are for matchers".to_owned())
            }
            Role::Redactor | Role::RecordingPolicy if case.expect.is_none() => {
                Err("it expects nothing: add `expect`, or run with --bless".to_owned())
            }
            Role::Matcher | Role::Redactor | Role::RecordingPolicy => Ok(case),
        }
    }

    /// The exchange. `change` replaces members of the request, and single headers of it.
    pub(super) fn exchange(&self, change: Option<&Map<String, Value>>) -> Result<Exchange, String> {
        let mut request = self.request.clone();
        for (name, value) in change.into_iter().flatten() {
            apply_change(&mut request, name, value);
        }
        let asked = read(request, "request")?;
        let answered = read(self.response.clone().unwrap_or_default(), "response")?;
        Ok(Exchange {
            endpoint: "api".to_owned(),
            request: request_of(asked)?,
            response: response_of(answered)?,
            stream: None,
            failure: None,
            tags: Vec::new(),
        })
    }
}

/// Bodies replace each other whatever their form; headers do so one by one.
fn apply_change(request: &mut Map<String, Value>, name: &str, value: &Value) {
    match (name, value) {
        ("headers", Value::Object(changes)) => {
            let headers = request
                .entry("headers")
                .or_insert_with(|| Map::new().into());
            if let Value::Object(headers) = headers {
                headers.extend(changes.clone());
            }
        }
        ("json" | "text" | "base64", _) => {
            for form in ["json", "text", "base64"] {
                request.remove(form);
            }
            request.insert(name.to_owned(), value.clone());
        }
        _ => {
            request.insert(name.to_owned(), value.clone());
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(from: Map<String, Value>, what: &str) -> Result<T, String> {
    serde_json::from_value(Value::Object(from)).map_err(|error| format!("`{what}`: {error}"))
}

fn request_of(asked: RequestSpec) -> Result<ouli_message::Request, String> {
    let method = asked.method.unwrap_or_else(|| "GET".to_owned());
    let method = Method::try_from(method.as_str());
    let mut fields = fields(&asked.headers)?;
    let body = body(asked.body, &mut fields)?;
    Ok(ouli_message::Request {
        method: method.map_err(|error| format!("`request.method`: {error}"))?,
        authority: asked
            .authority
            .unwrap_or_else(|| "api.example.com".to_owned()),
        target: asked.target.unwrap_or_else(|| "/".to_owned()),
        fields,
        body,
        trailers: Fields::default(),
    })
}

fn response_of(answered: ResponseSpec) -> Result<ouli_message::Response, String> {
    let status = StatusCode::from_u16(answered.status.unwrap_or(200));
    let mut fields = fields(&answered.headers)?;
    let body = body(answered.body, &mut fields)?;
    Ok(ouli_message::Response {
        status: status.map_err(|error| format!("`response.status`: {error}"))?,
        fields,
        body,
        trailers: Fields::default(),
    })
}

fn fields(headers: &Headers) -> Result<Fields, String> {
    let mut fields = Fields::default();
    for (name, values) in headers {
        let wrong = |error: &dyn std::fmt::Display| format!("header `{name}`: {error}");
        let own = HeaderName::try_from(name).map_err(|error| wrong(&error))?;
        let values = match values {
            None => Vec::new(),
            Some(OneOrMore::One(value)) => vec![value.clone()],
            Some(OneOrMore::More(values)) => values.clone(),
        };
        for value in values {
            let value = HeaderValue::try_from(value).map_err(|error| wrong(&error))?;
            fields.push(own.clone(), value);
        }
    }
    Ok(fields)
}

fn body(body: BodySpec, fields: &mut Fields) -> Result<Content, String> {
    if let Some(name) = body.unknown.keys().next() {
        return Err(format!(
            "unknown member `{name}`; a message has method, target, authority or status, headers, \
             and one of json, text, base64"
        ));
    }
    let bytes = match (body.json, body.text, body.base64) {
        (None, None, None) => Vec::new(),
        (Some(json), None, None) => {
            if fields.get_str("content-type").is_none() {
                let json = HeaderValue::from_static("application/json");
                fields.push(http::header::CONTENT_TYPE, json);
            }
            json.to_string().into_bytes()
        }
        (None, Some(text), None) => text.into_bytes(),
        (None, None, Some(base64)) => STANDARD
            .decode(base64)
            .map_err(|error| format!("`base64`: {error}"))?,
        _ => return Err("a body is one of json, text and base64".to_owned()),
    };
    Ok(Content::Inline(Bytes::from(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(more: &str) -> Result<Case, String> {
        Case::parse(&format!(
            "{{\"description\": \"x\", \"role\": \"matcher\", {more}}}"
        ))
    }

    #[test]
    fn a_change_replaces_the_body_and_single_headers() {
        let text = r#""request": {"headers": {"a": "1", "b": ["2", "3"]}, "json": {"c": 4}},
            "same": [{"text": "five", "headers": {"a": null, "d": "6"}}]"#;
        let case = case(text).unwrap();
        let plain = case.exchange(None).unwrap().request;
        assert_eq!(plain.body.inline(), b"{\"c\":4}");
        assert_eq!(
            plain.fields.get_str("content-type"),
            Some("application/json")
        );
        assert_eq!(plain.fields.get_all("b").count(), 2);
        let changed = case.exchange(Some(&case.same[0])).unwrap().request;
        assert_eq!(changed.body.inline(), b"five");
        assert_eq!(changed.fields.get_str("a"), None);
        assert_eq!(changed.fields.get_str("d"), Some("6"));
    }

    #[test]
    fn errors_name_the_member() {
        for (more, expected) in [
            (r#""request": {}"#, "expects nothing"),
            (r#""request": {}, "sam": []"#, "unknown field `sam`"),
            (r#""same": []"#, "missing field `request`"),
        ] {
            let error = case(more).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        for (request, expected) in [
            (r#"{"jsn": 1}"#, "unknown member `jsn`"),
            (r#"{"json": 1, "text": "a"}"#, "one of json, text"),
            (r#"{"method": "G T"}"#, "request.method"),
            (r#"{"headers": {"a b": "1"}}"#, "header `a b`"),
            (r#"{"base64": "%"}"#, "base64"),
        ] {
            let case = case(&format!(r#""request": {request}, "expect": {{}}"#)).unwrap();
            let error = case.exchange(None).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
