//! Chooses whether a client gets a recorded response with its content codings or without them
//! (RFC 9110, section 12.5.3), and adapts the header fields that depend on it.

use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, TRANSFER_ENCODING, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::client_capabilities::ClientCapabilities;
use ouli_codec::content_coding::{self, Coding};
use ouli_message::{Fields, Request, Response, is_body_digest};

/// The form in which a recorded response is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Representation {
    /// The bytes that were recorded.
    AsRecorded,
    /// With the recorded codings, but other bytes: the coded bytes are made anew, or the values
    /// that a client made up are its own.
    Recoded,
    /// Without the recorded codings.
    Decoded,
}

impl Representation {
    /// The form of a response with these codings for a client.
    pub(super) fn choose(
        request: &Request,
        response: &Response,
        codings: &[Coding],
        client: &ClientCapabilities,
    ) -> Self {
        if is_decoded_for(request, response, codings, client) {
            Self::Decoded
        } else if codings.is_empty()
            || response.body.size() == 0
            || response.coded.exact().is_some()
        {
            Self::AsRecorded
        } else {
            Self::Recoded
        }
    }

    /// The form of a response whose body was changed.
    pub(super) fn renamed(self) -> Self {
        match self {
            Self::AsRecorded | Self::Recoded => Self::Recoded,
            Self::Decoded => Self::Decoded,
        }
    }

    /// The recorded fields, with this `content-length` for a body. A response without a body keeps
    /// the recorded length.
    pub(super) fn headers(self, recorded: &Response, length: Option<usize>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(recorded.fields.len() + 1);
        for (name, value) in recorded.fields.iter() {
            match length {
                Some(length) if *name == CONTENT_LENGTH => {
                    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
                }
                // An edited recording may have several.
                None if *name == CONTENT_LENGTH && !self.drops(name) => {
                    headers.insert(CONTENT_LENGTH, value.clone());
                }
                Some(_) | None if *name == TRANSFER_ENCODING || self.drops(name) => {}
                Some(_) | None if self == Self::Decoded && *name == ETAG => {
                    headers.append(ETAG, weak(value));
                }
                Some(_) | None => {
                    headers.append(name.clone(), value.clone());
                }
            }
        }
        if self == Self::Decoded && !varies_by_coding(&recorded.fields) {
            headers.append(VARY, HeaderValue::from_static("accept-encoding"));
        }
        headers
    }

    /// The recorded trailer fields that hold for this form.
    pub(super) fn trailers(self, recorded: &Fields) -> Option<HeaderMap> {
        let mut trailers = recorded.clone();
        trailers.retain(|name, _| !self.drops(name));
        (!trailers.is_empty()).then(|| trailers.to_map())
    }

    /// True for a field that does not hold for this form. A digest covers the coded bytes
    /// (RFC 9530, section 2; RFC 9110, section 8.1), and so do the length and byte ranges.
    fn drops(self, name: &HeaderName) -> bool {
        let is_digest = is_body_digest(name);
        match self {
            Self::AsRecorded => false,
            Self::Recoded => is_digest,
            Self::Decoded => {
                is_digest || [CONTENT_ENCODING, CONTENT_LENGTH, ACCEPT_RANGES].contains(name)
            }
        }
    }
}

/// True if the recorded codings were negotiated and this client does not accept them. A server
/// that sends codings which the recorded request did not accept sends them to every client, and a
/// part of a coded body cannot be decoded alone.
fn is_decoded_for(
    request: &Request,
    response: &Response,
    codings: &[Coding],
    client: &ClientCapabilities,
) -> bool {
    let accepts = |value: &str| {
        let mut codings = codings.iter();
        codings.all(|coding| content_coding::accepts(Some(value), *coding))
    };
    let was_negotiated = accepted_codings(&request.fields).is_some_and(|value| accepts(&value));
    if codings.is_empty() || !was_negotiated || response.status == StatusCode::PARTIAL_CONTENT {
        return false;
    }
    match client {
        ClientCapabilities { any_coding, .. } if *any_coding => false,
        ClientCapabilities {
            accept_encoding: Some(value),
            ..
        } => !accepts(value) && content_coding::accepts_identity(value),
        ClientCapabilities { .. } => true,
    }
}

