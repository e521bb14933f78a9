//! The messages of ouli.test, written by hand; they equal those of `schema.py`.

use std::collections::BTreeMap;

use prost::{Enumeration, Message, Oneof};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub(crate) enum Kind {
    Unspecified = 0,
    Zeros = 1,
    Pattern = 2,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Empty {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Payload {
    #[prost(enumeration = "Kind", tag = "1")]
    pub(crate) kind: i32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) body: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Credentials {
    #[prost(string, tag = "1")]
    pub(crate) user: String,
    #[prost(string, tag = "2")]
    pub(crate) password: String,
    #[prost(string, tag = "3")]
    pub(crate) access_token: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Part {
    #[prost(int32, tag = "1")]
    pub(crate) size: i32,
    #[prost(int32, tag = "2")]
    pub(crate) pause_ms: i32,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Asked {
    #[prost(string, tag = "7")]
    Text(String),
    #[prost(int64, tag = "8")]
    Number(i64),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Request {
    #[prost(int32, tag = "1")]
    pub(crate) response_size: i32,
    #[prost(message, optional, tag = "2")]
    pub(crate) payload: Option<Payload>,
    #[prost(message, optional, tag = "3")]
    pub(crate) response_status: Option<Status>,
    #[prost(message, optional, tag = "4")]
    pub(crate) credentials: Option<Credentials>,
    #[prost(string, repeated, tag = "5")]
    pub(crate) tags: Vec<String>,
    #[prost(btree_map = "string, int32", tag = "6")]
    pub(crate) counts: BTreeMap<String, i32>,
    #[prost(oneof = "Asked", tags = "7, 8")]
    pub(crate) choice: Option<Asked>,
    #[prost(int32, tag = "9")]
    pub(crate) sleep_ms: i32,
    #[prost(message, repeated, tag = "10")]
    pub(crate) parts: Vec<Part>,
    #[prost(bool, tag = "11")]
    pub(crate) compress_response: bool,
    #[prost(bool, tag = "12")]
    pub(crate) rich_status: bool,
    #[prost(bool, tag = "13")]
    pub(crate) count_calls: bool,
    #[prost(bool, tag = "14")]
    pub(crate) log_in: bool,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Answered {
    #[prost(string, tag = "5")]
    Text(String),
    #[prost(int64, tag = "6")]
    Number(i64),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Response {
    #[prost(message, optional, tag = "1")]
    pub(crate) payload: Option<Payload>,
    #[prost(message, optional, tag = "2")]
    pub(crate) credentials: Option<Credentials>,
    #[prost(string, repeated, tag = "3")]
    pub(crate) tags: Vec<String>,
    #[prost(btree_map = "string, int32", tag = "4")]
    pub(crate) counts: BTreeMap<String, i32>,
    #[prost(oneof = "Answered", tags = "5, 6")]
    pub(crate) choice: Option<Answered>,
    #[prost(int32, tag = "7")]
    pub(crate) received_bytes: i32,
    #[prost(int32, tag = "8")]
    pub(crate) call: i32,
}

/// Has the layout of `google.rpc.Status`, for `grpc-status-details-bin`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RichStatus {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Detail>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Detail {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

impl Payload {
    /// The payload that servers send.
    pub(crate) fn zeros(size: i32) -> Self {
        let (kind, size) = (Kind::Zeros.into(), usize::try_from(size).unwrap());
        Self {
            kind,
            body: vec![0; size],
        }
    }

    /// The payload that clients send.
    pub(crate) fn pattern(size: usize) -> Self {
        Self {
            kind: Kind::Pattern.into(),
            body: (0..=250).cycle().take(size).collect(),
        }
    }

    /// The length of the payload if its bytes are the expected ones.
    pub(crate) fn checked(&self) -> i32 {
        if self.kind == i32::from(Kind::Pattern) {
            assert_eq!(*self, Self::pattern(self.body.len()));
        }
        self.body.len().try_into().unwrap()
    }
}
