//! A conversation of the demo: its messages and its result.

/// What the client received in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conversation {
    pub(super) name: &'static str,
    pub(super) protocol: &'static str,
    pub(super) received: Vec<String>,
}

/// The messages of the client.
pub(super) const MESSAGES: [&str; 3] = ["hello", "how are you", "goodbye"];
