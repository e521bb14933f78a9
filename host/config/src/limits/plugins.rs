//! Limits on plugins: memory, CPU time, calls, output, comparison of versions.

/// Adds this group to the table of `define_limits!`, then calls the next macro.
macro_rules! plugin_limits {
    ($next:ident $($then:ident)* { $($groups:tt)* }) => {
        $next! { $($then)* { $($groups)*

"plugins" {
    /// Size of a plugin file. A larger one is not loaded.
    plugin_file: usize = 64 * MIB, Bytes(KIB..=GIB), PerPlugin,
        "JavaScript and Python plugins have 12 to 18 MB";
    /// Linear memory of one instance. A plugin that starts with more is not loaded; a call that
    /// needs more fails.
    plugin_memory: usize = 32 * MIB, Bytes(MIB..=256 * MIB), PerPlugin,
        "JavaScript plugins use up to 25 MiB";
    /// Elements of one table. A plugin that starts with more is not loaded; a call that needs more
    /// fails.
    plugin_table_elements: usize = 100_000, Count(1..=100_000), PerPlugin,
        "JavaScript and Python plugins need tens of thousands";
    /// Linear memories of one instance. A plugin with more is not loaded.
    plugin_memories: usize = 32, Count(1..=32), PerPlugin,
        "a Python plugin consists of a dozen modules";
    /// Tables of one instance. A plugin with more is not loaded.
    plugin_tables: usize = 64, Count(1..=64), PerPlugin,
        "a Python plugin consists of a dozen modules";
    /// Core modules instantiated for one instance. A plugin with more is not loaded.
    plugin_core_instances: usize = 200, Count(1..=200), PerPlugin,
        "a Python plugin consists of a dozen modules and their adapters";
    /// Resource handles of one instance. A call that needs more fails.
    plugin_handles: usize = 1024, Count(8..=1_000_000), PerPlugin,
        "wasmtime: 1,000,000 by default";
    /// Calls after which an instance is replaced.
    plugin_max_calls_per_instance: u32 = 10_000, Count(1..=1_000_000_000), PerPlugin,
        "frees the memory that a plugin leaks";
    /// Age after which an instance is replaced.
    plugin_max_instance_age: Duration = 10 * MINUTE, Time(MS..=DAY), PerPlugin,
        "frees the memory that a plugin leaks";
    /// Linear memory above which an instance is dropped after its call.
    plugin_idle_memory: usize = 24 * MIB, Bytes(64 * KIB..=256 * MIB), PerPlugin,
        "the memory for one large request is not kept for all small ones";
    /// Idle instances of one plugin that each thread keeps. Further ones are dropped.
    plugin_idle_instances: usize = 8, Count(1..=1000), PerPlugin,
        "a serving thread runs one call at a time; the others are for blocking threads";
    /// Concurrent calls of one plugin. Further ones wait as long as one call may take, then fail.
    plugin_max_concurrent_calls: usize = 64, Count(1..=10_000), PerPlugin,
        "more calls than CPU cores only compete with each other";
    /// Failures within `plugin_failure_window` after which a plugin is rolled back or paused. A
    /// timeout counts twice.
    plugin_failure_threshold: u32 = 3, Count(1..=1_000_000), PerPlugin,
        "a single failure may be caused by one request";
    /// Time for which a failure of a plugin counts.
    plugin_failure_window: Duration = 10 * SECOND, Time(MS..=DAY), PerPlugin,
        "failures with one cause occur close together";
    /// First pause of a plugin that fails. Each further pause is twice as long, up to 64 times the
    /// first.
    plugin_backoff: Duration = SECOND, Time(MS..=DAY), PerPlugin,
        "spares most requests, and a transient failure is soon over";
    /// Size of the answer cache of one matcher; 0 disables it.
    plugin_answer_cache: usize = 4 * MIB, Bytes(0..=GIB), PerPlugin,
        "a few thousand answers";
    /// Memory of the process that compiles a plugin; then the plugin is not loaded.
    plugin_compile_memory: usize = 2 * GIB, Bytes(64 * MIB..=64 * GIB), PerPlugin,
        "a Python plugin of 18 MB takes 0.5 GiB on two cores";
    /// Time in which a plugin is compiled; then it is not loaded.
    plugin_compile_time: Duration = 5 * MINUTE, Time(MS..=DAY), PerPlugin,
        "a Python plugin of 18 MB takes 10 s on two cores, more on a busy machine";
    /// CPU time of one matcher call; then the call fails.
    matcher_cpu_time: Duration = 10 * MS, Time(MS..=DAY), PerPlugin,
        "a call takes 1 us in Rust, 30 us in JavaScript";
    /// CPU time of one redactor call; then the call fails.
    redactor_cpu_time: Duration = 50 * MS, Time(MS..=DAY), PerPlugin,
        "the host's own rules take 20 ms for a body of 1 MiB";
    /// CPU time of one call of a recording policy; then the call fails.
    policy_cpu_time: Duration = 10 * MS, Time(MS..=DAY), PerPlugin,
        "a policy reads only heads";
    /// CPU time to start an instance and run `prepare`; then the plugin is not loaded.
    prepare_cpu_time: Duration = 2 * SECOND, Time(MS..=DAY), PerPlugin,
        "a Python plugin starts in 0.1 s";
    /// Log lines of one plugin per second. Further ones are dropped.
    plugin_log_lines_per_second: u32 = 50, Count(0..=100_000), PerPlugin,
        "one line for each request would cost more than the request";
    /// Length of a log line of a plugin. A longer one is truncated.
    plugin_log_line_bytes: usize = KIB, Bytes(16..=MIB), PerPlugin,
        "ten lines of a terminal";
    /// Parts of one key, and tags of one exchange. A call that adds more fails.
    plugin_key_parts: usize = 64, Count(1..=10_000), PerPlugin,
        "a miss report explains each part";
    /// Bytes that a matcher writes into one key. A call that writes more fails.
    plugin_key_bytes: usize = 64 * KIB, Bytes(KIB..=64 * MIB), PerPlugin,
        "parts are digests or short texts";
    /// Edits of one message by a redactor. A call that makes more fails.
    plugin_edits: usize = 10_000, Count(1..=1_000_000), PerPlugin,
        "one for each ten bytes of a document of 100 KB";
    /// New bytes that a redactor writes into one message. A call that writes more fails.
    plugin_edit_bytes: usize = 64 * MIB, Bytes(KIB..=GIB), PerPlugin,
        "equals `recorded_body`";
    /// Rules and conditions that one plugin declares. A plugin with more is not loaded.
    plugin_rules: usize = 1000, Count(1..=100_000), PerPlugin,
        "each rule is tried on each exchange";
    /// Names, pointers, patterns, reasons, tags and log lines from one plugin call. A call with
    /// more fails.
    plugin_text_bytes: usize = MIB, Bytes(KIB..=64 * MIB), PerPlugin,
        "a thousand long names";
    /// Recorded exchanges on which a new plugin version is compared with the current one before it
    /// is used.
    shadow_exchanges: usize = 256, Count(0..=1_000_000),
        "enough to show the effect of a change";
    /// Time for this comparison; remaining exchanges are skipped.
    shadow_timeout: Duration = 50 * MS, Time(MS..=DAY),
        "a new version is used within a tenth of a second";
}

        } }
    };
}

pub(super) use plugin_limits;
