//! The table at the end of the demo.

use bytes::Bytes;

use super::cases::{Case, Protocol, SECRET};
use super::client::ClientResponse;
use super::conversations::Conversation;
use super::streaming_origin;

/// What stands in replay for the key in the event stream, which the client had in its header too.
const PLACEHOLDER: &str = "<authorization-1>";

/// One request, recorded and replayed.
pub(super) struct Row {
    name: &'static str,
    protocol: &'static str,
    recorded: String,
    replayed: String,
    /// What differs, where something does.
    pub(super) difference: Option<String>,
}

impl Row {
    /// Compares what the origin answered with what was replayed.
    pub(super) fn compare(case: &Case, before: &ClientResponse, after: &ClientResponse) -> Self {
        let shown =
            |answer: &ClientResponse| format!("{} {} B", answer.status.as_u16(), answer.body.len());
        let differs = if before.status != after.status {
            Some("status")
        } else if !same(&before.body, &after.body) {
            Some("body")
        } else if before.headers.get("content-type") != after.headers.get("content-type") {
            Some("content-type")
        } else if after.has_header("ouli-error") {
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
            recorded: shown(before),
            replayed: shown(after),
            difference: differs.map(|what| format!("{}: {what} differs in replay", case.name)),
        }
    }
}

impl Row {
    /// Compares what was heard in a conversation.
    pub(super) fn compare_conversation(before: &Conversation, after: &Conversation) -> Self {
        let shown = |talk: &Conversation| format!("{} heard", talk.received.len());
        let same = before == after;
        Self {
            name: before.name,
            protocol: before.protocol,
            recorded: shown(before),
            replayed: shown(after),
            difference: (!same).then(|| {
                format!(
                    "{}: heard {:?}, not {:?}",
                    before.name, after.received, before.received
                )
            }),
        }
    }
}

/// Whether the replayed body is the recorded one, with a placeholder where the key was.
fn same(before: &Bytes, after: &Bytes) -> bool {
    if before == after {
        return true;
    }
    let (one, two) = streaming_origin::split_secret(SECRET);
    let text = String::from_utf8_lossy(before);
    text.contains(one) && text.replace(one, PLACEHOLDER).replace(two, "").as_bytes() == after
}

/// Says the rows in columns.
pub(super) fn table(rows: &[Row], say: &mut dyn FnMut(&str)) {
    say("");
    say(&line(
        "request", "protocol", "recorded", "replayed", "equal",
    ));
    for row in rows {
        let equal = if row.difference.is_none() {
            "yes"
        } else {
            "NO"
        };
        say(&line(
            row.name,
            row.protocol,
            &row.recorded,
            &row.replayed,
            equal,
        ));
    }
    say("");
}

/// Says which rules took how many secrets out.
pub(super) fn redactions(
    counts: &std::collections::BTreeMap<String, u64>,
    say: &mut dyn FnMut(&str),
) {
    let all: Vec<_> = counts
        .iter()
        .map(|(rule, count)| format!("{count} by {rule}"))
        .collect();
    say(&format!("redacted: {}", all.join(", ")));
}

fn line(name: &str, protocol: &str, recorded: &str, replayed: &str, equal: &str) -> String {
    format!("  {name:<26} {protocol:<9} {recorded:<12} {replayed:<12} {equal}")
}
