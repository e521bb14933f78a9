//! Rejects message heads that two implementations could read differently. The framing of HTTP/1.1
//! requests is validated before, as it is received (`server/http1_validator`).

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};

/// Why a message is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    /// RFC 9112, section 3.2.
    #[error("it has no `host`")]
    MissingHost,
    /// RFC 9112, section 3.2; RFC 9113, section 8.3.1.
    #[error("it names more than one host")]
    MultipleHosts,
    /// RFC 9110, section 7.2.
    #[error("its `host` or the authority of its target is not a host and port")]
    InvalidHost,
    /// RFC 9112, section 3.2.
    #[error("its target is neither a path that begins with `/` nor a URL")]
    InvalidTarget,
    /// RFC 9112, section 3.2.4; RFC 9113, section 8.3.1.
    #[error("its target is `*`, which only OPTIONS may have")]
    AsteriskWithoutOptions,
    /// RFC 9110, section 4.2.4.
    #[error("its target contains user information")]
    Userinfo,
    /// RFC 9110, section 7.1.
    #[error("the scheme of its target is not `http` or `https`")]
    UnsupportedScheme,
    /// RFC 9113, section 8.1.1.
    #[error("its `content-length` is not a single number")]
    InvalidContentLength,
    /// RFC 9113, section 8.2.1.
    #[error("a field value begins or ends with white space")]
    SurroundingWhitespace,
    /// RFC 9112, section 6.3.
    #[error("it has both a `content-length` and a transfer coding")]
    LengthAndTransferEncoding,
    /// RFC 9112, section 7.
    #[error("it has a transfer coding other than `chunked`")]
    UnsupportedTransferCoding,
    /// RFC 9110, section 7.8.
    #[error("it switches protocols although the request did not ask for it")]
    UnexpectedUpgrade,
    /// RFC 6455, section 4.1.
    #[error("it is a WebSocket handshake with a body")]
    WebSocketWithBody,
}

/// Validates a request head.
///
/// # Errors
/// The first rule that it violates.
pub fn validate_request<B>(request: &Request<B>) -> Result<(), InvalidMessage> {
    let (uri, headers) = (request.uri(), request.headers());
    validate_form(request.method(), uri)?;
    validate_target(uri)?;
    validate_host(request.version(), uri, headers)?;
    if request.version() == Version::HTTP_2 {
        validate_fields(headers)?;
    }
    Ok(())
}

/// Validates the head of a response to a request without `upgrade`.
///
/// # Errors
/// The first rule that it violates.
pub fn validate_response<B>(response: &Response<B>) -> Result<(), InvalidMessage> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(InvalidMessage::UnexpectedUpgrade);
    }
    let headers = response.headers();
    if response.version() == Version::HTTP_2 {
        validate_fields(headers)?;
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else {
        return Ok(());
    };
    if headers.contains_key(CONTENT_LENGTH) {
        return Err(InvalidMessage::LengthAndTransferEncoding);
    }
    let is_chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if is_chunked && codings.next().is_none() {
        Ok(())
    } else {
        Err(InvalidMessage::UnsupportedTransferCoding)
    }
}

/// The forms of a target that only one method may have.
fn validate_form(method: &Method, uri: &Uri) -> Result<(), InvalidMessage> {
    // Over HTTP/2 too, only CONNECT has an authority and no scheme.
    let is_authority_form = uri.authority().is_some() && uri.scheme().is_none();
    if is_authority_form && *method != Method::CONNECT {
        return Err(InvalidMessage::InvalidTarget);
    }
    if uri.path() == "*" && *method != Method::OPTIONS {
        return Err(InvalidMessage::AsteriskWithoutOptions);
    }
    Ok(())
}

