//! Bounds of what is kept: bodies, memory, cassettes.

use crate::config::limit::{GIB, Limit, MIB, Place, bytes, count};

/// In the order in which they are listed.
#[rustfmt::skip]
pub(super) const ROWS: &[Limit] = &[
    bytes("recorded_body", 0..=4 * GIB, Place::Size(|l| &mut l.recorded_body),
        "a body that is recorded; a larger one is served but not written",
        "larger ones are downloads, which are better kept as files of their own"),
    bytes("recording_memory", MIB..=1024 * GIB, Place::Size(|l| &mut l.recording_memory),
        "bytes of all exchanges that wait to be written; above it exchanges are not recorded",
        "four of the largest bodies"),
    bytes("decoded_body", 0..=4 * GIB, Place::Size(|l| &mut l.decoded_body),
        "a body once its content codings are removed; a larger one is not written",
        "as large as a body that can be recorded"),
    count("decoded_ratio", 1..=100_000, Place::Size(|l| &mut l.decoded_ratio),
        "how many times larger than what was sent a decoded body may be, once it has 1 MiB",
        "gzip reaches 1,032 at most, real documents about 20"),
    bytes("inline_body", 0..=64 * MIB, Place::Size(|l| &mut l.inline_body),
        "a body that stands in the cassette itself; a larger one gets a file beside it",
        "larger texts make a cassette hard to read"),
    bytes("cassette", MIB..=1024 * GIB, Place::Size(|l| &mut l.cassette),
        "a cassette or a stored body that is read; a larger one is refused",
        "it is read into memory whole"),
    count("recorder_queue", 1..=1_000_000, Place::Size(|l| &mut l.recorder_queue),
        "exchanges that wait to be redacted and written; one more waits for room",
        "about 3 KB each"),
    bytes("decoded_stream", MIB..=64 * GIB, Place::Size(|l| &mut l.decoded_stream),
        "all messages of one recorded conversation, decompressed; more are not written",
        "as large as all memory for recording"),
    count("sessions", 1..=1_000_000, Place::Size(|l| &mut l.sessions),
        "sessions open at once; a request for one more gets 503",
        "one for each test that runs at once"),
];
