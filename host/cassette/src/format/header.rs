//! The header of a cassette: the first value, which names the version of the format.

use serde::Deserialize;

use super::error::{FormatError, ParseError};
use super::strict_json::Object;

/// The first value of a cassette, with the end of its line.
pub const HEADER: &str = "{ \"ouli-cassette\": 1 }\n";

/// The version of the format that this program reads and writes.
const VERSION: u64 = 1;

/// What the start of a file is.
pub(super) enum ParsedHeader {
    /// A header of this version, and the offset of its end; 0 in an empty file.
    Complete(usize),
    /// The file ends inside the header.
    Truncated(ParseError),
}

/// The header of this version of the format.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(rename = "ouli-cassette")]
    _version: u64,
}

/// The members that the header of any version may have.
#[derive(Deserialize)]
struct AnyHeader {
    #[serde(rename = "ouli-cassette")]
    version: u64,
    #[serde(default)]
    needs: Option<String>,
}

/// Reads the header at the start of a file.
///
/// # Errors
/// If the first value is not a header, or is the header of a newer version.
pub(super) fn parse_header(bytes: &[u8]) -> Result<ParsedHeader, FormatError> {
    let not_a_header = |error| FormatError::NotACassette(ParseError::in_header(bytes, &error));
    let (header, end) = match first_value::<AnyHeader>(bytes) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(ParsedHeader::Complete(0)),
        Err(error) if error.is_eof() => {
            return Ok(ParsedHeader::Truncated(ParseError::in_header(
                bytes, &error,
            )));
        }
        Err(error) => return Err(not_a_header(error)),
    };
    match header.version {
        VERSION => {
            first_value::<Header>(bytes).map_err(not_a_header)?;
            Ok(ParsedHeader::Complete(end))
        }
        version @ 2.. => Err(FormatError::Newer {
            version,
            needs: header.needs,
        }),
        0 => Err(not_a_header(serde::de::Error::custom(
            "there is no format 0",
        ))),
    }
}

fn first_value<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
) -> Result<Option<(T, usize)>, serde_json::Error> {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter();
    let first = values.next().transpose()?;
    Ok(first.map(|Object(value)| (value, values.byte_offset())))
}
