//! The parts of a key that a matcher declares.

use bytes::Bytes;

use super::digest::{Tag, leaf};
use super::name_list::ExcludedNames;
use ouli_codec::json::Pointer;

/// One part of a key, as a matcher declares it.
#[derive(Clone, Debug)]
pub enum KeyPart {
    /// The name of the endpoint that took the request.
    Endpoint,
    /// The method.
    Method,
    /// Host and port of the upstream.
    Authority,
    /// The path, percent-encoded as it was sent.
    Path,
    /// Every parameter of the query in sorted order; values of one name keep theirs.
    Query {
        /// Parameters left out; their names compare with case.
        except: ExcludedNames,
    },
    /// Every value of one header, in order. The name is in lower case.
    Header(String),
    /// Every header in sorted order; values of one name keep theirs.
    Headers {
        /// Headers left out, made by [`ExcludedNames::case_insensitive`].
        except: ExcludedNames,
    },
    /// The body, by its type.
    Body {
        /// What is left out of JSON. A first step also names a field of a form or a part of a
        /// multipart body; further steps lead into a part that is JSON.
        except: Vec<Pointer>,
    },
    /// A part of a plugin's own making.
    Custom {
        /// Its name, as the plugin gave it.
        name: String,
        /// What the plugin put there.
        value: Bytes,
    },
}

impl KeyPart {
    /// The name under which reports show the part.
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
            Self::Headers { .. } => "headers",
            Self::Body { .. } => "body",
        }
    }

    /// Headers have a tag of their own instead of their prefix, which spares an allocation.
    pub(super) fn name_digest(&self) -> u128 {
        let tag = match self {
            Self::Header(_) => Tag::Header,
            Self::Custom { .. } => Tag::Custom,
            Self::Endpoint
            | Self::Method
            | Self::Authority
            | Self::Path
            | Self::Query { .. }
            | Self::Headers { .. }
            | Self::Body { .. } => Tag::Name,
        };
        leaf(tag, self.plain_name().as_bytes())
    }
}

/// What the name of the part for one header begins with.
pub const HEADER_PREFIX: &str = "header.";
