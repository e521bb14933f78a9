//! Redaction: replaces secrets in requests and responses with placeholders.
//!
//! [`Rules`] are compiled from the declarations of plugins. [`Redaction`] applies them to a message
//! and replaces each secret with a placeholder such as `<token-1>`. [`Secrets`] is the registry of
//! the secrets of a session: equal secrets get equal placeholders, and a known secret is found
//! wherever else it occurs. [`Guard`] scans the final bytes before they are written.
//! [`RequestView`] is the lazily redacted request that a matcher reads; its placeholders name the
//! class only.

#![forbid(unsafe_code)]

mod anchor;
mod body;
mod build_locks;
mod common_values;
mod conversation_message;
mod cross_chunk;
mod cut_secret;
mod declared_rules;
mod edits;
mod encoded_secret;
mod encodings;
mod fields;
mod forgetting_order;
mod forgotten_secrets;
mod free_text;
mod guard;
mod identities;
mod json;
mod made_up_values;
mod name_matcher;
mod name_value_pairs;
mod pass;
mod pattern;
mod pattern_prefix;
mod pending_secrets;
mod pipeline;
mod placeholder;
mod placeholder_key;
mod protobuf;
mod redacted_exchange;
mod redacted_message;
mod redacted_request;
mod redacted_view;
mod rule;
mod rules;
mod search_index;
mod searcher_tier;
mod secret;
mod secret_anchor;
mod secret_bounds;
mod secret_eviction;
mod secret_index;
mod secret_memory;
mod secret_part;
mod secret_registry;
mod secret_searcher;
mod secret_upkeep;
mod secrets;
mod splice;
mod stream_part;
mod target;
#[cfg(test)]
mod tests;
mod text_hash;
mod told_secrets;
mod told_words;

pub use conversation_message::ConversationMessage;
pub use cross_chunk::PartFormat;
pub use cut_secret::CutSecret;
pub use declared_rules::RuleDeclaration;
pub use edits::{
    Edit, EditError, EditedPart, edit_part, edit_request, edit_response, edit_trailers,
};
pub use guard::{FORGOTTEN_SECRETS, FORGOTTEN_SESSION, Guard, GuardRejection, OVERFLOW};

pub use common_values::is_rare;
pub use pass::{Counts, Outcome, Purpose, Redaction};
pub use pipeline::{PipelineError, RedactedExchange, RedactionPipeline, Redactor, RedactorEdits};
pub use placeholder::{collapse_to_class, is_class, is_placeholder, placeholders_in};
pub use placeholder_key::PlaceholderKey;
pub use redacted_exchange::exchange_views;
pub use redacted_message::RedactedMessage;
pub use redacted_view::RequestView;
pub use rules::{RuleError, RuleErrorKind, Rules};
pub use secret::Secret;
pub use secret_anchor::Hit;
pub use secret_bounds::SecretBounds;
pub use secret_index::{KnownSecrets, SecretsSnapshot};
pub use secret_memory::SecretMemory;
pub use secret_searcher::SecretSearcher;
pub use secrets::Secrets;
pub use told_words::WordReader;
