//! What a plugin sees of the traffic.

use serde::de::DeserializeOwned;

handle! {
    /// A request, a response, or one message of a stream, lent for the length of one call. A plugin
    /// pays for what it reads.
    ///
    /// In a response and in a part of a stream the getters of the request line ([`method`],
    /// [`authority`], [`path`], [`query`]) answer for the request that it belongs to.
    ///
    /// [`method`]: Self::method
    /// [`authority`]: Self::authority
    /// [`path`]: Self::path
    /// [`query`]: Self::query
    Message
}

impl Message {
    /// `request`, `response`, or of a stream `event`, `message` or `trailers`. More kinds may come,
    /// so treat others as unknown.
    #[must_use]
    pub fn kind(&self) -> String {
        self.0.kind()
    }

    /// The method as it was sent, for example `GET`.
    #[must_use]
    pub fn method(&self) -> String {
        self.0.method()
    }

    /// Host and port of the upstream, for example `api.example.com:8443`.
    #[must_use]
    pub fn authority(&self) -> String {
        self.0.authority()
    }

    /// The path without the query, percent-encoded as it was sent.
    #[must_use]
    pub fn path(&self) -> String {
        self.0.path()
    }

    /// Every value of a query parameter, decoded, in order.
    #[must_use]
    pub fn query(&self, name: &str) -> Vec<String> {
        self.0.query(name)
    }

    /// The names of all query parameters, decoded, in order, with repetitions.
    #[must_use]
    pub fn query_names(&self) -> Vec<String> {
        self.0.query_names()
    }

    /// The status code of a response; 0 in a request.
    #[must_use]
    pub fn status(&self) -> u32 {
        self.0.status()
    }

    /// Every value of a header, in order. Names compare without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<Vec<u8>> {
        self.0.header(name)
    }

    /// The first value of a header as text; bytes that are no UTF-8 become U+FFFD.
    #[must_use]
    pub fn header_text(&self, name: &str) -> Option<String> {
        let first = self.header(name).into_iter().next()?;
        Some(match String::from_utf8(first) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// The names of all headers in lower case, in order, with repetitions.
    #[must_use]
    pub fn header_names(&self) -> Vec<String> {
        self.0.header_names()
    }

    /// Size of the decoded body in bytes.
    #[must_use]
    pub fn body_size(&self) -> u64 {
        self.0.body_size()
    }

    /// At most `max` bytes of the decoded body from `offset`; empty past the end.
    #[must_use]
    pub fn body(&self, offset: u64, max: u32) -> Vec<u8> {
        self.0.body(offset, max)
    }

    /// The JSON text at a pointer (RFC 6901) into the decoded body, exactly as it was sent. None
    /// where the body is not JSON or holds nothing there.
    #[must_use]
    pub fn json(&self, pointer: &str) -> Option<String> {
        self.0.json(pointer)
    }

    /// The JSON value at a pointer. An error where there is one of another type.
    pub fn json_as<T: DeserializeOwned>(&self, pointer: &str) -> Result<Option<T>, String> {
        let value = self.json(pointer).map(|text| crate::json::read(&text));
        value
            .transpose()
            .map_err(|error| format!("`{pointer}`: {error}"))
    }

    /// What has no getter of its own: `endpoint`, `session`, `side` (`client` or `server`: who sent
    /// it), and in `decide` `failure`, where the exchange failed: how far it came and what
    /// happened, as `head reset` or `body timeout`. None where the name is unknown.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.0.attribute(name)
    }

    /// How many parts the stream of a response has; 0 where it was no stream. Only recording
    /// policies see a stream as a whole.
    #[must_use]
    pub fn part_count(&self) -> u32 {
        self.0.part_count()
    }

    /// One of these parts; none past the end. Drop it when it was looked at: how many a plugin may
    /// hold is limited.
    #[must_use]
    pub fn part(&self, place: u32) -> Option<Self> {
        self.0.part(place).map(Self)
    }
}
