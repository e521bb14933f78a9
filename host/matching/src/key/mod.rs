//! Which requests are the same: the parts that a matcher declares, as digests and in full.

mod body;
mod describe;
mod digest;
mod exclusions;
mod json;
mod name_list;
mod number;
#[cfg(test)]
pub(crate) mod sample_message;
#[cfg(test)]
mod tests;
mod value;
mod wildcard;

use bytes::Bytes;

pub use describe::{BodyPart, DescribedPart, Value, describe};
pub use json::{Json, Number};
pub use name_list::ExcludedNames;
pub use wildcard::{holds_placeholder, matches_with_wildcards};

use self::digest::{OrderedDigest, Tag, leaf};
use ouli_codec::MessageView;
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
            Self::Header(name) => format!("{HEADER}{name}"),
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
    fn name_digest(&self) -> u128 {
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
pub const HEADER: &str = "header.";

/// The digests of all parts of one request. Requests that are the same have the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    hash: u128,
    parts: Box<[PartDigest]>,
}

impl Key {
    /// One number for all parts, in the order of their declaration.
    pub fn hash(&self) -> u128 {
        self.hash
    }

    /// The digests part by part, to find what is near where nothing is equal.
    pub fn parts(&self) -> &[PartDigest] {
        &self.parts
    }
}

/// The digest of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartDigest {
    /// Digest of the part's name.
    pub name: u64,
    /// Digest of the part's value.
    pub value: u64,
    /// A bit for each segment, parameter, field or outer member of the value; 0 where it has none.
    pub sketch: u64,
}

impl PartDigest {
    /// The digest of the name of a part that is neither one header's nor a plugin's own.
    pub fn name_of(part: &str) -> u64 {
        low(leaf(Tag::Name, part.as_bytes()))
    }
}

/// The key of a request. What is absent and what `but` leaves out are the same.
pub fn derive(parts: &[KeyPart], message: &dyn MessageView) -> Key {
    let mut whole = OrderedDigest::new(Tag::Key);
    let parts = parts
        .iter()
        .map(|part| {
            let (name, taken) = (part.name_digest(), value::digest_value(part, message));
            whole.push(name);
            whole.push(taken.digest);
            PartDigest {
                name: low(name),
                value: low(taken.digest),
                sketch: taken.sketch.0,
            }
        })
        .collect();
    Key {
        hash: whole.finish(),
        parts,
    }
}

fn low(digest: u128) -> u64 {
    (digest & u128::from(u64::MAX)) as u64
}
