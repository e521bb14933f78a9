//! What a value in JSON is for that a client made up, and which spellings of it are equal.

use super::number::canonical;
use ouli_codec::json::{Kind, Node};

/// A value in JSON that a client made up, or that a server repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonValue {
    /// What it is for.
    pub role: Role,
    /// The same for all spellings of a value, as `1` and `1.0`, or `"a/b"` and `"a\/b"`.
    pub compared: Vec<u8>,
    /// As it is written.
    pub text: String,
}

/// What a value in JSON is for. Equal values of two roles have nothing to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The id of a call of JSON-RPC, which the response has too.
    Call,
    /// The token by which a call asks for its progress.
    Progress,
    /// At the declared JSON pointer with this index.
    Declared(usize),
}

impl JsonValue {
    /// A string or a number.
    pub(super) fn of(node: Node<'_>, role: Role) -> Option<Self> {
        let mut compared = Vec::new();
        match node.kind() {
            Kind::String(text) => {
                compared.push(b'"');
                compared.extend_from_slice(text.as_bytes());
            }
            Kind::Number => canonical(node.text(), &mut compared),
            Kind::Null | Kind::Bool(_) | Kind::Array(_) | Kind::Object(_) => return None,
        }
        Some(Self {
            role,
            compared,
            text: node.text().to_owned(),
        })
    }
}
