//! The role of a matcher: which requests are the same.

use crate::{Answer, Message, unwritten};

handle! {
    /// The parts that make a request the same as a recorded one. Every method adds to the key, in
    /// the order of the calls.
    Key
}

impl Key {
    /// Part `endpoint`: the name of the endpoint that took the request.
    pub fn endpoint(&self) {
        self.0.endpoint();
    }

    /// Part `method`.
    pub fn method(&self) {
        self.0.method();
    }

    /// Part `authority`: host and port of the upstream.
    pub fn authority(&self) {
        self.0.authority();
    }

    /// Part `path`.
    pub fn path(&self) {
        self.0.path();
    }

    /// Part `query`: every parameter, decoded and in sorted order, but for those named. A name that
    /// ends in `*` stands for all that begin so. Values of one name keep their order.
    pub fn query(&self, but: &[&str]) {
        self.0.query(but);
    }

    /// Part `header.NAME`: every value of one header.
    pub fn header(&self, name: &str) {
        self.0.header(name);
    }

    /// Part `headers`: every header in sorted order, but for those named; a trailing `*` as in
    /// [`query`](Self::query).
    pub fn headers(&self, but: &[&str]) {
        self.0.headers(but);
    }

    /// Part `body`, compared by its type: JSON by meaning but for the pointers named (RFC 6901; `*`
    /// stands for every index or member), forms by fields, multipart by parts, else byte by byte.
    pub fn body(&self, but: &[&str]) {
        self.0.body(but);
    }

    /// A part of the plugin's own making. The name appears in the report of a miss.
    pub fn part(&self, name: &str, value: impl AsRef<[u8]>) {
        self.0.part(name, value.as_ref());
    }

    /// Leaves this request to the next matcher, whatever parts were added. Only in `identify`.
    pub fn abstain(&self) {
        self.0.abstain();
    }

    /// Asks the gateway to call `identify` for each request. Only in `prepare`.
    pub fn ask(&self) {
        self.0.ask();
    }
}

/// Says which requests are the same.
pub trait Matcher {
    /// Once, before anything else: declares the parts that the gateway takes by
    /// itself.
    fn prepare(parts: &Key) -> Answer;

    /// Per request, where `prepare` said [`Key::ask`]: adds the parts that need code.
    fn identify(_request: &Message, _parts: &Key) -> Answer {
        Err(unwritten("identify"))
    }
}

/// Exports a type as the component's matcher.
#[cfg(target_family = "wasm")]
#[macro_export]
macro_rules! matcher {
    ($plugin:ident) => {
        $crate::bindings::matcher::export!($plugin with_types_in $crate::bindings::matcher);
    };
}

/// Exports a type as the component's matcher.
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! matcher {
    ($plugin:ident) => {
        $crate::has_role!($plugin, Matcher);
    };
}

#[cfg(target_family = "wasm")]
impl<P: Matcher> crate::bindings::MatcherGuest for P {
    fn prepare(parts: &crate::raw::Key) -> Answer {
        P::prepare(Key::lent(parts))
    }

    fn identify(request: &crate::raw::Message, parts: &crate::raw::Key) -> Answer {
        P::identify(Message::lent(request), Key::lent(parts))
    }
}
