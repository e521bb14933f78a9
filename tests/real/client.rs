//! The third-party clients and the responses they received.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};

use crate::requests::Request;
use crate::{curl, script};

/// A client and its protocol.
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
    /// With prior knowledge.
    Http2,
}

/// The task of a client.
pub(crate) struct Task<'a> {
    /// The prefix of each target: the gateway's URL.
    pub(crate) base: &'a str,
    pub(crate) session: &'a str,
    pub(crate) requests: &'a [Request],
    /// The folder for files.
    pub(crate) folder: &'a Path,
}

/// A response as the client received it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Seen {
    /// The name of the request.
    pub(crate) name: String,
    pub(crate) status: u16,
    /// The name that the client gives to the protocol; none if it does not report it.
    pub(crate) version: Option<String>,
    /// The names are in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body without the transfer coding; none if the client does not expose it.
    #[serde(deserialize_with = "from_base64")]
    pub(crate) raw: Option<Vec<u8>>,
    /// The body without content codings; none if the client does not decode them.
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
            // Some versions of curl fail to reuse such a connection for the second attempt, with
            // any server.
            Self::Curl(Protocol::Http2) => !further.iter().any(|one| one == "--digest"),
            Self::Httpx(_) | Self::Fetch => false,
        }
    }

    /// Sends the requests one by one; panics if one gets no response.
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
