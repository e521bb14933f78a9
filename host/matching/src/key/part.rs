//! The parts of a key that a matcher declares.

use bytes::Bytes;

use super::digest::{Tag, leaf};
use super::minted_rules::MintedRules;
use super::name_list::ExcludedNames;
use ouli_codec::json::Pointer;

/// A part of a key, as a matcher declares it.
#[derive(Clone, Debug)]
pub enum KeyPart {
    /// The name of the endpoint that received the request.
    Endpoint,
    /// The method.
    Method,
    /// Host and port of the upstream.
    Authority,
    /// The path, percent-encoded as sent.
    Path,
    /// All query parameters, sorted by name. Values of one name keep their order.
    Query {
        /// Excluded parameters, with case-sensitive names.
        except: ExcludedNames,
    },
    /// All values of one header, in order. The name is in lower case.
    Header(String),
    /// The identities in cookies. They count for a cookie that both requests have.
    Cookies,
    /// The headers that redaction hides and that no other part compares: the credentials of a
    /// request count, whatever their names are.
    HiddenHeaders {
        /// Excluded headers, from [`ExcludedNames::case_insensitive`].
        except: ExcludedNames,
    },
    /// All headers, sorted by name. Values of one name keep their order.
    Headers {
        /// Excluded headers, from [`ExcludedNames::case_insensitive`].
        except: ExcludedNames,
    },
    /// What selected the recorded response, see [`Variant`](super::Variant): the headers that its
    /// `vary` names, and `accept`. It depends on the recorded exchange, so it is no part of the
    /// digest: it chooses among the exchanges of equal keys.
    Vary {
        /// Excluded headers, from [`ExcludedNames::case_insensitive`].
        except: ExcludedNames,
    },
    /// Where the client puts values that it makes up. They count by their identity only.
    Minted(MintedRules),
    /// The body, compared by content type.
    Body {
        /// Excluded JSON values. The first step also names a form field or a part of a multipart
        /// body; further steps lead into a part that is JSON.
        except: Vec<Pointer>,
    },
    /// A part that a plugin computes.
    Custom {
        /// The name from the plugin.
        name: String,
        /// The value from the plugin.
        value: Bytes,
    },
}

impl KeyPart {
    /// The name of the part in reports.
    pub fn name(&self) -> String {
        match self {
            Self::Header(name) => format!("{HEADER_PREFIX}{name}"),
            part => part.plain_name().to_owned(),
        }
    }

    fn plain_name(&self) -> &str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Method => "method",
            Self::Authority => "authority",
            Self::Path => "path",
            Self::Query { .. } => "query",
            Self::Header(name) | Self::Custom { name, .. } => name,
            Self::Cookies => "cookies",
            Self::HiddenHeaders { .. } => HIDDEN_HEADERS,
            Self::Headers { .. } => "headers",
            Self::Vary { .. } => "vary",
            Self::Minted(_) => "minted",
            Self::Body { .. } => "body",
        }
    }

    /// A tag distinguishes headers, so that no string with the prefix is allocated.
    pub(super) fn name_digest(&self) -> u128 {
        let tag = match self {
            Self::Header(_) => Tag::Header,
            Self::Custom { .. } => Tag::Custom,
            Self::Endpoint
            | Self::Method
            | Self::Authority
            | Self::Path
            | Self::Query { .. }
            | Self::Cookies
            | Self::HiddenHeaders { .. }
            | Self::Headers { .. }
            | Self::Vary { .. }
            | Self::Minted(_)
            | Self::Body { .. } => Tag::Name,
        };
        leaf(tag, self.plain_name().as_bytes())
    }
}

/// The name of the part for all hidden headers.
pub(crate) const HIDDEN_HEADERS: &str = "hidden headers";

/// Prefix of the name of a part for one header.
pub const HEADER_PREFIX: &str = "header.";
