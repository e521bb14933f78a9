//! WebAssembly plugins: loads components, calls them, and keeps them within their limits.
//!
//! Other crates do not use WebAssembly types: [`Plugins`] returns keys, redacted exchanges and
//! decisions.
//!
//! A plugin declares in `prepare` what the host does by itself. Only a plugin that asks for it is
//! called for each request.
//!
//! # Layout
//! - `contract/`: the interfaces in `wit/`, the roles of a component and what they declare
//! - `sandbox/`: the environment of a guest: store data, WASI, time, memory, log
//! - `run/`: instances, their pool and calls, failures, usage
//! - `load/`: validate, compile, link, prepare, self-test

mod bounds;
pub mod builtin;
mod condition;
mod contract;
mod error;
mod key_parts;
mod load;
mod match_key;
mod plugin;
mod plugins;
mod run;
mod sandbox;
mod source;

pub use bounds::Bounds;
pub use contract::roles::Role;
pub use error::{PluginError, PluginFailure};
pub use load::compiler_process as compiler;
pub use load::engine::{self, CompileOptions, Engine};
pub use load::import_policy::Grant;
pub use load::requirements::Requirements;
pub use match_key::MatchKey;
pub use ouli_redaction::{ConversationMessage, RedactedExchange};
pub use plugin::Plugin;
pub use plugins::{Decision, Plugins};
pub use run::guest_call::GuestCall;
pub use run::usage::UsageSnapshot;
pub use source::Source;
