//! The limits under which plugins run.

use std::time::Duration;

use ouli_config::Limits;

/// The limits under which plugins run; the values come from `[limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Size of a `.wasm` file in bytes.
    pub file: usize,
    /// Bytes of linear memory of one instance, all its memories together.
    pub memory: usize,
    /// Elements of each table.
    pub table_elements: usize,
    /// Linear memories of one instance.
    pub memories: usize,
    /// Tables of one instance.
    pub tables: usize,
    /// Core instances of one component.
    pub core_instances: usize,
    /// Resource handles that one instance holds at the same time.
    pub handles: usize,
    /// Calls after which an instance is replaced.
    pub max_calls_per_instance: u32,
    /// Age after which an instance is replaced.
    pub max_instance_age: Duration,
    /// Bytes of memory above which an instance does not return to the pool.
    pub idle_memory: usize,
    /// Idle instances that each thread keeps.
    pub idle_instances: usize,
    /// Calls that run at the same time.
    pub max_concurrent_calls: usize,
    /// Failures within `failure_window` that open the circuit.
    pub failure_threshold: u32,
    /// How long a failure counts.
    pub failure_window: Duration,
    /// How long the circuit stays open the first time.
    pub backoff: Duration,
    /// Bytes of the cache of matcher results.
    pub answer_cache: usize,
    /// Bytes of memory of the process that compiles it.
    pub compile_memory: usize,
    /// Time in which it is compiled.
    pub compile_time: Duration,
    /// Processor time to start an instance and run `prepare`.
    pub prepare_cpu_time: Duration,
    /// Processor time of one `identify`.
    pub matcher_cpu_time: Duration,
    /// Processor time of one `redact`.
    pub redactor_cpu_time: Duration,
    /// Processor time of one `decide`.
    pub policy_cpu_time: Duration,
    /// Rules or conditions that one plugin declares.
    pub rules: usize,
    /// Parts of a key.
    pub key_parts: usize,
    /// Bytes of the custom parts of a key.
    pub key_bytes: usize,
    /// Edits of one message.
    pub edits: usize,
    /// New bytes in the edits of one message.
    pub edit_bytes: usize,
    /// Log lines per second.
    pub log_lines_per_second: u32,
    /// Bytes of a log line.
    pub log_line_bytes: usize,
    /// Bytes of names, pointers, patterns, reasons, tags and log lines in one call.
    pub text_bytes: usize,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            file: limits.plugin_file,
            memory: limits.plugin_memory,
            table_elements: limits.plugin_table_elements,
            memories: limits.plugin_memories,
            tables: limits.plugin_tables,
            core_instances: limits.plugin_core_instances,
            handles: limits.plugin_handles,
            max_calls_per_instance: limits.plugin_max_calls_per_instance,
            max_instance_age: limits.plugin_max_instance_age,
            idle_memory: limits.plugin_idle_memory,
            idle_instances: limits.plugin_idle_instances,
            max_concurrent_calls: limits.plugin_max_concurrent_calls,
            failure_threshold: limits.plugin_failure_threshold,
            failure_window: limits.plugin_failure_window,
            backoff: limits.plugin_backoff,
            answer_cache: limits.plugin_answer_cache,
            compile_memory: limits.plugin_compile_memory,
            compile_time: limits.plugin_compile_time,
            prepare_cpu_time: limits.prepare_cpu_time,
            matcher_cpu_time: limits.matcher_cpu_time,
            redactor_cpu_time: limits.redactor_cpu_time,
            policy_cpu_time: limits.policy_cpu_time,
            rules: limits.plugin_rules,
            key_parts: limits.plugin_key_parts,
            key_bytes: limits.plugin_key_bytes,
            edits: limits.plugin_edits,
            edit_bytes: limits.plugin_edit_bytes,
            log_lines_per_second: limits.plugin_log_lines_per_second,
            log_line_bytes: limits.plugin_log_line_bytes,
            text_bytes: limits.plugin_text_bytes,
        }
    }
}
