//! The `content-encoding` header.

use super::coding::Coding;
use super::error::{CodingError, MAX_CODINGS};
use ouli_message::Fields;

/// The codings of a `content-encoding` value in the order in which they were applied, without
/// `identity`.
pub fn parse(value: &str) -> Result<Vec<Coding>, CodingError> {
    let mut codings = Vec::new();
    for name in value.split(',').map(str::trim) {
        if name.is_empty() || name.eq_ignore_ascii_case("identity") {
            continue;
        }
        let coding = Coding::of(name);
        codings.push(coding.ok_or_else(|| CodingError::Unknown(name.to_owned()))?);
    }
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
