//! The real clients and what they saw.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};

use crate::requests::Request;
use crate::{curl, script};

/// A client and the protocol that it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Curl(Protocol),
    Httpx(Protocol),
    Fetch,
}

/// A version of HTTP, without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    /// By prior knowledge.
    Http2,
}

/// What clients are told beside the requests.
pub(crate) struct Task<'a> {
    /// What stands before a target: the gateway's URL.
    pub(crate) base: &'a str,
    pub(crate) session: &'a str,
    pub(crate) requests: &'a [Request],
    /// For files.
    pub(crate) folder: &'a Path,
}

/// A response as a client saw it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Seen {
    /// Of the request.
    pub(crate) name: String,
    pub(crate) status: u16,
    /// As the client calls it; none where it does not tell.
    pub(crate) version: Option<String>,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// As it came, but for the transfer coding; none where the client does not tell.
    #[serde(deserialize_with = "from_base64")]
    pub(crate) raw: Option<Vec<u8>>,
    /// Without content codings, where the client undoes them.
    #[serde(deserialize_with = "from_base64")]
    pub(crate) body: Option<Vec<u8>>,
}

impl Client {
    pub(crate) const ALL: [Self; 5] = [
        Self::Curl(Protocol::Http1),
        Self::Curl(Protocol::Http2),
        Self::Httpx(Protocol::Http1),
        Self::Httpx(Protocol::Http2),
        Self::Fetch,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Curl(Protocol::Http1) => "curl-http1",
            Self::Curl(Protocol::Http2) => "curl-http2",
            Self::Httpx(Protocol::Http1) => "httpx-http1",
            Self::Httpx(Protocol::Http2) => "httpx-http2",
            Self::Fetch => "fetch",
        }
    }

    pub(crate) fn can_send(self, request: &Request) -> bool {
        let Some(further) = &request.curl else {
            return true;
        };
        match self {
            Self::Curl(Protocol::Http1) => true,
            // Some versions cannot use such a connection for the second attempt, with any server.
            Self::Curl(Protocol::Http2) => !further.iter().any(|one| one == "--digest"),
            Self::Httpx(_) | Self::Fetch => false,
        }
    }

    /// Sends the requests one after the other; panics where one gets no response.
    pub(crate) fn send(self, task: &Task<'_>) -> Vec<Seen> {
        let seen = match self {
            Self::Curl(protocol) => curl::send(protocol, task),
            Self::Httpx(protocol) => script::httpx(protocol, task),
            Self::Fetch => script::fetch(task),
        };
        assert_eq!(seen.len(), task.requests.len(), "{}", self.name());
        for (one, request) in seen.iter().zip(task.requests) {
            assert_eq!(one.name, request.name, "{}", self.name());
            self.assert_version(one);
        }
        seen
    }

    fn assert_version(self, seen: &Seen) {
        let expected: &[&str] = match self {
            Self::Curl(Protocol::Http1) | Self::Httpx(Protocol::Http1) => &["1.1", "HTTP/1.1"],
            Self::Curl(Protocol::Http2) | Self::Httpx(Protocol::Http2) => &["2", "HTTP/2"],
            Self::Fetch => return,
        };
        let version = seen.version.as_deref().unwrap_or_default();
        let name = self.name();
        assert!(
            expected.contains(&version),
            "{name}, {}: {version}",
            seen.name
        );
    }
}

impl Seen {
    pub(crate) fn coding(&self) -> Option<&str> {
        let coding = self
            .headers
            .iter()
            .find(|(name, _)| name == "content-encoding");
        coding.map(|(_, value)| value.as_str())
    }
}

fn from_base64<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Vec<u8>>, D::Error> {
    let text = Option::<String>::deserialize(input)?;
    let bytes = text.map(|text| STANDARD.decode(text)).transpose();
    bytes.map_err(serde::de::Error::custom)
}
