//! The status of a call in its trailers.

use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use ouli_message::Fields;

/// The status codes of gRPC (`doc/statuscodes.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the specification")]
pub enum Code {
    Ok = 0,
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

impl Code {
    /// The code of a call whose stream ended with RST_STREAM (`doc/PROTOCOL-HTTP2.md`, "Errors").
    /// The number is an HTTP/2 error code (RFC 9113, section 7).
    pub fn of_reset(error_code: u32) -> Self {
        const REFUSED_STREAM: u32 = 0x7;
        const CANCEL: u32 = 0x8;
        const ENHANCE_YOUR_CALM: u32 = 0xb;
        const INADEQUATE_SECURITY: u32 = 0xc;
        const HTTP_1_1_REQUIRED: u32 = 0xd;
        match error_code {
            REFUSED_STREAM => Self::Unavailable,
            CANCEL => Self::Cancelled,
            ENHANCE_YOUR_CALM => Self::ResourceExhausted,
            INADEQUATE_SECURITY => Self::PermissionDenied,
            // The mapping does not name the codes from here on.
            HTTP_1_1_REQUIRED.. => Self::Unknown,
            _ => Self::Internal,
        }
    }
}

/// The characters that are escaped in `grpc-message`: all except printable ASCII, and the percent
/// sign.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// Encodes a status message for `grpc-message`.
pub fn encode_message(message: &str) -> String {
    utf8_percent_encode(message, ESCAPED).to_string()
}

/// Decodes a `grpc-message`. Invalid escapes stay unchanged.
pub fn decode_message(encoded: &str) -> String {
    percent_decode_str(encoded).decode_utf8_lossy().into_owned()
}

/// The trailers of a call with this status.
pub fn trailers(code: Code, message: &str) -> Fields {
    let mut fields = Fields::with_capacity(2);
    let number = HeaderValue::from(code as u16);
    fields.push(HeaderName::from_static("grpc-status"), number);
    if let Ok(message) = HeaderValue::try_from(encode_message(message)) {
        fields.push(HeaderName::from_static("grpc-message"), message);
    }
    fields
}

/// The headers of a response without messages and trailers (`Trailers-Only`).
pub fn trailers_only(code: Code, message: &str) -> Fields {
    let mut fields = Fields::with_capacity(3);
    let content_type = HeaderValue::from_static("application/grpc");
    fields.push(http::header::CONTENT_TYPE, content_type);
    for (name, value) in trailers(code, message).iter() {
        fields.push(name.clone(), value.clone());
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_messages_survive_a_round_trip() {
        for (message, encoded) in [
            ("plain words", "plain words"),
            ("100%\n\u{263a}", "100%25%0A%E2%98%BA"),
            ("\t\u{1f608}", "%09%F0%9F%98%88"),
        ] {
            assert_eq!(encode_message(message), encoded);
            assert_eq!(decode_message(encoded), message);
        }
    }

    #[test]
    fn trailers_hold_the_status_code() {
        let fields = trailers_only(Code::NotFound, "no");
        let all: Vec<_> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .collect();
        assert_eq!(all[0].1, "application/grpc");
        assert_eq!((all[1].0, all[1].1.to_str().unwrap()), ("grpc-status", "5"));
        assert_eq!(Code::Unauthenticated as u16, 16);
    }
}
