//! The redactor role: which secrets are removed from recordings.

use serde::Serialize;

use crate::{Answer, Message, not_implemented};

handle! {
    /// Rules that the gateway applies by itself, before anything is written and before a matcher
    /// runs. The class names the kind of secret in the placeholder: `token` gives `<token-1>`.
    Rules
}

impl Rules {
    /// The value of a header; `*` at the start or the end of the name matches any prefix or suffix.
    /// Names in cookies and schemes in `authorization` stay readable.
    pub fn header(&self, name: &str, class: &str) {
        self.0.header(name, class);
    }

    /// The value of a query parameter. Names are case-insensitive.
    pub fn query(&self, name: &str, class: &str) {
        self.0.query(name, class);
    }

    /// The value of a form field, urlencoded or multipart. Names are case-insensitive.
    pub fn form(&self, name: &str, class: &str) {
        self.0.form(name, class);
    }

    /// The value of a JSON member of this name at any depth. Case, `-` and `_` are ignored.
    pub fn json_member(&self, name: &str, class: &str) {
        self.0.json_member(name, class);
    }

    /// The JSON value at a pointer (RFC 6901; `*` matches every index or member).
    pub fn json(&self, pointer: &str, class: &str) {
        self.0.json(pointer, class);
    }

    /// Matches of a regular expression in header values, URLs and text. The secret is its first
    /// group, or the whole match if it has no group. Look-around and back-references are not
    /// supported.
    pub fn pattern(&self, regex: &str, class: &str) {
        self.0.pattern(regex, class);
    }

    /// A response header that changes from run to run and is not recorded.
    pub fn volatile_header(&self, name: &str) {
        self.0.volatile_header(name);
    }

    /// Asks the gateway to call `redact` for each message, after it has applied the rules.
    pub fn ask(&self) {
        self.0.ask();
    }
}

handle! {
    /// Changes to one message. The gateway checks all of them, then applies them together.
    Edit
}

impl Edit {
    /// Replaces every value of a header by these.
    pub fn set_header(&self, name: &str, values: &[&[u8]]) {
        self.0.set_header(name, values);
    }

    /// Removes a header.
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

    /// Replaces the JSON value at a pointer by a value. Fails if it cannot be written as JSON.
    pub fn replace_json_with(&self, pointer: &str, value: impl Serialize) -> Answer {
        self.replace_json(pointer, &crate::json::write(value)?);
        Ok(())
    }

    /// Replaces the path and query of a request.
    pub fn set_target(&self, target: &str) {
        self.0.set_target(target);
    }

    /// For a part of a stream: holds the last bytes. They are shown again in front of the next part
    /// of the same side, so that a secret which the boundary cuts is seen whole. If an edit crosses
    /// the boundary, its new bytes go into the earlier part. No effect on whole bodies.
    pub fn hold(&self, bytes: u32) {
        self.0.hold(bytes);
    }
}

/// Removes secrets before anything is written to disk.
pub trait Redactor {
    /// Runs once, before anything else: declares the rules that the gateway applies by itself.
    fn prepare(rules: &Rules) -> Answer;

    /// Runs for each message if `prepare` called [`Rules::ask`]: makes the edits that need code.
    fn redact(_message: &Message, _edit: &Edit) -> Answer {
        Err(not_implemented("redact"))
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
        $crate::assert_role!($plugin, Redactor);
    };
}

#[cfg(target_family = "wasm")]
impl<P: Redactor> crate::bindings::RedactorGuest for P {
    fn prepare(rules: &crate::raw::Rules) -> Answer {
        P::prepare(Rules::from_raw(rules))
    }

    fn redact(message: &crate::raw::Message, edit: &crate::raw::Edit) -> Answer {
        P::redact(Message::from_raw(message), Edit::from_raw(edit))
    }
}
