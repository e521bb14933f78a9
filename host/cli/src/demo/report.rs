//! The table that the demo prints at its end.

use bytes::Bytes;

use super::cases::{Case, Protocol, SECRET};
use super::client::ClientResponse;
use super::conversation::Conversation;
use super::streaming_origin;

/// The placeholder of the secret in the event stream; the client sends the secret in a header too.
const PLACEHOLDER: &str = "<authorization-1>";

/// A request or a conversation, recorded and replayed.
pub(super) struct Row {
    name: &'static str,
    protocol: &'static str,
    recorded: String,
    replayed: String,
    /// The first difference between both.
    pub(super) difference: Option<String>,
}

impl Row {
    /// Compares the recorded response with the replayed one.
    pub(super) fn compare(
        case: &Case,
        recorded: &ClientResponse,
        replayed: &ClientResponse,
    ) -> Self {
        let text = |response: &ClientResponse| {
            format!("{} {} B", response.status.as_u16(), response.body.len())
        };
        let difference = if recorded.status != replayed.status {
            Some("status")
        } else if !same_body(&recorded.body, &replayed.body) {
            Some("body")
        } else if recorded.headers.get("content-type") != replayed.headers.get("content-type") {
            Some("content-type")
        } else if replayed.has_header("ouli-error") {
            Some("ouli-error")
        } else {
            None
        };
        Self {
            name: case.name,
            protocol: match case.protocol {
                Protocol::Http1 => "HTTP/1.1",
                Protocol::Http2 => "HTTP/2",
            },
            recorded: text(recorded),
            replayed: text(replayed),
            difference: difference.map(|part| format!("{}: {part} differs in replay", case.name)),
        }
    }

    /// Compares the messages that the client received in a conversation.
    pub(super) fn compare_conversation(recorded: &Conversation, replayed: &Conversation) -> Self {
        let text = |one: &Conversation| format!("{} messages", one.received.len());
        Self {
            name: recorded.name,
            protocol: recorded.protocol,
            recorded: text(recorded),
            replayed: text(replayed),
            difference: (recorded != replayed).then(|| {
                format!(
                    "{}: received {:?}, not {:?}",
                    recorded.name, replayed.received, recorded.received
                )
            }),
        }
    }
}

/// True if the replayed body is the recorded one with a placeholder for the secret.
fn same_body(recorded: &Bytes, replayed: &Bytes) -> bool {
    if recorded == replayed {
        return true;
    }
    let (first, second) = streaming_origin::split_secret(SECRET);
    let text = String::from_utf8_lossy(recorded);
    let redacted = text.replace(first, PLACEHOLDER).replace(second, "");
    text.contains(first) && redacted.as_bytes() == replayed
}

/// Prints the rows as a table.
pub(super) fn table(rows: &[Row], print: &mut dyn FnMut(&str)) {
    print("");
    print(&line(
        "request", "protocol", "recorded", "replayed", "equal",
    ));
    for row in rows {
        let equal = if row.difference.is_none() {
            "yes"
        } else {
            "NO"
        };
        print(&line(
            row.name,
            row.protocol,
            &row.recorded,
            &row.replayed,
            equal,
        ));
    }
    print("");
}

/// Prints the number of redactions by rule.
pub(super) fn redactions(
    counts: &std::collections::BTreeMap<String, u64>,
    print: &mut dyn FnMut(&str),
) {
    let all: Vec<_> = counts
        .iter()
        .map(|(rule, count)| format!("{count} by {rule}"))
        .collect();
    print(&format!("redacted: {}", all.join(", ")));
}

fn line(name: &str, protocol: &str, recorded: &str, replayed: &str, equal: &str) -> String {
    format!("  {name:<26} {protocol:<9} {recorded:<12} {replayed:<12} {equal}")
}
