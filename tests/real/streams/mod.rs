//! Streams between real programs: a client reports the same at replay.

/// Runs a client, and gives what it told.
mod peer;

/// What the same told is, and where a secret is.
mod compare;

/// Records, and replays with the same secrets and with others.
mod trial;

/// WebSockets between three libraries.
mod conversations;

/// Event streams and lines of JSON.
mod events;

/// The SDKs of two providers of language models.
mod models;

/// A page in Chromium.
mod browser;
