//! The result of a call, as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use prost::Message as _;
use serde_json::{Map, Value, json};
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic::{Code, Status};

use crate::messages::{Answered, Response};
use crate::wire::Watched;

/// The result of a call as far as the client knows it.
#[derive(Default)]
pub(crate) struct Seen {
    /// The received bytes.
    pub(crate) messages: Vec<Bytes>,
    pub(crate) initial: MetadataMap,
    pub(crate) trailing: MetadataMap,
    /// None if the call succeeded.
    pub(crate) status: Option<Status>,
    /// Set in calls about compression.
    pub(crate) wire: Option<Watched>,
}

impl Seen {
    pub(crate) fn shown(&self) -> Value {
        let messages: Vec<_> = self.messages.iter().map(message).collect();
        let mut trailing = metadata(&self.trailing);
        let mut ended = (Code::Ok, "");
        if let Some(status) = &self.status {
            ended = (status.code(), status.message());
            trailing.extend(metadata(status.metadata()));
            if !status.details().is_empty() {
                let details = STANDARD.encode(status.details());
                trailing.push(("grpc-status-details-bin".to_owned(), details));
            }
        }
        trailing.sort_by(|one, other| one.0.cmp(&other.0));
        let mut shown = json!({
            "messages": messages,
            "initial": metadata(&self.initial),
            "trailing": trailing,
            "code": ended.0 as i32,
            "details": ended.1,
        });
        if let Some(wire) = &self.wire {
            shown["compression"] = wire.shown();
        }
        shown
    }

    /// A call that was to end by its deadline. Its text depends on the side that first notices the
    /// expiry, and tonic reports `CANCELLED`.
    pub(crate) fn shown_late(&self) -> Value {
        let code = self.status.as_ref().map(Status::code);
        if !matches!(code, Some(Code::Cancelled | Code::DeadlineExceeded)) {
            return self.shown();
        }
        Self {
            status: Some(Status::new(Code::DeadlineExceeded, "")),
            ..Self::default()
        }
        .shown()
    }
}

/// The bytes of a message, its texts, and its bytes without the texts.
fn message(bytes: &Bytes) -> Value {
    let mut message = Response::decode(bytes.clone()).unwrap();
    let texts = take_texts(&mut message);
    json!({
        "bytes": STANDARD.encode(bytes),
        "texts": texts,
        "rest": STANDARD.encode(message.encode_to_vec()),
    })
}

fn take_texts(message: &mut Response) -> Map<String, Value> {
    let mut texts = Map::new();
    let mut put = |name: &str, text: String| {
        if !text.is_empty() {
            texts.insert(name.to_owned(), text.into());
        }
    };
    if let Some(credentials) = &mut message.credentials {
        let taken = std::mem::take(credentials);
        put("credentials.user", taken.user);
        put("credentials.password", taken.password);
        put("credentials.access_token", taken.access_token);
    }
    if let Some(Answered::Text(text)) = &message.choice {
        put("text", text.clone());
        message.choice = None;
    }
    if !message.tags.is_empty() {
        texts.insert("tags".to_owned(), std::mem::take(&mut message.tags).into());
    }
    texts
}

/// Names and values, with base64 for binary ones; `date` is left out.
fn metadata(map: &MetadataMap) -> Vec<(String, String)> {
    let shown = map.iter().map(|one| match one {
        KeyAndValueRef::Ascii(name, value) => {
            let value = String::from_utf8_lossy(value.as_encoded_bytes());
            (name.to_string(), value.into_owned())
        }
        KeyAndValueRef::Binary(name, value) => {
            let value = value.to_bytes().unwrap();
            (name.to_string(), STANDARD.encode(value))
        }
    });
    let mut shown: Vec<_> = shown.filter(|(name, _)| name != "date").collect();
    shown.sort_by(|one, other| one.0.cmp(&other.0));
    shown
}
