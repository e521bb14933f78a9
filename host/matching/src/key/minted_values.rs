//! The values that a client made up in one request, each with its place, and the places in a
//! response where its client expects them again.

use std::ops::Range;

use super::body::{body_kind, for_each_text};
use super::minted_role::{JsonValue, Role};
use super::minted_rules::{MintedRules, Spots, is_json_rpc};
use super::path::{decoded, normalized};
use ouli_codec::MessageView;
use ouli_codec::json::{Document, Kind, Node};

/// A value that a client made up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintedValue {
    /// Its place. Values of two requests in one place stand for each other.
    pub place: String,
    /// The value, without the quotes and escapes of JSON.
    pub text: String,
    /// What it is in JSON.
    pub json: Option<JsonValue>,
    /// True if the rules name the place of this value, false if they know it by its definition.
    pub is_declared: bool,
}

/// Headers that name a request or a trace.
const REQUEST_ID_HEADERS: [&str; 15] = [
    "amz-sdk-invocation-id",
    "b3",
    "idempotency-key",
    "request-id",
    "sentry-trace",
    "traceparent",
    "x-amzn-trace-id",
    "x-b3-parentspanid",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-client-request-id",
    "x-cloud-trace-context",
    "x-correlation-id",
    "x-ms-client-request-id",
    "x-request-id",
];

impl MintedRules {
    /// The values in a request or in a message of a conversation.
    pub fn values(&self, message: &dyn MessageView) -> Vec<MintedValue> {
        let mut values = Vec::new();
        let is_request = message.kind() == "request";
        let query = if is_request { message.query() } else { &[] };
        let spots = self.spots(query, body_kind(message, true));
        if is_request {
            self.add_head(message, &spots, &mut values);
        }
        if let Some(json) = spots.has_body().then(|| message.json()).flatten() {
            let declared = spots.followed.iter().enumerate();
            let declared = declared.map(|(index, pointer)| (Role::Declared(index), *pointer));
            let own = spots.own.iter().map(|(role, pointer)| (*role, *pointer));
            for (role, pointer) in declared.chain(own) {
                for (index, node) in json.find(pointer).enumerate() {
                    let place = || format!("body {pointer} {index}");
                    values.extend(JsonValue::of(node, role).map(|json| MintedValue {
                        place: place(),
                        text: plain_text(node),
                        json: Some(json),
                        is_declared: matches!(role, Role::Declared(_)),
                    }));
                }
            }
        } else if !spots.followed.is_empty() {
            let mut index = 0;
            for_each_text(message, &spots, |text| {
                add(&mut values, format!("body {index}"), text, true);
                index += 1;
            });
        }
        values
    }

    /// True if the body of a message has places.
    pub fn has_body_places(&self, message: &dyn MessageView) -> bool {
        self.spots(&[], body_kind(message, true)).has_body()
    }

    fn add_head(
        &self,
        message: &dyn MessageView,
        spots: &Spots<'_>,
        values: &mut Vec<MintedValue>,
    ) {
        let path = normalized(message.path());
        for segment in self.segments(&path).into_iter().flatten() {
            let text = path.split('/').nth(segment).unwrap_or_default();
            add(values, format!("path {segment}"), &decoded(text), true);
        }
        for (index, (name, value)) in message.query().iter().enumerate() {
            if spots.has_query(name) {
                add(values, format!("query {name} {index}"), value, true);
            }
        }
        for name in self.headers() {
            for (index, value) in message.fields().get_all(name).enumerate() {
                let text = value.to_str().unwrap_or_default();
                add(values, format!("header {name} {index}"), text, true);
            }
        }
        let request_ids = REQUEST_ID_HEADERS.iter().filter(|_| self.has_request_ids());
        for name in request_ids {
            for (index, value) in message.fields().get_all(name).enumerate() {
                let text = value.to_str().unwrap_or_default();
                add(values, format!("header {name} {index}"), text, false);
                for (part, id) in trace_ids(name, text).enumerate() {
                    add(values, format!("trace {name} {index} {part}"), id, false);
                }
            }
        }
    }

    /// True if a request with this head and body may have values.
    pub fn may_have_values(&self, message: &dyn MessageView) -> bool {
        let has_request_id = || {
            let mut names = message.fields().iter().map(|(name, _)| name.as_str());
            names.any(|name| REQUEST_ID_HEADERS.contains(&name))
        };
        self.has_places()
            || (self.has_request_ids() && has_request_id())
            || !self
                .spots(message.query(), body_kind(message, true))
                .is_empty()
    }

    /// Calls `take` with the values in a JSON text of the server that its client may have made up,
    /// each with its range. They may be as many as the members of the text.
    pub fn for_each_answered(
        &self,
        json: &Document,
        mut take: impl FnMut(Range<usize>, JsonValue),
    ) {
        let mut add = |node: Node<'_>, role: Role| {
            if let Some(value) = JsonValue::of(node, role) {
                take(node.span(), value);
            }
        };
        for (index, pointer) in self.pointers().iter().enumerate() {
            json.find(pointer)
                .for_each(|node| add(node, Role::Declared(index)));
        }
        if self.has_json_rpc() {
            match json.root().kind() {
                Kind::Array(elements) => elements.for_each(|it| for_each_answered(it, &mut add)),
                _ => for_each_answered(json.root(), &mut add),
            }
        }
    }
}

/// The ids in the value of a header that has several: of the trace, of the span and of its parent.
fn trace_ids<'a>(name: &str, value: &'a str) -> impl Iterator<Item = &'a str> {
    let separators: &[char] = match name {
        "b3" | "sentry-trace" | "traceparent" => &['-'],
        "x-amzn-trace-id" => &['=', ';'],
        "x-cloud-trace-context" => &['/', ';'],
        _ => &[],
    };
    let ids = value.split(separators);
    ids.filter(|_| !separators.is_empty()).map(str::trim)
}

/// Notifications of progress, and the member that names the token: of MCP and of LSP.
const PROGRESS: [(&str, &str); 2] = [
    ("notifications/progress", "progressToken"),
    ("$/progress", "token"),
];

/// The id of a response of JSON-RPC, or the token of a notification of progress. A call of the
/// server has an id of its own, and a server cancels its own calls alone.
fn for_each_answered<'a>(message: Node<'a>, add: &mut impl FnMut(Node<'a>, Role)) {
    let Kind::Object(members) = message.kind() else {
        return;
    };
    if !is_json_rpc(message) {
        return;
    }
    let method = members.clone().find(|member| member.name == "method");
    let Some(method) = method else {
        let ids = members.filter(|member| member.name == "id");
        ids.for_each(|id| add(id.value, Role::Call));
        return;
    };
    let name = plain_text(method.value);
    let Some((_, token)) = PROGRESS.iter().find(|(own, _)| *own == name) else {
        return;
    };
    for params in members.filter(|member| member.name == "params") {
        if let Kind::Object(params) = params.value.kind() {
            let tokens = params.filter(|member| member.name == *token);
            tokens.for_each(|token| add(token.value, Role::Progress));
        }
    }
}

/// The decoded value of a string, or the text.
fn plain_text(node: Node<'_>) -> String {
    match node.kind() {
        Kind::String(text) => text.into_owned(),
        _ => node.text().to_owned(),
    }
}

fn add(values: &mut Vec<MintedValue>, place: String, text: &str, is_declared: bool) {
    if !text.is_empty() {
        values.push(MintedValue {
            place,
            text: text.to_owned(),
            json: None,
            is_declared,
        });
    }
}
