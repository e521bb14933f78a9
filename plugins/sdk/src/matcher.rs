//! The matcher role: which requests are equal.

use crate::{Answer, Message, not_implemented};

handle! {
    /// The key of a request. A recorded request with an equal key matches. Every method adds a
    /// part, in the order of the calls.
    Key
}

impl Key {
    /// Part `endpoint`: the name of the endpoint that received the request.
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

    /// Part `query`: all parameters except those named, decoded and in sorted order. A name that
    /// ends in `*` excludes all names with this prefix. Values of one name keep their order.
    pub fn query(&self, except: &[&str]) {
        self.0.query(except);
    }

    /// Part `header.NAME`: every value of one header.
    pub fn header(&self, name: &str) {
        self.0.header(name);
    }

    /// Part `headers`: all headers except those named, in sorted order; a trailing `*` as in
    /// [`query`](Self::query).
    pub fn headers(&self, except: &[&str]) {
        self.0.headers(except);
    }

    /// What selected the recorded response: each header that its `vary` names must have the
    /// recorded value, except those named, and `accept` must accept its type. It is no part: it
    /// chooses among the recorded exchanges of equal keys. A trailing `*` as in
    /// [`query`](Self::query).
    pub fn vary(&self, except: &[&str]) {
        self.0.vary(except);
    }

    /// Part `body`, compared by its type: JSON by value, except at the pointers named (RFC 6901;
    /// `*` matches every index or member), forms by fields, multipart by parts, others byte by
    /// byte.
    pub fn body(&self, except: &[&str]) {
        self.0.body(except);
    }

    /// A custom part. The name appears in the report of a miss.
    pub fn part(&self, name: &str, value: impl AsRef<[u8]>) {
        self.0.part(name, value.as_ref());
    }

    /// Leaves this request to the next matcher; parts that were added do not count. Only in
    /// `identify`.
    pub fn abstain(&self) {
        self.0.abstain();
    }

    /// Asks the gateway to call `identify` for each request. Only in `prepare`.
    pub fn ask(&self) {
        self.0.ask();
    }
}

/// Decides which requests are equal.
pub trait Matcher {
    /// Runs once, before anything else: declares the parts that the gateway adds by itself.
    fn prepare(key: &Key) -> Answer;

    /// Runs for each request if `prepare` called [`Key::ask`]: adds the parts that need code.
    fn identify(_request: &Message, _key: &Key) -> Answer {
        Err(not_implemented("identify"))
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
        $crate::assert_role!($plugin, Matcher);
    };
}

#[cfg(target_family = "wasm")]
impl<P: Matcher> crate::bindings::MatcherGuest for P {
    fn prepare(key: &crate::raw::Key) -> Answer {
        P::prepare(Key::from_raw(key))
    }

    fn identify(request: &crate::raw::Message, key: &crate::raw::Key) -> Answer {
        P::identify(Message::from_raw(request), Key::from_raw(key))
    }
}