fn validate_target(uri: &Uri) -> Result<(), InvalidMessage> {
    if let Some(authority) = uri.authority() {
        if authority.as_str().contains('@') {
            return Err(InvalidMessage::Userinfo);
        }
        if !is_host(authority.as_str().as_bytes()) {
            return Err(InvalidMessage::InvalidHost);
        }
    }
    match uri.scheme_str() {
        None | Some("http" | "https") => Ok(()),
        Some(_) => Err(InvalidMessage::UnsupportedScheme),
    }
}

/// There must be one host. `host` and the authority of the target may both have it.
fn validate_host(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<(), InvalidMessage> {
    let mut hosts = headers.get_all(HOST).iter();
    let Some(host) = hosts.next() else {
        let is_required = version == Version::HTTP_11;
        return if is_required {
            Err(InvalidMessage::MissingHost)
        } else {
            Ok(())
        };
    };
    if hosts.next().is_some() {
        return Err(InvalidMessage::MultipleHosts);
    }
    if !is_host(host.as_bytes()) {
        return Err(InvalidMessage::InvalidHost);
    }
    let authority = uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    match authority {
        Some(other) if !other.eq_ignore_ascii_case(host.as_bytes()) => {
            Err(InvalidMessage::MultipleHosts)
        }
        Some(_) | None => Ok(()),
    }
}

/// True if all characters may be part of a host and port. The text may be empty.
fn is_host(text: &[u8]) -> bool {
    let is_valid = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(byte);
    text.iter().all(is_valid)
}

/// Rejects fields that HTTP/2 can carry and that HTTP/1.1 would read differently.
fn validate_fields(headers: &HeaderMap) -> Result<(), InvalidMessage> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    if let Some(length) = lengths.next() {
        let is_number = length.as_bytes().iter().all(u8::is_ascii_digit);
        if length.is_empty() || !is_number || lengths.next().is_some() {
            return Err(InvalidMessage::InvalidContentLength);
        }
    }
    validate_values(headers)
}

