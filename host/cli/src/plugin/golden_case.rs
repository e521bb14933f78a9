//! A golden case: a JSON file with an exchange and the expected result of the plugin.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};

use ouli_message::{CodedBody, Content, Exchange, Fields};

/// A case, as in its file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// One line about the case, printed with its result.
    pub(super) description: String,
    pub(super) role: Role,
    #[serde(default)]
    pub(super) settings: Map<String, Value>,
    pub(super) request: Map<String, Value>,
    #[serde(default)]
    pub(super) response: Option<Map<String, Value>>,
    /// Changes of the request that keep its key.
    #[serde(default)]
    pub(super) same: Vec<Map<String, Value>>,
    /// Changes of the request that change its key.
    #[serde(default)]
    pub(super) different: Vec<Map<String, Value>>,
    #[serde(default)]
    pub(super) expect: Option<Map<String, Value>>,
}

/// The role under test.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Role {
    Matcher,
    Redactor,
    RecordingPolicy,
}

/// The request of a case.
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

/// The response of a case.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResponseSpec {
    status: Option<u16>,
    headers: Headers,
    #[serde(flatten)]
    body: BodySpec,
}

type Headers = BTreeMap<String, Option<OneOrMore>>;

/// One value or several values of a header.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// A body in one of three forms; empty without any.
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
    /// Parses a case.
    ///
    /// # Errors
    /// Says why the case is invalid.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let case: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let has_changes = !case.same.is_empty() || !case.different.is_empty();
        match case.role {
            Role::Matcher if !has_changes && case.expect.is_none() => {
                Err("the case expects nothing: add `same`, `different` or `expect`".to_owned())
            }
            Role::Redactor | Role::RecordingPolicy if has_changes => {
                Err("`same` and `different` are for matchers".to_owned())
            }
            Role::Redactor | Role::RecordingPolicy if case.expect.is_none() => {
                Err("the case expects nothing: add `expect`, or run with --bless".to_owned())
            }
            Role::Matcher | Role::Redactor | Role::RecordingPolicy => Ok(case),
        }
    }

    /// The exchange. `change` replaces members of the request, and single headers.
    pub(super) fn exchange(&self, change: Option<&Map<String, Value>>) -> Result<Exchange, String> {
        let mut request = self.request.clone();
        for (name, value) in change.into_iter().flatten() {
            apply_change(&mut request, name, value);
        }
        let request = read(request, "request")?;
        let response = read(self.response.clone().unwrap_or_default(), "response")?;
        Ok(Exchange {
            endpoint: "api".to_owned(),
            request: build_request(request)?,
            response: build_response(response)?,
            stream: None,
            failure: None,
            tags: Vec::new(),
        })
    }
}

/// A body replaces a body of any form; headers are replaced one by one.
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

fn read<T: serde::de::DeserializeOwned>(from: Map<String, Value>, name: &str) -> Result<T, String> {
    serde_json::from_value(Value::Object(from)).map_err(|error| format!("`{name}`: {error}"))
}

fn build_request(spec: RequestSpec) -> Result<ouli_message::Request, String> {
    let method = spec.method.unwrap_or_else(|| "GET".to_owned());
    let method = Method::try_from(method.as_str());
    let mut fields = fields(&spec.headers)?;
    let body = body(spec.body, &mut fields)?;
    Ok(ouli_message::Request {
        method: method.map_err(|error| format!("`request.method`: {error}"))?,
        authority: spec
            .authority
            .unwrap_or_else(|| "api.example.com".to_owned()),
        target: spec.target.unwrap_or_else(|| "/".to_owned()),
        fields,
        body,
        trailers: Fields::default(),
        truncated_at: None,
    })
}

fn build_response(spec: ResponseSpec) -> Result<ouli_message::Response, String> {
    let status = StatusCode::from_u16(spec.status.unwrap_or(200));
    let mut fields = fields(&spec.headers)?;
    let body = body(spec.body, &mut fields)?;
    Ok(ouli_message::Response {
        status: status.map_err(|error| format!("`response.status`: {error}"))?,
        fields,
        body,
        coded: CodedBody::Derived,
        trailers: Fields::default(),
        reason: None,
        omitted: Vec::new(),
    })
}

fn fields(headers: &Headers) -> Result<Fields, String> {
    let mut fields = Fields::default();
    for (name, values) in headers {
        let invalid = |error: &dyn std::fmt::Display| format!("header `{name}`: {error}");
        let field_name = HeaderName::try_from(name).map_err(|error| invalid(&error))?;
        let values = match values {
            None => Vec::new(),
            Some(OneOrMore::One(value)) => vec![value.clone()],
            Some(OneOrMore::More(values)) => values.clone(),
        };
        for value in values {
            let value = HeaderValue::try_from(value).map_err(|error| invalid(&error))?;
            fields.push(field_name.clone(), value);
        }
    }
    Ok(fields)
}

fn body(body: BodySpec, fields: &mut Fields) -> Result<Content, String> {
    if let Some(name) = body.unknown.keys().next() {
        return Err(format!(
            "unknown member `{name}`; the members of a message are method, target, authority or \
             status, headers, and one of json, text, base64"
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
        _ => return Err("a message has only one of json, text and base64".to_owned()),
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
    fn errors_name_the_invalid_member() {
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
