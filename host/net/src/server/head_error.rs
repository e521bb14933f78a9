//! Why the head of an HTTP/1.1 request is rejected before hyper parses it, and the response to it.

/// Why a head is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    /// Other servers could read it differently (RFC 9112, section 11.2).
    #[error(
        "the request is ambiguous, servers could read it in more than one way: a line ends \
         without CR, or its body has no single length"
    )]
    Ambiguous,
    /// RFC 9112, section 3.
    #[error("its first line is not METHOD TARGET HTTP/1.1 with one space between each")]
    RequestLine,
    /// The endpoint speaks TLS.
    #[error("this is plain HTTP, but the endpoint speaks TLS: write https:// instead of http://")]
    PlainHttp,
    /// The endpoint does not speak TLS.
    #[error(
        "this is TLS, but the endpoint speaks plain HTTP: write http:// instead of https://, or \
         set `tls` of the endpoint"
    )]
    Tls,
    /// RFC 9112, section 3.2.
    #[error("its target is not a path, a URL or `*`")]
    Target,
    /// RFC 3986, section 2.1.
    #[error("its target contains a byte that must be percent-encoded, as %{0:02X}")]
    TargetByte(u8),
    /// `limits.uri_bytes` is not larger.
    #[error("the request target is too long (limits.uri_bytes)")]
    TargetTooLong,
    /// RFC 9110, section 2.5.
    #[error("its version is not HTTP/1.1 or HTTP/1.0; HTTP/2 begins with its preface")]
    Version,
    /// RFC 9112, section 5.
    #[error("a header field is not NAME: VALUE, or contains a control character")]
    Field,
    /// There are more fields than this.
    #[error("the request has more than {0} header fields (limits.header_count)")]
    TooManyFields(usize),
    /// It is longer than this.
    #[error("the request head is longer than {0} bytes (limits.header_bytes)")]
    TooLarge(usize),
    /// It did not arrive in time.
    #[error("timed out waiting for the request head (limits.request_header_timeout)")]
    Timeout,
}

impl HeadError {
    /// The status.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Ambiguous
            | Self::RequestLine
            | Self::PlainHttp
            | Self::Tls
            | Self::Target
            | Self::TargetByte(_)
            | Self::Field => 400,
            Self::Timeout => 408,
            Self::TargetTooLong => 414,
            Self::TooManyFields(_) | Self::TooLarge(_) => 431,
            Self::Version => 505,
        }
    }

    /// The kind of the problem.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::TargetTooLong | Self::TooManyFields(_) | Self::TooLarge(_) | Self::Timeout => {
                "limit"
            }
            _ => "request",
        }
    }

    /// The title of the problem.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Timeout => "the request head timed out",
            Self::TargetTooLong => "the target is too long",
            Self::TooManyFields(_) | Self::TooLarge(_) => "the head is too large",
            Self::Version => "the HTTP version is not supported",
            Self::PlainHttp => "the endpoint speaks TLS",
            Self::Tls => "the endpoint speaks plain HTTP",
            _ => "the request is invalid",
        }
    }
}
