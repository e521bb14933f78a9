//! Secrets taken out of requests and responses, before the disk and before a matcher looks.
//!
//! What plugins declare becomes [`Rules`]. [`Redaction`] applies them to a message and puts a
//! placeholder such as `<token-1>` in the place of each secret; [`Secrets`] remembers the secrets
//! of a session, so that equal ones get equal placeholders and are found wherever else they stand.
//! [`Guard`] looks over the very bytes that are about to be written. [`RequestView`] is what a
//! matcher sees: the same redaction, lazily, with placeholders that count by their class alone.

#![forbid(unsafe_code)]

mod body;
mod common_values;
mod conversation_message;
mod cross_chunk;
mod declared_rules;
mod edits;
mod encodings;
mod fields;
mod free_text;
mod guard;
mod json;
mod known_secrets;
mod name_matcher;
mod name_value_pairs;
mod pass;
mod pattern;
mod pipeline;
mod placeholder;
mod protobuf;
mod redacted_exchange;
mod redacted_message;
mod redacted_view;
mod rules;
mod secrets;
mod splice;
mod stream_part;
mod target;
#[cfg(test)]
mod tests;

pub use conversation_message::ConversationMessage;
pub use cross_chunk::PartFormat;
pub use declared_rules::RuleDeclaration;
pub use edits::{
    Edit, EditError, EditedPart, edit_part, edit_request, edit_response, edit_trailers,
};
pub use guard::{Guard, GuardRejection};
pub use known_secrets::{Hit, SecretSearcher};
pub use pass::{Counts, Outcome, Purpose, Redaction};
pub use pipeline::{PipelineError, RedactedExchange, RedactionPipeline, Redactor, RedactorEdits};
pub use placeholder::{collapse_to_class, is_class};
pub use redacted_exchange::exchange_views;
pub use redacted_message::RedactedMessage;
pub use redacted_view::RequestView;
pub use rules::{RuleError, RuleErrorKind, Rules};
pub use secrets::{Secret, SecretBounds, Secrets};
