//! Why a plugin cannot be loaded, and why a call of a plugin fails.

use std::borrow::Cow;

use ouli_message::printable::printable_start;

/// Why a plugin cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The engine cannot start.
    #[error("the WebAssembly engine cannot start: {0:#}")]
    Engine(wasmtime::Error),
    /// The file is larger than the limit.
    #[error("the file has {size} bytes, the limit is {limit} (limits.plugin_file)")]
    Size {
        /// Size of the file in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The file is not a component.
    #[error("not a WebAssembly component but {found}; {hint}")]
    NotComponent {
        /// What the file is.
        found: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// The file is damaged or uses a feature that the engine does not support.
    #[error("does not compile: {0:#}")]
    Compile(wasmtime::Error),
    /// The compiler process reports an error or exceeds a limit.
    #[error("{0}")]
    Compiler(String),
    /// The component needs more of a resource than the limit.
    #[error(
        "needs {needed} {what}, the limit is {limit} (limits.{key}, or `limits` in its section)"
    )]
    LimitExceeded {
        /// The resource.
        what: &'static str,
        /// How much of it the component needs.
        needed: u64,
        /// The limit.
        limit: usize,
        /// The key in `[limits]`.
        key: &'static str,
    },
    /// The component imports an interface that plugins do not get.
    #[error("imports `{}`, which is not available to plugins; {hint}", shown(.interface))]
    Import {
        /// The interface.
        interface: String,
        /// What to do.
        hint: &'static str,
    },
    /// The file belongs to another program: it neither exports nor imports the contract.
    #[error("{0}")]
    Unrelated(Box<Self>),
    /// The component exports no role.
    #[error(
        "exports no role of this gateway; export ouli:gateway/matcher@0.1.1, \
         ouli:gateway/redactor@0.1.1 or ouli:gateway/recording-policy@0.1.1 (found: {})",
        shown(.found)
    )]
    NoRole {
        /// What the component exports.
        found: String,
    },
    /// The types of its imports or exports differ from the contract.
    #[error(
        "does not match the plugin contract 0.1.1: {0:#}; build it against the package in wit/, or \
         update the gateway if the plugin is for a later version"
    )]
    Link(wasmtime::Error),
    /// An instance did not start, or `prepare` failed.
    #[error("`prepare` of the {role} failed: {}", shown(.reason))]
    Prepare {
        /// The role.
        role: &'static str,
        /// The plugin's own error, or what stopped the call.
        reason: String,
    },
    /// A declared redaction rule is invalid.
    #[error("declares an invalid rule: {}", shown(.0))]
    Rule(String),
}

/// Maximum length in bytes of a text that a plugin chose.
const MAX_TEXT: usize = 4096;

fn shown(text: &str) -> Cow<'_, str> {
    printable_start(text, MAX_TEXT)
}

impl PluginError {
    /// The stage of loading at which the plugin failed.
    pub fn stage(&self) -> &'static str {
        match self {
            Self::Unrelated(error) => error.stage(),
            Self::Engine(_) => "engine",
            Self::Size { .. }
            | Self::NotComponent { .. }
            | Self::LimitExceeded { .. }
            | Self::Import { .. }
            | Self::NoRole { .. } => "validate",
            Self::Compile(_) | Self::Compiler(_) => "compile",
            Self::Link(_) => "link",
            Self::Prepare { .. } | Self::Rule(_) => "probe",
        }
    }
}

/// A call of a plugin that returned no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plugin {plugin}: {role} {reason}")]
pub struct PluginFailure {
    /// Name of the plugin.
    pub plugin: String,
    /// The role that was called.
    pub role: &'static str,
    /// The reason, without secrets.
    pub reason: String,
    /// The plugin was not called because its circuit is open; its failures are logged already.
    pub circuit_open: bool,
}
