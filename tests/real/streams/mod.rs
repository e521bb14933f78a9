//! Streams between third-party programs: a client reports the same at replay.

/// Runs a client and returns its report.
mod peer;

/// Compares reports and finds secrets.
mod compare;

/// Records, then replays with the same secrets and with others.
mod trial;

/// WebSockets between three libraries.
mod conversations;

/// Event streams and JSON lines.
mod events;

/// The SDKs of two providers of language models.
mod models;

/// A page in Chromium.
mod browser;
