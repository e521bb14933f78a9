//! The `content-encoding` header.

use super::coding::Coding;
use super::error::{CodingError, MAX_CODINGS};
use ouli_message::Fields;

/// Values that say that a body has no coding. `identity` is reserved for `accept-encoding`
/// (RFC 9110, section 12.5.3); the others are not registered, but servers send them.
const NO_CODING: [&str; 7] = [
    "identity",
    "none",
    "binary",
    "utf-8",
    "utf8",
    "us-ascii",
    "iso-8859-1",
];

/// The codings of a `content-encoding` value in the order in which they were applied, without
/// values that are no coding. `aws-chunked` is always applied last, wherever clients name it.
pub fn parse(value: &str) -> Result<Vec<Coding>, CodingError> {
    let (mut codings, mut chunked) = (Vec::new(), Vec::new());
    for name in value.split(',').map(str::trim) {
        let is = |other: &&str| other.eq_ignore_ascii_case(name);
        if name.is_empty() || NO_CODING.iter().any(is) {
            continue;
        }
        if is(&Coding::AwsChunked.name()) {
            chunked.push(Coding::AwsChunked);
        } else {
            let coding = Coding::of(name);
            codings.push(coding.ok_or_else(|| CodingError::Unknown(name.to_owned()))?);
        }
    }
    codings.append(&mut chunked);
    if codings.len() > MAX_CODINGS {
        return Err(CodingError::TooMany);
    }
    Ok(codings)
}

/// The codings in the `content-encoding` of a message.
pub fn of(fields: &Fields) -> Result<Vec<Coding>, CodingError> {
    let values = fields.get_all("content-encoding");
    let texts: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    parse(&texts.join(","))
}

/// True if the `content-encoding` of a message names a coding, be it unknown.
pub(super) fn names_coding(fields: &Fields) -> bool {
    of(fields).map_or(true, |codings| !codings.is_empty())
}
