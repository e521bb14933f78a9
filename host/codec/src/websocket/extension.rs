//! The grammar of `sec-websocket-extensions` (RFC 6455, section 9.1).

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;

/// An extension with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extension {
    /// Its name.
    pub(super) name: String,
    /// Its parameters in order.
    pub(super) parameters: Vec<Parameter>,
}

/// A parameter of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    /// Its name.
    pub(super) name: String,
    /// Its unquoted value, if there is one.
    pub(super) value: Option<String>,
}

/// Why extensions are invalid or cannot be negotiated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionError {
    /// The value violates the grammar of RFC 6455, section 9.1.
    #[error("`{0}` is not a list of extensions")]
    Grammar(String),
    /// The extension is not supported: it changes frames in an unknown way.
    #[error("extension `{0}` is unknown")]
    Unknown(String),
    /// The server accepted an extension that the client did not offer.
    #[error("extension `{0}` was not offered")]
    NotOffered(String),
    /// The server accepted the same extension twice.
    #[error("extension `{0}` is repeated")]
    Duplicate(String),
    /// A parameter of `permessage-deflate` is unknown, repeated, or has an invalid value.
    #[error("parameter `{0}` of permessage-deflate is invalid")]
    Parameter(String),
    /// No offer of `permessage-deflate` allows the parameters that the server accepted.
    #[error("no offer of permessage-deflate allows `{0}`")]
    NotAllowed(String),
}

impl Extension {
    /// All extensions in the headers, in order.
    pub(super) fn all(headers: &HeaderMap) -> Result<Vec<Self>, ExtensionError> {
        let mut found = Vec::new();
        for value in headers.get_all(SEC_WEBSOCKET_EXTENSIONS) {
            let text = String::from_utf8_lossy(value.as_bytes());
            found.extend(parse(&text).ok_or_else(|| ExtensionError::Grammar(text.into_owned()))?);
        }
        Ok(found)
    }
}

/// Parses the extensions of one header value. Empty list elements are ignored (RFC 9110, section
/// 5.6.1).
fn parse(text: &str) -> Option<Vec<Extension>> {
    let mut rest = text.as_bytes();
    let mut found = Vec::new();
    loop {
        skip_spaces(&mut rest);
        if rest.first().is_some_and(|byte| *byte != b',') {
            found.push(extension(&mut rest)?);
        }
        match rest.split_first() {
            None => return Some(found),
            Some((b',', after)) => rest = after,
            Some(_) => return None,
        }
    }
}

fn extension(rest: &mut &[u8]) -> Option<Extension> {
    let name = token(rest)?;
    let mut parameters = Vec::new();
    while eat_delimiter(rest, b';') {
        let name = token(rest)?;
        let value = if eat_delimiter(rest, b'=') {
            Some(value(rest)?)
        } else {
            None
        };
        parameters.push(Parameter { name, value });
    }
    Some(Extension { name, parameters })
}

/// A token, or a quoted string whose unescaped content is a token.
fn value(rest: &mut &[u8]) -> Option<String> {
    if !eat_delimiter(rest, b'"') {
        return token(rest);
    }
    let mut inner = Vec::new();
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        match byte {
            b'"' => break,
            b'\\' => {
                let (escaped, after) = rest.split_first()?;
                *rest = after;
                inner.push(*escaped);
            }
            other => inner.push(*other),
        }
    }
    skip_spaces(rest);
    let mut whole = inner.as_slice();
    let token = token(&mut whole)?;
    (token.len() == inner.len()).then_some(token)
}

fn token(rest: &mut &[u8]) -> Option<String> {
    let size = rest.iter().take_while(|byte| is_token(**byte)).count();
    let (token, after) = rest.split_at(size);
    *rest = after;
    skip_spaces(rest);
    (size > 0).then(|| String::from_utf8_lossy(token).into_owned())
}

/// Consumes a delimiter and the spaces after it, if it is next.
fn eat_delimiter(rest: &mut &[u8], delimiter: u8) -> bool {
    let Some((first, after)) = rest.split_first() else {
        return false;
    };
    if *first != delimiter {
        return false;
    }
    *rest = after;
    if delimiter != b'"' {
        skip_spaces(rest);
    }
    true
}

fn skip_spaces(rest: &mut &[u8]) {
    while let [b' ' | b'\t', after @ ..] = rest {
        *rest = after;
    }
}

/// A character of a token (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