/// Rejects values with white space around them (RFC 9113, section 8.2.1).
pub(crate) fn validate_values(headers: &HeaderMap) -> Result<(), InvalidMessage> {
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let mut values = headers.values().map(http::HeaderValue::as_bytes);
    if values.any(|value| is_space(value.first()) || is_space(value.last())) {
        return Err(InvalidMessage::SurroundingWhitespace);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields<'a> = &'a [(&'a str, &'a str)];
    type Validated = Result<(), InvalidMessage>;

    fn validate(version: Version, uri: &str, fields: Fields<'_>) -> Validated {
        let mut request = Request::builder().version(version).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        validate_request(&request.body(()).unwrap())
    }

    #[test]
    fn a_request_has_exactly_one_host() {
        let (one, two) = (("host", "a.test"), ("host", "b.test"));
        let cases: [(Version, &str, Fields<'_>, Validated); 13] = [
            (Version::HTTP_11, "/", &[one], Ok(())),
            (Version::HTTP_11, "/", &[("host", "")], Ok(())),
            (Version::HTTP_11, "/", &[("host", "[::1]:80")], Ok(())),
            (Version::HTTP_11, "/", &[], Err(InvalidMessage::MissingHost)),
            (Version::HTTP_10, "/", &[], Ok(())),
            (
                Version::HTTP_11,
                "/",
                &[one, two],
                Err(InvalidMessage::MultipleHosts),
            ),
            (
                Version::HTTP_11,
                "/",
                &[one, one],
                Err(InvalidMessage::MultipleHosts),
            ),
            (
                Version::HTTP_11,
                "/",
                &[("host", "a.test, b.test")],
                Err(InvalidMessage::InvalidHost),
            ),
            (
                Version::HTTP_11,
                "/",
                &[("host", "u@a.test")],
                Err(InvalidMessage::InvalidHost),
            ),
            (Version::HTTP_11, "http://A.test/", &[one], Ok(())),
            (
                Version::HTTP_11,
                "http://b.test/",
                &[one],
                Err(InvalidMessage::MultipleHosts),
            ),
            (
                Version::HTTP_11,
                "http://u@a.test/",
                &[one],
                Err(InvalidMessage::Userinfo),
            ),
            (
                Version::HTTP_2,
                "http://a.test/",
                &[two],
                Err(InvalidMessage::MultipleHosts),
            ),
        ];
        for (version, uri, fields, expected) in cases {
            assert_eq!(validate(version, uri, fields), expected, "{uri} {fields:?}");
        }
    }

    #[test]
    fn only_its_method_has_a_target_of_a_special_form() {
        let cases = [
            (Method::GET, "/*", Ok(())),
            (Method::OPTIONS, "*", Ok(())),
            (
                Method::GET,
                "*",
                Err(InvalidMessage::AsteriskWithoutOptions),
            ),
            (Method::CONNECT, "a.test:80", Ok(())),
            (Method::GET, "a.test:80", Err(InvalidMessage::InvalidTarget)),
            (Method::OPTIONS, "a", Err(InvalidMessage::InvalidTarget)),
        ];
        for (method, uri, expected) in cases {
            let request = Request::builder().method(&method).uri(uri);
            let host = if uri.contains('*') { "a.test" } else { uri };
            let request = request.header(HOST, host).body(()).unwrap();
            assert_eq!(validate_request(&request), expected, "{method} {uri}");
        }
        let mut parts = Uri::from_static("http://a.test/").into_parts();
        parts.path_and_query = Some("*".parse().unwrap());
        let request = Request::builder().version(Version::HTTP_2);
        let request = request.uri(Uri::from_parts(parts).unwrap());
        assert_eq!(
            validate_request(&request.body(()).unwrap()),
            Err(InvalidMessage::AsteriskWithoutOptions)
        );
    }

    #[test]
    fn rejects_http2_fields_that_http1_would_read_differently() {
        let cases: [(&str, Fields<'_>, Validated); 6] = [
            ("http://a.test/", &[("content-length", "3")], Ok(())),
            ("ftp://a.test/", &[], Err(InvalidMessage::UnsupportedScheme)),
            (
                "http://a.test/",
                &[("content-length", "")],
                Err(InvalidMessage::InvalidContentLength),
            ),
            (
                "http://a.test/",
                &[("content-length", "+3")],
                Err(InvalidMessage::InvalidContentLength),
            ),
            (
                "http://a.test/",
                &[("content-length", "3"), ("content-length", "3")],
                Err(InvalidMessage::InvalidContentLength),
            ),
            (
                "http://a.test/",
                &[("x", " y")],
                Err(InvalidMessage::SurroundingWhitespace),
            ),
        ];
        for (uri, fields, expected) in cases {
            assert_eq!(
                validate(Version::HTTP_2, uri, fields),
                expected,
                "{fields:?}"
            );
        }
    }

    #[test]
    fn a_response_has_exactly_one_framing() {
        let chunked = ("transfer-encoding", "Chunked");
        let cases: [(u16, Fields<'_>, Validated); 7] = [
            (200, &[("content-length", "3")], Ok(())),
            (200, &[chunked], Ok(())),
            (
                200,
                &[chunked, ("content-length", "3")],
                Err(InvalidMessage::LengthAndTransferEncoding),
            ),
            (
                200,
                &[chunked, chunked],
                Err(InvalidMessage::UnsupportedTransferCoding),
            ),
            (
                200,
                &[("transfer-encoding", "gzip, chunked")],
                Err(InvalidMessage::UnsupportedTransferCoding),
            ),
            (
                200,
                &[("transfer-encoding", "identity")],
                Err(InvalidMessage::UnsupportedTransferCoding),
            ),
            (
                101,
                &[("upgrade", "websocket")],
                Err(InvalidMessage::UnexpectedUpgrade),
            ),
        ];
        for (status, fields, expected) in cases {
            let mut response = Response::builder().status(status);
            for (name, value) in fields {
                response = response.header(*name, *value);
            }
            let response = response.body(()).unwrap();
            assert_eq!(validate_response(&response), expected, "{fields:?}");
        }
    }
}
