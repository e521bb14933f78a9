//! The door to guest code: loads components, asks them, and keeps them within their limits.
//!
//! Above this folder nobody knows of wasm: [`Plugins`] answers with keys, redacted exchanges and
//! verdicts.
//!
//! A plugin says in `prepare` what the host can do for it; only one that asks for more is entered
//! per request.

#![forbid(unsafe_code)]

pub mod builtin;
mod contract;
mod load;
mod plugin_set;
mod redaction;
mod run;
mod stream_redaction;

use std::time::Duration;

pub use contract::call_state::{Condition, SkipPredicate};
pub use contract::conversation_message::ConversationMessage;
pub use load::admission::{Grant, Requirements};
pub use load::component::{Plugin, Role, Source};
pub use load::engine::{self, Engine};
use ouli_config::Limits;
pub use plugin_set::{Decision, MatchKey, Plugins};
pub use redaction::{Redacted, RedactionCounts};
pub use run::instance::GuestCall;
pub use run::usage::UsageSnapshot;

/// The limits under which plugins run; the values come from `[limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Size of a `.wasm` file in bytes.
    pub file: usize,
    /// All linear memory of one copy in bytes.
    pub memory: usize,
    /// Elements of each table.
    pub table_elements: usize,
    /// Linear memories of one copy.
    pub memories: usize,
    /// Tables of one copy.
    pub tables: usize,
    /// Core instances of one component.
    pub instances: usize,
    /// Handles that a copy may hold at once.
    pub handles: usize,
    /// Calls after which a copy is replaced.
    pub calls: u32,
    /// Age after which a copy is replaced.
    pub age: Duration,
    /// Bytes of memory above which a copy is not kept.
    pub idle_memory: usize,
    /// Copies that each thread keeps.
    pub idle_instances: usize,
    /// Calls at once.
    pub max_concurrent_calls: usize,
    /// Failures within `failure_window` after which the plugin is paused.
    pub failures: u32,
    /// How long a failure counts.
    pub failure_window: Duration,
    /// The first pause.
    pub pause: Duration,
    /// Bytes of answers that are remembered.
    pub answer_cache_bytes: usize,
    /// Time for `prepare`, start of the instance included.
    pub prepare: Duration,
    /// Time for `identify`.
    pub identify: Duration,
    /// Time for `redact`.
    pub redact: Duration,
    /// Time for `decide`.
    pub decide: Duration,
    /// Rules or conditions that one plugin declares.
    pub rules: usize,
    /// Parts of a key.
    pub key_parts: usize,
    /// Bytes of a key's own parts.
    pub key_bytes: usize,
    /// Edits of one message.
    pub edits: usize,
    /// New bytes in the edits of one message.
    pub edit_bytes: usize,
    /// Log lines in a second.
    pub log_lines: u32,
    /// Bytes of a log line.
    pub log_line: usize,
    /// Bytes of names, pointers, patterns, reasons, tags and log lines in one call.
    pub text: usize,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            file: limits.plugin_file,
            memory: limits.plugin_memory,
            table_elements: limits.plugin_table_elements,
            memories: limits.plugin_memories,
            tables: limits.plugin_tables,
            instances: limits.plugin_core_instances,
            handles: limits.plugin_handles,
            calls: limits.plugin_max_calls_per_instance,
            age: limits.plugin_max_instance_age,
            idle_memory: limits.plugin_idle_memory,
            idle_instances: limits.plugin_idle_instances,
            max_concurrent_calls: limits.plugin_max_concurrent_calls,
            failures: limits.plugin_failure_threshold,
            failure_window: limits.plugin_failure_window,
            pause: limits.plugin_backoff,
            answer_cache_bytes: limits.plugin_answer_cache,
            prepare: limits.prepare_cpu_time,
            identify: limits.matcher_cpu_time,
            redact: limits.redactor_cpu_time,
            decide: limits.policy_cpu_time,
            rules: limits.plugin_rules,
            key_parts: limits.plugin_key_parts,
            key_bytes: limits.plugin_key_bytes,
            edits: limits.plugin_edits,
            edit_bytes: limits.plugin_edit_bytes,
            log_lines: limits.plugin_log_lines_per_second,
            log_line: limits.plugin_log_line_bytes,
            text: limits.plugin_text_bytes,
        }
    }
}

/// Why a plugin cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The engine itself did not start.
    #[error("the wasm engine does not start: {0:#}")]
    Engine(wasmtime::Error),
    /// The file is too large.
    #[error("it has {size} bytes, more than {most} (limits.plugin_file)")]
    Size {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        most: usize,
    },
    /// The file is no component.
    #[error("it is not a WebAssembly component but {found}; {hint}")]
    NotComponent {
        /// What it is.
        found: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// The file is damaged, or uses what the engine does not have.
    #[error("it does not compile: {0:#}")]
    Compile(wasmtime::Error),
    /// It needs more than a plugin may have.
    #[error(
        "it needs {needed} {what}, more than {most} (limits.{key}, or `limits` of its section)"
    )]
    LimitExceeded {
        /// What it needs.
        what: &'static str,
        /// How much of it.
        needed: u64,
        /// How much it may have.
        most: usize,
        /// The key in `[limits]`.
        key: &'static str,
    },
    /// It wants what plugins are not given.
    #[error("it imports `{interface}`, which plugins are not given; {hint}")]
    Import {
        /// The interface.
        interface: String,
        /// What to do.
        hint: &'static str,
    },
    /// It has no role.
    #[error(
        "it exports no role of this gateway; export ouli:gateway/matcher@0.1.0, \
         ouli:gateway/redactor@0.1.0 or ouli:gateway/recording-policy@0.1.0 (found: {found})"
    )]
    NoRole {
        /// What it exports.
        found: String,
    },
    /// It does not fit the contract.
    #[error("it does not fit the plugin contract: {0:#}; build it against the package in wit/")]
    Link(wasmtime::Error),
    /// It did not start, or its `prepare` failed.
    #[error("`prepare` of its {role} failed: {reason}")]
    Prepare {
        /// The role.
        role: &'static str,
        /// The plugin's words, or what stopped it.
        reason: String,
    },
    /// A rule that it declares is wrong.
    #[error("it declares a rule that cannot be used: {0}")]
    Rule(String),
}

impl PluginError {
    /// Where the plugin failed on its way to be used.
    pub fn stage(&self) -> &'static str {
        match self {
            Self::Engine(_) => "engine",
            Self::Size { .. }
            | Self::NotComponent { .. }
            | Self::LimitExceeded { .. }
            | Self::Import { .. }
            | Self::NoRole { .. } => "validate",
            Self::Compile(_) => "compile",
            Self::Link(_) => "link",
            Self::Prepare { .. } | Self::Rule(_) => "probe",
        }
    }
}

/// A call that gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plugin {plugin}: {role} {reason}")]
pub struct PluginFailure {
    /// Name of the plugin.
    pub plugin: String,
    /// The role that was asked.
    pub role: &'static str,
    /// What happened, without a secret.
    pub reason: String,
    /// It was not asked, since it failed too often before: nothing new to tell.
    pub paused: bool,
}
