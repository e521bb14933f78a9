//! Applies codings to a whole body.

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::{Compression, write};

use super::aws_chunked;
use super::bounds::CHUNK_SIZE;
use super::coding::Coding;
use super::error::{CodingError, invalid};

/// Applies the codings in order. The result is deterministic: it holds no time and no host name.
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
        Coding::AwsChunked => Ok(aws_chunked::encode(bytes)),
    }
}

/// Medium quality of 0 to 11: most of the gain at a fraction of the time.
pub(super) const BROTLI_QUALITY: u32 = 5;
/// Binary logarithm of the default window of browsers and servers.
pub(super) const BROTLI_WINDOW: u32 = 22;
