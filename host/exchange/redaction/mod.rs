//! Secrets taken out of requests and responses, before the disk and before a matcher looks.
//!
//! What plugins declare becomes [`Rules`]. [`Redaction`] applies them to a message and puts a
//! placeholder such as `<token-1>` in the place of each secret; [`Secrets`] remembers the secrets
//! of a session, so that equal ones get equal placeholders and are found wherever else they stand.
//! [`Guard`] looks over the very bytes that are about to be written. [`RequestView`] is what a
//! matcher sees: the same redaction, lazily, with placeholders that count by their class alone.

mod body;
mod common;
mod declared;
mod document;
mod edits;
mod fields;
mod free;
mod guard;
mod joined;
mod known;
mod loose;
mod names;
mod pattern;
mod placeholder;
mod plain;
mod protobuf;
mod rules;
mod run;
mod secrets;
mod splice;
mod target;
#[cfg(test)]
mod tests;
mod variant;
mod view;

pub use declared::Declared;
pub use edits::{
    Edit, EditError, EditedPart, edit_part, edit_request, edit_response, edit_trailers,
};
pub use guard::{Guard, Refusal};
pub use joined::Joint;
pub use known::{Hit, Known};
pub use placeholder::{by_class, is_class};
pub use plain::PlainMessage;
pub use rules::{Fault, RuleError, Rules};
pub use run::{Counts, Outcome, Purpose, Redaction};
pub use secrets::{Secret, SecretBounds, Secrets};
pub use view::RequestView;
