//! Content codings (RFC 9110, section 8.4): bodies as they are on the wire and as they are kept.

mod accept_encoding;
mod decode;
mod streaming;
#[cfg(test)]
mod tests;

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::{Compression, write};

pub use accept_encoding::{accepts, restrict};
pub use streaming::{Encoder, decode_partial, decode_with_offsets};

use ouli_message::Fields;

/// A content coding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// `gzip`, also known as `x-gzip` (RFC 1952).
    Gzip,
    /// `deflate`: the zlib format (RFC 1950); plain deflate (RFC 1951) is read as well, since some
    /// servers send it.
    Deflate,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878).
    Zstd,
}

/// How large a body may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most bytes that may come out.
    pub bytes: u64,
    /// How many times larger than what went in it may be; this counts once [`RATIO_FROM`] bytes
    /// came out.
    pub ratio: u64,
}

/// Below this many bytes no ratio is too high: a short run of one letter is no attack.
pub const RATIO_FROM: u64 = 1 << 20;

/// Why a body cannot be decoded or encoded.
#[derive(Debug, thiserror::Error)]
pub enum CodingError {
    /// Not one of ours.
    #[error("content coding `{0}` is unknown")]
    Unknown(String),
    /// More layers than anyone needs.
    #[error("more than {MAX_CODINGS} content codings on one body")]
    TooMany,
    /// More comes out than allowed.
    #[error("the decoded body is larger than {0} bytes")]
    TooLarge(u64),
    /// More comes out, for what went in, than an honest sender would send.
    #[error("the decoded body is more than {0} times larger than what was sent")]
    Ratio(u64),
    /// It is not what its coding says, ends too early, or is followed by something else.
    #[error("the body is not valid {0}")]
    Invalid(&'static str, #[source] io::Error),
}

/// The most codings that one body may have.
pub const MAX_CODINGS: usize = 4;

impl Coding {
    const ALL: [Self; 4] = [Self::Gzip, Self::Deflate, Self::Brotli, Self::Zstd];

    /// The registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The coding of a name, without regard to case.
    pub fn of(name: &str) -> Option<Self> {
        let alias = name.eq_ignore_ascii_case("x-gzip");
        let own = |coding: &Self| coding.name().eq_ignore_ascii_case(name);
        Self::ALL
            .into_iter()
            .find(own)
            .or(alias.then_some(Self::Gzip))
    }
}

/// The codings of a `content-encoding` value in the order in which they were applied; `identity` is
/// no coding.
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

/// The codings that a header names.
pub fn of(fields: &Fields) -> Result<Vec<Coding>, CodingError> {
    let values = fields.get_all("content-encoding");
    let texts: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    parse(&texts.join(","))
}

/// Undoes the codings, the last one first. No bytes stay no bytes: so are the answers to `HEAD`.
pub fn decode(mut bytes: Bytes, codings: &[Coding], bounds: Bounds) -> Result<Bytes, CodingError> {
    for coding in codings.iter().rev() {
        if bytes.is_empty() {
            break;
        }
        bytes = decode::decode_one(&bytes, *coding, bounds)?.into();
    }
    Ok(bytes)
}

/// Applies the codings in order. Equal bytes give equal bytes: no time and no host name goes in.
pub fn encode(bytes: &[u8], codings: &[Coding]) -> Result<Bytes, CodingError> {
    let mut bytes = bytes.to_vec();
    for coding in codings {
        bytes = apply(&bytes, *coding).map_err(|error| invalid(*coding, error))?;
    }
    Ok(bytes.into())
}

fn apply(bytes: &[u8], coding: Coding) -> io::Result<Vec<u8>> {
    match coding {
        Coding::Gzip => {
            let mut out = write::GzEncoder::new(Vec::new(), Compression::default());
            out.write_all(bytes)?;
            out.finish()
        }
        Coding::Deflate => {
            let mut out = write::ZlibEncoder::new(Vec::new(), Compression::default());
            out.write_all(bytes)?;
            out.finish()
        }
        Coding::Brotli => {
            let mut out = Vec::new();
            brotli::CompressorReader::new(bytes, CHUNK_SIZE, BROTLI_QUALITY, BROTLI_WINDOW)
                .read_to_end(&mut out)?;
            Ok(out)
        }
        Coding::Zstd => zstd::stream::encode_all(bytes, zstd::DEFAULT_COMPRESSION_LEVEL),
    }
}

fn invalid(coding: Coding, error: io::Error) -> CodingError {
    CodingError::Invalid(coding.name(), error)
}

/// Bodies are worked on in pieces of this many bytes.
const CHUNK_SIZE: usize = 16 << 10;
/// Five of eleven: most of the gain at a fraction of the time.
const BROTLI_QUALITY: u32 = 5;
/// The logarithm of the window that browsers expect.
const BROTLI_WINDOW: u32 = 22;
