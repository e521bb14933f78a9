//! A replay answers no request that differs from the recorded one in a part that no rule ignores:
//! one part of each recorded request is changed at a time, and each must be a miss.

/// The recorded requests.
mod corpus;
/// Changes of HTTP requests.
mod http;
/// Changes of the messages of conversations.
mod messages;
