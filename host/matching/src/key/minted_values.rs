//! The values that a client made up in one request, each with its place, and the places in a
//! response where its client expects them again.

use std::ops::Range;

use super::body::{body_kind, for_each_text};
use super::minted_rules::{MintedRules, Spots, is_json_rpc};
use super::path::normalized;
use ouli_codec::MessageView;
use ouli_codec::json::{Document, Kind, Node};

/// The most values of one message that count.
const MAX_VALUES: usize = 1024;

/// A value that a client made up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintedValue {
    /// Its place. Values of two requests in one place stand for each other.
    pub place: String,
    /// The value; a JSON text where it is one in JSON.
    pub text: String,
    /// True for a JSON text.
    pub is_json: bool,
}

/// Headers that name a request or a trace.
const REQUEST_ID_HEADERS: [&str; 14] = [
    "amz-sdk-invocation-id",
    "b3",
    "idempotency-key",
    "request-id",
    "sentry-trace",
    "traceparent",
    "x-amzn-trace-id",
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
            for pointer in spots.followed.iter().chain(&spots.own) {
                for (index, node) in json.find(pointer).enumerate() {
                    if let Some(text) = value_text(node) {
                        let place = format!("body {pointer} {index}");
                        add(&mut values, place, text, true);
                    }
                }
            }
        } else if !spots.followed.is_empty() {
            let mut index = 0;
            for_each_text(message, &spots, |text| {
                add(&mut values, format!("body {index}"), text, false);
                index += 1;
            });
        }
        values
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
            add(values, format!("path {segment}"), text, false);
        }
        for (index, (name, value)) in message.query().iter().enumerate() {
            if spots.has_query(name) {
                add(values, format!("query {name} {index}"), value, false);
            }
        }
        let request_ids = REQUEST_ID_HEADERS.iter().filter(|_| self.has_request_ids());
        let own = self.headers().iter().map(String::as_str);
        for name in own.chain(request_ids.copied()) {
            for (index, value) in message.fields().get_all(name).enumerate() {
                let text = value.to_str().unwrap_or_default();
                add(values, format!("header {name} {index}"), text, false);
                if let ("traceparent", Some(trace)) = (name, text.split('-').nth(1)) {
                    add(values, "trace".to_owned(), trace, false);
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

    /// Calls `take` with the places in a JSON text of the server where a client expects its values
    /// again. They may be as many as the members of the text.
    pub fn for_each_answered(&self, json: &Document, mut take: impl FnMut(Range<usize>)) {
        for pointer in self.pointers() {
            json.find(pointer).map(Node::span).for_each(&mut take);
        }
        if self.has_json_rpc() {
            match json.root().kind() {
                Kind::Array(elements) => {
                    for element in elements.take(MAX_VALUES) {
                        for_each_answered(element, &mut take);
                    }
                }
                _ => for_each_answered(json.root(), &mut take),
            }
        }
    }
}

/// The id of a response of JSON-RPC, or what a notification names. A call of the server has an id
/// of its own.
fn for_each_answered(message: Node<'_>, take: &mut impl FnMut(Range<usize>)) {
    let Kind::Object(members) = message.kind() else {
        return;
    };
    if !is_json_rpc(message) {
        return;
    }
    let mut all = members.clone();
    let is_call = all.any(|member| member.name == "method");
    for member in members {
        match (&*member.name, member.value.kind()) {
            ("id", _) if !is_call => take(member.value.span()),
            ("params", Kind::Object(params)) if is_call => {
                let named = params.filter(|it| ["progressToken", "requestId"].contains(&&*it.name));
                named.for_each(|it| take(it.value.span()));
            }
            _ => {}
        }
    }
}

fn value_text(node: Node<'_>) -> Option<&str> {
    matches!(node.kind(), Kind::String(_) | Kind::Number).then(|| node.text())
}

fn add(values: &mut Vec<MintedValue>, place: String, text: &str, is_json: bool) {
    if values.len() < MAX_VALUES && !text.is_empty() {
        let text = text.to_owned();
        values.push(MintedValue {
            place,
            text,
            is_json,
        });
    }
}
