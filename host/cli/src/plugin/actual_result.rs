//! What the plugin under test returns for a case, as JSON.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::golden_case::{Case, Role};
use ouli_codec::grpc::Schema;
use ouli_matching::key::{self, DescribedPart, Key, Variant};
use ouli_message::{Content, Exchange, Fields};
use ouli_plugin::{Decision, Plugin, Plugins};
use ouli_redaction::Secrets;

/// The result of a plugin for one case.
pub(super) struct ActualResult {
    /// The key of a matcher.
    key: Option<RequestKey>,
    pub(super) output: Value,
}

struct RequestKey {
    key: Key,
    /// What selects the response.
    variant: Variant,
    fields: Fields,
}

impl ActualResult {
    /// True if a request with the other result matches the recorded one with this result.
    pub(super) fn matches(&self, live: &Self) -> bool {
        let key = |result: &Self| result.key.as_ref().map(|key| key.key.clone());
        key(self) == key(live) && self.mismatches(live).is_empty()
    }

    /// The headers of the other request that select another response.
    pub(super) fn mismatches(&self, live: &Self) -> Vec<String> {
        let (Some(recorded), Some(live)) = (&self.key, &live.key) else {
            return Vec::new();
        };
        let names = recorded.variant.mismatches(&live.fields).into_iter();
        names.map(str::to_owned).collect()
    }
}

/// The plugin alone, without the built-in ones.
pub(super) struct PluginUnderTest {
    plugins: Plugins,
    session: Arc<str>,
}

impl PluginUnderTest {
    pub(super) fn new(plugin: Arc<Plugin>) -> Result<Self, String> {
        let plugins = Plugins::new(vec![plugin], &[], Schema::default());
        Ok(Self {
            plugins: plugins.map_err(|error| error.to_string())?,
            session: "test".into(),
        })
    }

    /// Calls the plugin with the exchange of the case, or with a change of it.
    pub(super) fn call(
        &self,
        case: &Case,
        change: Option<&Map<String, Value>>,
    ) -> Result<ActualResult, String> {
        let exchange = case.exchange(change)?;
        let secrets = Arc::new(Secrets::default());
        let failed = |error: ouli_plugin::PluginFailure| ActualResult {
            key: None,
            output: json!({"error": error.reason}),
        };
        Ok(match case.role {
            Role::Matcher => self.key(exchange, &secrets).unwrap_or_else(failed),
            Role::Redactor => self
                .plugins
                .redact(exchange, &self.session, &secrets)
                .map_or_else(failed, |redacted| ActualResult {
                    key: None,
                    output: exchange_json(&redacted.exchange),
                }),
            Role::RecordingPolicy => self
                .plugins
                .decide(&exchange, &self.session, &secrets)
                .map_or_else(failed, |decision| ActualResult {
                    key: None,
                    output: decision_json(decision),
                }),
        })
    }

    fn key(
        &self,
        exchange: Exchange,
        secrets: &Arc<Secrets>,
    ) -> Result<ActualResult, ouli_plugin::PluginFailure> {
        let request = Arc::new(exchange.request);
        let (endpoint, session) = (exchange.endpoint.into(), Arc::clone(&self.session));
        let view = self
            .plugins
            .view(endpoint, session, request, Arc::clone(secrets))?;
        let response = &exchange.response.fields;
        let (key, variant) = self.plugins.recorded_key(&view, secrets, response)?;
        let parts = self.plugins.describe(&view, secrets)?;
        Ok(ActualResult {
            key: Some(RequestKey {
                key: key.key,
                variant,
                fields: view.fields().clone(),
            }),
            output: json!({"parts": parts_json(&parts)}),
        })
    }
}

/// The parts of a key by name; an array of values for a repeated name.
fn parts_json(parts: &[DescribedPart]) -> Value {
    let mut json: Map<String, Value> = Map::new();
    for part in parts {
        let value = value_json(&part.value);
        match json.get_mut(&part.name) {
            Some(Value::Array(values)) if is_repeated(parts, &part.name) => values.push(value),
            Some(_) | None => {
                let repeated = is_repeated(parts, &part.name);
                let value = if repeated { json!([value]) } else { value };
                json.insert(part.name.clone(), value);
            }
        }
    }
    Value::Object(json)
}

fn is_repeated(parts: &[DescribedPart], name: &str) -> bool {
    parts.iter().filter(|part| part.name == name).count() > 1
}

fn value_json(value: &key::Value) -> Value {
    let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({"base64": STANDARD.encode(bytes)}),
    };
    match value {
        key::Value::Empty => Value::Null,
        key::Value::Text(text) => json!(text),
        key::Value::Bytes(bytes) => text(bytes),
        key::Value::Fields(fields) => {
            let fields = fields.iter();
            fields
                .map(|(name, bytes)| json!([name, text(bytes)]))
                .collect()
        }
        key::Value::Pairs(pairs) => pairs.iter().map(|pair| json!(pair)).collect(),
        key::Value::Json(json) => {
            let text = json.to_string();
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        key::Value::BodyParts(sections) => sections
            .iter()
            .map(|section| json!({"name": section.name, "content": value_json(&section.content)}))
            .collect(),
    }
}

fn exchange_json(exchange: &Exchange) -> Value {
    let (request, response) = (&exchange.request, &exchange.response);
    let mut request_json = message_json(&request.fields, &request.body);
    request_json.insert("target".to_owned(), json!(request.target));
    let response_json = message_json(&response.fields, &response.body);
    json!({"request": request_json, "response": response_json})
}

fn message_json(fields: &Fields, body: &Content) -> Map<String, Value> {
    let mut message = Map::new();
    let mut headers = Map::new();
    for (name, _) in fields.iter() {
        let values = fields.get_all(name.as_str());
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        let value = match values.as_slice() {
            [one] => json!(one),
            more => json!(more),
        };
        headers.insert(name.to_string(), value);
    }
    message.insert("headers".to_owned(), Value::Object(headers));
    let bytes = body.inline();
    match (
        serde_json::from_slice::<Value>(bytes),
        std::str::from_utf8(bytes),
    ) {
        (Ok(json), _) => message.insert("json".to_owned(), json),
        (Err(_), Ok("")) => None,
        (Err(_), Ok(text)) => message.insert("text".to_owned(), json!(text)),
        (Err(_), Err(_)) => message.insert("base64".to_owned(), json!(STANDARD.encode(bytes))),
    };
    message
}

fn decision_json(decision: Decision) -> Value {
    match decision {
        Decision::Skip(reason) => json!({"skip": reason}),
        Decision::Keep(tags) => {
            let tags: Map<_, _> = tags
                .into_iter()
                .map(|(n, v)| (n, Value::String(v)))
                .collect();
            json!({"keep": true, "tags": tags})
        }
    }
}
