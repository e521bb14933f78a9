//! Checks the request line and the field lines of HTTP/1.1 as hyper would, so that every rejected
//! request gets a response that says why.

use http::Uri;

use super::head_error::HeadError;

/// The longest target that `http::Uri` takes.
const MAX_TARGET: usize = u16::MAX as usize - 1;

/// Checks a request line without its CRLF (RFC 9112, section 3). Returns true for HTTP/1.0.
///
/// # Errors
/// Why it is invalid.
pub(super) fn check_request_line(line: &[u8]) -> Result<bool, HeadError> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(HeadError::RequestLine);
    };
    if !is_token(method) {
        return Err(tls_or(HeadError::RequestLine, line));
    }
    let is_http10 = match version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        _ => return Err(version_error(version)),
    };
    check_target(target)?;
    Ok(is_http10)
}

/// Checks the part of a request line that has arrived, of which `new` is the last.
///
/// # Errors
/// Why no rest of the line makes it valid.
pub(super) fn check_partial_request_line(line: &[u8], new: &[u8]) -> Result<(), HeadError> {
    // Empty lines before a request are ignored (RFC 9112, section 2.2).
    if line == b"\r" {
        return Ok(());
    }
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    if method.is_none_or(|method| !is_token(method)) {
        return Err(tls_or(HeadError::RequestLine, line));
    }
    let Some(target) = target else {
        return Ok(());
    };
    let Some(version) = version else {
        let text = std::str::from_utf8(target);
        let text = text.err().filter(|error| error.error_len().is_some());
        let invalid = text.and_then(|error| target.get(error.valid_up_to()).copied());
        let mut new = target[target.len().saturating_sub(new.len())..].iter();
        let control = new.find(|byte| byte.is_ascii_control()).copied();
        return match invalid.or(control) {
            Some(byte) => Err(HeadError::TargetByte(byte)),
            None => Ok(()),
        };
    };
    check_target(target)?;
    let number = version.strip_suffix(b"\r").unwrap_or(version);
    if b"HTTP/1.1".starts_with(number) || b"HTTP/1.0".starts_with(number) {
        return Ok(());
    }
    Err(version_error(number))
}

/// The error of a first line: this one, unless the line begins with the record type of a TLS
/// handshake (RFC 8446, section 5.1).
pub(super) fn tls_or(error: HeadError, line: &[u8]) -> HeadError {
    match line.first() {
        Some(22) => HeadError::Tls,
        _ => error,
    }
}

fn check_target(target: &[u8]) -> Result<(), HeadError> {
    if target.len() > MAX_TARGET {
        return Err(HeadError::TargetTooLong);
    }
    if Uri::try_from(target).is_ok() {
        return Ok(());
    }
    let must_be_encoded =
        |byte: &u8| !byte.is_ascii_graphic() || matches!(byte, b'"' | b'<' | b'>' | b'`');
    let encoded = target.iter().copied().find(must_be_encoded);
    Err(encoded.map_or(HeadError::Target, HeadError::TargetByte))
}

/// Why the third word is not a version of HTTP/1 (RFC 9112, section 2.3).
fn version_error(version: &[u8]) -> HeadError {
    if version.starts_with(b"HTTP/") && !version.contains(&b' ') {
        HeadError::Version
    } else {
        HeadError::RequestLine
    }
}

/// True for a token (RFC 9110, section 5.6.2).
pub(super) fn is_token(text: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_tchar)
}

/// True if no byte is a control character, except for HTAB and the line end.
pub(super) fn has_no_control(bytes: &[u8]) -> bool {
    // Without a branch, so that it is vectorized.
    let is_control =
        |byte: u8| (byte < b' ' && byte != b'\t' && byte != b'\r' && byte != b'\n') || byte == 0x7f;
    !bytes
        .iter()
        .fold(false, |any, byte| any | is_control(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_hyper_accepts() {
        for target in [
            "/",
            "*",
            "/a?b=c|d^e`{}",
            "/\"{}|^\\",
            "http://h:1/x",
            "h:1",
            "/\u{e9}?\u{e9}",
        ] {
            let line = format!("GET {target} HTTP/1.1");
            assert_eq!(check_request_line(line.as_bytes()), Ok(false), "{target}");
        }
        assert_eq!(check_request_line(b"m-search * HTTP/1.0"), Ok(true));
    }

    #[test]
    fn tells_why_a_line_is_invalid() {
        for (line, error) in [
            (&b"GET  / HTTP/1.1"[..], HeadError::RequestLine),
            (b"GET /", HeadError::RequestLine),
            (b"G\xc3 / HTTP/1.1", HeadError::RequestLine),
            (b"GET / http/1.1", HeadError::RequestLine),
            (b"GET / HTTP/1.1 ", HeadError::RequestLine),
            (b"GET / HTTP/1.2", HeadError::Version),
            (b"GET / HTTP/3.0", HeadError::Version),
            (b"PRI * HTTP/2.0", HeadError::Version),
            (b"GET /<x> HTTP/1.1", HeadError::TargetByte(b'<')),
            (b"GET /x>y HTTP/1.1", HeadError::TargetByte(b'>')),
            (b"GET /`x HTTP/1.1", HeadError::TargetByte(b'`')),
            (b"GET /?q=\"x\" HTTP/1.1", HeadError::TargetByte(b'"')),
            (b"GET /\xff HTTP/1.1", HeadError::TargetByte(0xff)),
            (b"GET /\tx HTTP/1.1", HeadError::TargetByte(b'\t')),
            (b"GET http:/x HTTP/1.1", HeadError::Target),
        ] {
            let text = line.escape_ascii();
            assert_eq!(check_request_line(line), Err(error), "{text}");
        }
        let long = format!("GET /{} HTTP/1.1", "x".repeat(MAX_TARGET));
        assert_eq!(
            check_request_line(long.as_bytes()),
            Err(HeadError::TargetTooLong)
        );
    }

    #[test]
    fn a_partial_line_is_invalid_once_no_rest_makes_it_valid() {
        let line = "GET /a?\u{e9}=b HTTP/1.1\r".as_bytes();
        for end in 1..=line.len() {
            let (part, new) = (&line[..end], &line[end - 1..end]);
            assert_eq!(check_partial_request_line(part, new), Ok(()), "{end}");
        }
        for (part, error) in [
            (&b"G("[..], HeadError::RequestLine),
            (b" ", HeadError::RequestLine),
            (b"\x16\x03", HeadError::Tls),
            (b"GET /\x01", HeadError::TargetByte(1)),
            (b"GET /\xff/", HeadError::TargetByte(0xff)),
            (b"GET /< ", HeadError::TargetByte(b'<')),
            (b"GET /  ", HeadError::RequestLine),
            (b"GET / HTTP/1.9", HeadError::Version),
            (b"GET / HTTP/2", HeadError::Version),
            (b"GET / HTTP/1.1 ", HeadError::RequestLine),
        ] {
            let text = part.escape_ascii();
            assert_eq!(check_partial_request_line(part, part), Err(error), "{text}");
        }
    }

    #[test]
    fn finds_control_characters() {
        assert!(has_no_control(b"x:\ty \xe9\r\n"));
        for byte in [0, 8, 0x0b, 0x1f, 0x7f] {
            assert!(!has_no_control(&[b'x', byte, b'y']), "{byte}");
        }
    }
}
