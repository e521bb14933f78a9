//! Limits on recording and replay: memory, bodies, cassettes, sessions.

/// Adds this group to the table of `define_limits!`, then calls the next macro.
macro_rules! recording_limits {
    ($next:ident $($then:ident)* { $($groups:tt)* }) => {
        $next! { $($then)* { $($groups)*

"recording and replay" {
    /// Bytes held in memory for exchanges. At 90 % request bodies are no longer read, at 98 % new
    /// requests get 503.
    memory: usize = 256 * MIB, Bytes(MIB..=1024 * GIB), RestartOnly,
        "four of the largest bodies; Envoy's overload manager has the same two steps";
    /// Time that a request body or a WebSocket message waits while memory is scarce; then 503 or
    /// close code 1013.
    memory_wait_timeout: Duration = 10 * SECOND, Time(MS..=DAY),
        "most clients wait at least that long";
    /// Size of a body that is recorded. An exchange with a larger one is served but not recorded.
    recorded_body: usize = 64 * MIB, Bytes(0..=4 * GIB),
        "larger ones are downloads, better kept as files of their own";
    /// Part of `memory` (at most three quarters) for exchanges that are not written yet. Beyond it
    /// `on_recorder_full` applies.
    recording_memory: usize = 192 * MIB, Bytes(MIB..=1024 * GIB), RestartOnly,
        "three of the largest bodies; the rest is for requests, so a slow disk rejects none";
    /// Size of a body after content decoding. An exchange with a larger one is not recorded; in
    /// `replay` such a request gets 415.
    decompressed_body: usize = 64 * MIB, Bytes(0..=4 * GIB), RestartOnly,
        "equals `recorded_body`";
    /// Ratio of decoded to encoded size of a body, checked above 1 MiB. Beyond it the body is
    /// handled as in `decompressed_body`.
    decompression_ratio: usize = 100, Count(1..=100_000), RestartOnly,
        "gzip reaches 1,032; real documents reach about 20";
    /// Size of a body that is stored in the cassette file. A larger one is stored in a file of its
    /// own.
    inline_body: usize = 64 * KIB, Bytes(0..=64 * MIB), RestartOnly,
        "larger texts make a cassette hard to read";
    /// Size of a cassette or a stored body that is loaded. A larger one is an error; requests to
    /// its session get 500.
    cassette_size: usize = 4 * GIB, Bytes(MIB..=1024 * GIB), RestartOnly,
        "a cassette is loaded into memory whole";
    /// Memory of recorded exchanges that can be replayed, of all sessions in use. A cassette that
    /// takes more than what is left gets 500 once no idle session can be closed for it; an exchange
    /// that `auto` records beyond it is read from the cassette by the next run.
    index_memory: usize = 8 * GIB, Bytes(64 * KIB..=1024 * GIB),
        "twice `cassette_size`: a cassette takes about twice its size";
    /// Exchanges waiting to be redacted and written. Beyond it `on_recorder_full` applies.
    recorder_queue: usize = 1024, Count(1..=1_000_000), RestartOnly,
        "about 3 KB each";
    /// Time that `on_recorder_full = "wait"` delays an exchange; then the exchange is not
    /// recorded.
    recorder_queue_timeout: Duration = 10 * SECOND, Time(MS..=DAY),
        "longer than a disk stalls, shorter than clients wait for a response";
    /// Exchanges that are read to their end without a client: it left before the response or
    /// before its end, or has a response that ended before its request. A further one is recorded
    /// as far as it is read if only the request is incomplete, else not at all.
    background_reads: usize = 256, Count(0..=1_000_000), RestartOnly,
        "each holds a connection to its upstream or its client";
    /// Time for such a read.
    background_read_timeout: Duration = 10 * SECOND, Time(MS..=DAY),
        "nginx's `lingering_time` is three times as long, for any upload";
    /// Exchanges written and synced as one batch. Further ones go into the next batch.
    write_batch_exchanges: usize = 256, Count(1..=1_000_000), RestartOnly,
        "one write and one sync for a burst";
    /// Body bytes after which a batch takes no further exchange.
    write_batch_bytes: usize = 8 * MIB, Bytes(KIB..=GIB), RestartOnly,
        "a disk writes that much in a few milliseconds";
    /// Cassettes open for writing. Beyond it the least recently used one is closed.
    open_cassettes: usize = 64, Count(1..=10_000), RestartOnly,
        "each takes a descriptor";
    /// Decoded size of all messages of one stream. An exchange with more is not recorded.
    decompressed_stream: usize = 64 * MIB, Bytes(MIB..=64 * GIB), RestartOnly,
        "equals `decompressed_body`";
    /// Events, lines or chunks of one response. An exchange with more is not recorded.
    recorded_chunks: usize = 1_000_000, Count(1..=1_000_000_000), RestartOnly,
        "each takes some 100 bytes of memory while it is redacted";
    /// Size of a body from which work on it counts in `memory`: three times the size of a request
    /// that is redacted and compared, on a thread of its own, and four times that of an exchange
    /// that is recorded.
    offload_size: usize = 16 * KIB, Bytes(KIB..=GIB),
        "some 2 ms of processor time if it is full of secrets, for which others would wait";
    /// Memory for comparing a request with recorded ones in the report of a miss. A body that takes
    /// more than a quarter of it is compared by its size and digest.
    miss_comparison: usize = 16 * MIB, Bytes(64 * KIB..=GIB),
        "bodies of 1 MiB are compared value by value, some 50 ms of processor time";
    /// Recorded uploads that broke off are compared with the first parts of a request: the sum of
    /// their lengths, and 16 KiB for each. Further ones are not compared, which the report of a
    /// miss says.
    truncated_comparison: usize = 64 * MIB, Bytes(64 * KIB..=GIB),
        "4,000 short uploads or 60 of 1 MiB, some 0.3 s of processor time";
    /// Sessions in use. Beyond it the least recently used idle ones are closed; if none is idle, a
    /// request for a further one gets 503.
    sessions: usize = 1024, Count(1..=1_000_000),
        "one for each test that runs in parallel";
    /// Time without a request after which a session is closed: its exchanges leave the memory.
    session_idle_timeout: Duration = 10 * MINUTE, Time(MS..=DAY),
        "longer than a slow test, and a suite has thousands";
    /// Memory of closed sessions: verdicts, which exchanges were replayed, secrets that were
    /// recorded. Beyond it the oldest are counted together, and begin anew if they are used again.
    closed_session_memory: usize = 64 * MIB, Bytes(KIB..=64 * GIB),
        "some 30,000 sessions of 2 KiB";
    /// Secrets remembered per session. Beyond it the least recently seen are forgotten, and an
    /// exchange that repeats one is refused; one that has more by itself is not recorded.
    secrets_per_session: usize = 65_536, Count(1..=10_000_000), RestartOnly,
        "a test suite has a few hundred; each is searched for in everything that is recorded";
    /// Total size of the secrets of one session. Beyond it the least recently seen are forgotten;
    /// an exchange that has more by itself is not recorded.
    secret_bytes_per_session: usize = 64 * MIB, Bytes(KIB..=GIB), RestartOnly,
        "1 KiB for each secret";
    /// Memory of the secrets of all sessions and of the values that their clients made up, with
    /// what they are searched by. Beyond it the least recently seen are forgotten, whichever
    /// session has them.
    secret_memory: usize = 128 * MIB, Bytes(MIB..=64 * GIB),
        "some 170,000 tokens of 20 bytes: 1,024 sessions with 160 each";
    /// Size of the fingerprints of forgotten secrets of one session. Beyond it the older half is
    /// dropped, which counts as `secret`.
    secret_fingerprint_bytes_per_session: usize = 16 * MIB, Bytes(KIB..=GIB), RestartOnly,
        "some 80,000 tokens, each with its encodings: as many again as are remembered";
    /// Endpoints in the configuration. A configuration with more is rejected.
    endpoints: usize = 256, Count(1..=10_000),
        "each has a listener and idle connections on every thread";
    /// Size of a protobuf descriptor set. A larger one is rejected.
    proto_descriptor_file: usize = 64 * MIB, Bytes(KIB..=GIB),
        "those of large organizations have a few MiB";
}

        } }
    };
}

pub(super) use recording_limits;
