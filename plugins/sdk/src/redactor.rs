//! The role of a redactor: which secrets stay out of recordings.

use serde::Serialize;

use crate::{Answer, Message, unwritten};

handle! {
    /// Rules that the gateway applies by itself, before anything is written and before a matcher
    /// looks. A class names the kind of secret in the stand-in: `token` gives `<token-1>`.
    Rules
}

impl Rules {
    /// The value of a header; a name that starts or ends in `*` stands for every one that ends or
    /// starts so. In cookies, `authorization` and the like names and schemes stay readable.
    pub fn header(&self, name: &str, class: &str) {
        self.0.header(name, class);
    }

    /// The value of a query parameter. Names compare without case.
    pub fn query(&self, name: &str, class: &str) {
        self.0.query(name, class);
    }

    /// The value of a field of a form, urlencoded or multipart. Names compare without case.
    pub fn form(&self, name: &str, class: &str) {
        self.0.form(name, class);
    }

    /// The value of a JSON member of this name at any depth. Names compare without case, `-` and
    /// `_`.
    pub fn json_member(&self, name: &str, class: &str) {
        self.0.json_member(name, class);
    }

    /// The JSON value at a pointer (RFC 6901; `*` stands for every index or member).
    pub fn json(&self, pointer: &str, class: &str) {
        self.0.json(pointer, class);
    }

    /// Whatever a regular expression finds in header values, URLs and text; its first group, or all
    /// of it, is the secret. No look-around and no back-references.
    pub fn pattern(&self, regex: &str, class: &str) {
        self.0.pattern(regex, class);
    }

    /// A response header that changes from run to run and is left out of recordings.
    pub fn volatile_header(&self, name: &str) {
        self.0.volatile_header(name);
    }

    /// Asks the gateway to call `redact` for each message, after the rules were applied.
    pub fn ask(&self) {
        self.0.ask();
    }
}

handle! {
    /// Changes to the message at hand. The gateway checks them all, then applies them together.
    Edit
}

impl Edit {
    /// Replaces every value of a header by these.
    pub fn set_header(&self, name: &str, values: &[&[u8]]) {
        self.0.set_header(name, values);
    }

    /// Takes a header away.
    pub fn remove_header(&self, name: &str) {
        self.0.remove_header(name);
    }

    /// Replaces the bytes from `start` up to, not including, `end` of the decoded body.
    pub fn replace(&self, start: u64, end: u64, bytes: impl AsRef<[u8]>) {
        self.0.replace(start, end, bytes.as_ref());
    }

    /// Replaces the JSON value at a pointer by this JSON text.
    pub fn replace_json(&self, pointer: &str, text: &str) {
        self.0.replace_json(pointer, text);
    }

    /// Replaces the JSON value at a pointer by a value. An error where it cannot be JSON.
    pub fn replace_json_with(&self, pointer: &str, value: impl Serialize) -> Answer {
        self.replace_json(pointer, &crate::json::write(value)?);
        Ok(())
    }

    /// Replaces the path and query of a request.
    pub fn set_target(&self, target: &str) {
        self.0.set_target(target);
    }

    /// Of a part of a stream: keeps back the last bytes, which are shown again in front of the next
    /// part of the same side, so that a secret which a border cuts is seen whole. What replaces
    /// bytes across the border stands in the earlier part. Without effect on whole bodies.
    pub fn hold(&self, bytes: u32) {
        self.0.hold(bytes);
    }
}

/// Takes secrets out before the disk.
pub trait Redactor {
    /// Once, before anything else: declares the rules that the gateway applies by
    /// itself.
    fn prepare(declare: &Rules) -> Answer;

    /// Per message, where `prepare` said [`Rules::ask`]: changes what needs code.
    fn redact(_what: &Message, _change: &Edit) -> Answer {
        Err(unwritten("redact"))
    }
}

/// Exports a type as the component's redactor.
#[cfg(target_family = "wasm")]
#[macro_export]
macro_rules! redactor {
    ($plugin:ident) => {
        $crate::bindings::redactor::export!($plugin with_types_in $crate::bindings::redactor);
    };
}

/// Exports a type as the component's redactor.
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! redactor {
    ($plugin:ident) => {
        $crate::has_role!($plugin, Redactor);
    };
}

#[cfg(target_family = "wasm")]
impl<P: Redactor> crate::bindings::RedactorGuest for P {
    fn prepare(declare: &crate::raw::Rules) -> Answer {
        P::prepare(Rules::lent(declare))
    }

    fn redact(what: &crate::raw::Message, change: &crate::raw::Edit) -> Answer {
        P::redact(Message::lent(what), Edit::lent(change))
    }
}
