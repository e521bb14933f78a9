//! Requests, responses and parts of streams, as a plugin sees them.

use serde::de::DeserializeOwned;

handle! {
    /// A request, a response, or a part of a stream. It is borrowed for one call. Each getter is a
    /// call to the host, so only what a plugin reads has a cost.
    ///
    /// For a response or a part of a stream, the getters of the request line ([`method`],
    /// [`authority`], [`path`], [`query`]) return those of its request.
    ///
    /// [`method`]: Self::method
    /// [`authority`]: Self::authority
    /// [`path`]: Self::path
    /// [`query`]: Self::query
    Message
}

impl Message {
    /// `request`, `response`, or for parts of a stream `event`, `message` or `trailers`. Later
    /// versions may add kinds, so ignore unknown ones.
    #[must_use]
    pub fn kind(&self) -> String {
        self.0.kind()
    }

    /// The method, for example `GET`.
    #[must_use]
    pub fn method(&self) -> String {
        self.0.method()
    }

    /// Host and port of the upstream, for example `api.example.com:8443`.
    #[must_use]
    pub fn authority(&self) -> String {
        self.0.authority()
    }

    /// The path without the query, percent-encoded as sent.
    #[must_use]
    pub fn path(&self) -> String {
        self.0.path()
    }

    /// Every value of a query parameter, decoded, in order.
    #[must_use]
    pub fn query(&self, name: &str) -> Vec<String> {
        self.0.query(name)
    }

    /// The names of all query parameters, decoded, in order; repeated names are repeated.
    #[must_use]
    pub fn query_names(&self) -> Vec<String> {
        self.0.query_names()
    }

    /// The status code of a response; 0 in a request.
    #[must_use]
    pub fn status(&self) -> u32 {
        self.0.status()
    }

    /// Every value of a header, in order. Names are case-insensitive.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<Vec<u8>> {
        self.0.header(name)
    }

    /// The first value of a header as text; invalid UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn header_text(&self, name: &str) -> Option<String> {
        let first = self.header(name).into_iter().next()?;
        Some(match String::from_utf8(first) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// The names of all headers in lower case, in order; repeated names are repeated.
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

    /// The JSON text at a pointer (RFC 6901) into the decoded body, exactly as sent. `None` if the
    /// body is not JSON or has no value there.
    #[must_use]
    pub fn json(&self, pointer: &str) -> Option<String> {
        self.0.json(pointer)
    }

    /// The JSON value at a pointer. Fails if the value has another type.
    pub fn json_as<T: DeserializeOwned>(&self, pointer: &str) -> Result<Option<T>, String> {
        let value = self.json(pointer).map(|text| crate::json::read(&text));
        value
            .transpose()
            .map_err(|error| format!("`{pointer}`: {error}"))
    }

    /// An attribute: `endpoint`, `session`, `side` (the sender, `client` or `server`), and in
    /// `decide` also `failure` if the exchange failed: the stage and the cause, for example
    /// `head reset` or `body timeout`. `None` for an unknown name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.0.attribute(name)
    }

    /// The number of parts in the stream of a response; 0 if it is not a stream. Only recording
    /// policies see a stream as a whole.
    #[must_use]
    pub fn part_count(&self) -> u32 {
        self.0.part_count()
    }

    /// A part of the stream; `None` past the end. Drop each part after use, because the number of
    /// parts that a plugin holds is limited.
    #[must_use]
    pub fn part(&self, index: u32) -> Option<Self> {
        self.0.part(index).map(Self)
    }
}
