//! Length-prefixed messages: compressed flag, length, bytes.

use bytes::{Buf, Bytes, BytesMut};

use super::GrpcError;
use crate::content_coding::{self, Bounds, Coding};

/// Size of the prefix in bytes.
pub(super) const PREFIX: usize = 5;

/// A message on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LengthPrefixedMessage {
    /// The compressed flag.
    pub compressed: bool,
    /// The bytes without the prefix.
    pub bytes: Bytes,
}

/// Splits a body that arrives in chunks into messages.
#[derive(Debug)]
pub struct MessageSplitter {
    buffer: BytesMut,
    max_message: u64,
}

impl MessageSplitter {
    /// A splitter for messages of up to `max_message` bytes each.
    pub fn new(max_message: u64) -> Self {
        Self {
            buffer: BytesMut::new(),
            max_message,
        }
    }

    /// Adds a chunk of the body and returns the messages that are complete. Only received bytes are
    /// buffered, whatever length a prefix announces.
    ///
    /// # Errors
    /// If a message is too large or has an invalid prefix.
    pub fn feed(&mut self, data: &[u8]) -> Result<Vec<LengthPrefixedMessage>, GrpcError> {
        self.buffer.extend_from_slice(data);
        let mut messages = Vec::new();
        while let Some(size) = next_message_len(&self.buffer, self.max_message)? {
            let mut prefixed = self.buffer.split_to(PREFIX + size);
            let compressed = prefixed[0] == 1;
            prefixed.advance(PREFIX);
            let bytes = prefixed.freeze();
            messages.push(LengthPrefixedMessage { compressed, bytes });
        }
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        Ok(messages)
    }

    /// The body has ended.
    ///
    /// # Errors
    /// If it ends within a message.
    pub fn finish(&self) -> Result<(), GrpcError> {
        match self.buffered() {
            0 => Ok(()),
            size => Err(GrpcError::Incomplete(size)),
        }
    }

    /// Number of buffered bytes of an incomplete message.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }
}

/// The size of the message at the start of the bytes. None if it is incomplete.
pub(super) fn next_message_len(bytes: &[u8], limit: u64) -> Result<Option<usize>, GrpcError> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let [flag, length @ ..] = *prefix;
    if flag > 1 {
        return Err(GrpcError::Flag(flag));
    }
    let size = u64::from(u32::from_be_bytes(length));
    if size > limit {
        return Err(GrpcError::TooLarge { size, limit });
    }
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    Ok((rest.len() >= size).then_some(size))
}

/// Adds the prefix to a message.
pub fn encode_frame(bytes: &[u8], compressed: bool) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX + bytes.len());
    framed.extend_from_slice(&[u8::from(compressed)]);
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(bytes);
    framed.freeze()
}

/// Decompresses a message.
///
/// # Errors
/// If it cannot be decompressed or exceeds the limits.
pub fn decode(
    message: &LengthPrefixedMessage,
    encoding: Option<&str>,
    bounds: Bounds,
) -> Result<Bytes, GrpcError> {
    if !message.compressed {
        return Ok(message.bytes.clone());
    }
    let coding = coding(encoding)?.ok_or(GrpcError::NoEncoding)?;
    Ok(content_coding::decode(
        message.bytes.clone(),
        &[coding],
        bounds,
    )?)
}

/// Compresses a message with a `grpc-encoding`. Without one, or with `identity`, it is unchanged.
///
/// # Errors
/// If the encoding is unknown.
pub fn encode(bytes: &Bytes, encoding: Option<&str>) -> Result<Bytes, GrpcError> {
    match coding(encoding)? {
        None => Ok(bytes.clone()),
        Some(coding) => Ok(content_coding::encode(bytes, &[coding])?),
    }
}

/// True if a client that sent this `grpc-accept-encoding` accepts the encoding.
pub fn accepts(accept_encoding: Option<&str>, encoding: &str) -> bool {
    let mut accepted = accept_encoding.unwrap_or_default().split(',');
    encoding == "identity" || accepted.any(|name| name.trim().eq_ignore_ascii_case(encoding))
}

fn coding(encoding: Option<&str>) -> Result<Option<Coding>, GrpcError> {
    match encoding.map(str::trim) {
        None | Some("identity" | "") => Ok(None),
        Some(name) => match Coding::of(name) {
            Some(coding @ (Coding::Gzip | Coding::Deflate | Coding::Zstd)) => Ok(Some(coding)),
            Some(Coding::Brotli | Coding::AwsChunked) | None => {
                Err(GrpcError::Encoding(name.to_owned()))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        bytes: 1 << 20,
        ratio: 100,
    };

    #[test]
    fn splits_messages_at_any_chunk_boundaries() {
        let body = [
            encode_frame(b"one", false),
            encode_frame(b"", false),
            encode_frame(&[7; 300], true),
        ]
        .concat();
        for cut in 0..=body.len() {
            let mut splitter = MessageSplitter::new(300);
            let mut found = splitter.feed(&body[..cut]).unwrap();
            found.extend(splitter.feed(&body[cut..]).unwrap());
            let sizes: Vec<_> = found
                .iter()
                .map(|it| (it.compressed, it.bytes.len()))
                .collect();
            assert_eq!(sizes, [(false, 3), (false, 0), (true, 300)], "{cut}");
        }
        let mut splitter = MessageSplitter::new(300);
        assert!(splitter.finish().is_ok());
        splitter.feed(&body[..body.len() - 1]).unwrap();
        assert!(matches!(splitter.finish(), Err(GrpcError::Incomplete(304))));
        splitter.feed(&body[body.len() - 1..]).unwrap();
        assert!(splitter.finish().is_ok());
        let error = MessageSplitter::new(299).feed(&body).unwrap_err();
        assert!(matches!(
            error,
            GrpcError::TooLarge {
                size: 300,
                limit: 299
            }
        ));
        let error = MessageSplitter::new(9).feed(&[2, 0, 0, 0, 0]).unwrap_err();
        assert!(matches!(error, GrpcError::Flag(2)));
    }

    #[test]
    fn decompresses_by_encoding() {
        for encoding in ["gzip", "deflate", "zstd"] {
            let bytes = encode(&Bytes::from_static(b"a message"), Some(encoding)).unwrap();
            let framed = LengthPrefixedMessage {
                compressed: true,
                bytes,
            };
            let decoded = decode(&framed, Some(encoding), BOUNDS).unwrap();
            assert_eq!(decoded, "a message", "{encoding}");
            assert!(decode(&framed, Some("snappy"), BOUNDS).is_err());
            assert!(matches!(
                decode(&framed, None, BOUNDS),
                Err(GrpcError::NoEncoding)
            ));
        }
        assert!(accepts(Some("identity, deflate, gzip"), "gzip"));
        assert!(accepts(None, "identity"));
        assert!(!accepts(Some("deflate"), "gzip"));
    }
}