fn accepted_codings(fields: &Fields) -> Option<String> {
    let values = fields.get_all(ACCEPT_ENCODING.as_str());
    let values: Vec<_> = values
        .map(|value| value.to_str().unwrap_or_default())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// A weak validator: the decoded body is not the same bytes (RFC 9110, section 8.8.1).
fn weak(etag: &HeaderValue) -> HeaderValue {
    if etag.as_bytes().starts_with(b"\"") {
        let weak = [b"W/", etag.as_bytes()].concat();
        return HeaderValue::from_bytes(&weak).unwrap_or_else(|_| etag.clone());
    }
    etag.clone()
}

fn varies_by_coding(fields: &Fields) -> bool {
    let values = fields.get_all(VARY.as_str());
    let mut names = values.flat_map(|value| value.to_str().unwrap_or_default().split(','));
    names.any(|name| name.trim() == "*" || name.trim().eq_ignore_ascii_case("accept-encoding"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::Method;
    use ouli_message::{CodedBody, Content};

    fn fields(pairs: &[(&'static str, &'static str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in pairs {
            fields.push(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        fields
    }

    fn request(accept: Option<&'static str>) -> Request {
        let pairs: Vec<_> = accept
            .map(|it| ("accept-encoding", it))
            .into_iter()
            .collect();
        Request {
            method: Method::GET,
            authority: "a".to_owned(),
            target: "/".to_owned(),
            fields: fields(&pairs),
            body: Content::EMPTY,
            trailers: Fields::default(),
            truncated_at: None,
        }
    }

    fn response(status: StatusCode) -> Response {
        Response {
            status,
            fields: fields(&[
                ("content-encoding", "gzip"),
                ("etag", "\"1\""),
                ("content-md5", "xyz"),
                ("accept-ranges", "bytes"),
            ]),
            body: Content::Inline(Bytes::from_static(b"text")),
            coded: CodedBody::Derived,
            trailers: Fields::default(),
            reason: None,
            omitted: Vec::new(),
        }
    }

    fn chosen(recorded: Option<&'static str>, client: Option<&str>) -> Representation {
        let client = ClientCapabilities::for_test(client);
        let response = response(StatusCode::OK);
        Representation::choose(&request(recorded), &response, &[Coding::Gzip], &client)
    }

    #[test]
    fn a_negotiated_coding_is_removed_for_clients_that_do_not_accept_it() {
        use Representation::{Decoded, Recoded};
        for (recorded, client, expected) in [
            (Some("gzip"), None, Decoded),
            (Some("gzip"), Some(""), Decoded),
            (Some("gzip"), Some("br"), Decoded),
            (Some("gzip"), Some("gzip;q=0"), Decoded),
            (Some("gzip"), Some("gzip"), Recoded),
            (Some("*"), Some("x-gzip, br"), Recoded),
            // Nothing is acceptable.
            (Some("gzip"), Some("identity;q=0"), Recoded),
            (Some("gzip"), Some("br, *;q=0"), Recoded),
            // It came without being asked for.
            (None, None, Recoded),
            (None, Some("identity"), Recoded),
            (Some("identity"), None, Recoded),
            (Some("gzip;q=0"), Some("br"), Recoded),
        ] {
            assert_eq!(
                chosen(recorded, client),
                expected,
                "{recorded:?} {client:?}"
            );
        }
        let client = ClientCapabilities::for_test(None);
        let part = response(StatusCode::PARTIAL_CONTENT);
        let chosen =
            Representation::choose(&request(Some("gzip")), &part, &[Coding::Gzip], &client);
        assert_eq!(chosen, Recoded);
    }

    #[test]
    fn fields_that_describe_the_coded_bytes_are_not_sent_with_others() {
        let names = |form: Representation| {
            let headers = form.headers(&response(StatusCode::OK), None);
            let text = |(name, value): (&HeaderName, &HeaderValue)| {
                format!("{name}: {}", value.to_str().unwrap())
            };
            headers.iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(
            names(Representation::Decoded),
            ["etag: W/\"1\"", "vary: accept-encoding"]
        );
        assert_eq!(
            names(Representation::Recoded),
            [
                "content-encoding: gzip",
                "etag: \"1\"",
                "accept-ranges: bytes"
            ]
        );
        assert_eq!(names(Representation::AsRecorded).len(), 4);
    }
}
