//! The SDK for plugins in Rust: a trait for each role, a macro that exports it, and a test harness
//! that needs no gateway.
//!
//! ```
//! use ouli_plugin::{Answer, Key, Matcher, Message};
//!
//! struct ByTenant;
//!
//! impl Matcher for ByTenant {
//!     fn prepare(key: &Key) -> Answer {
//!         key.method();
//!         key.path();
//!         key.ask();
//!         Ok(())
//!     }
//!
//!     fn identify(request: &Message, key: &Key) -> Answer {
//!         if let Some(tenant) = request.header_text("x-tenant") {
//!             key.part("tenant", tenant);
//!         }
//!         Ok(())
//!     }
//! }
//!
//! ouli_plugin::matcher!(ByTenant);
//! ```
//!
//! # Layout
//! - `matcher`, `redactor`, `policy`: the roles, each with its trait and the type it writes to
//! - `message`: requests, responses and parts of streams
//! - `host`: functions that the gateway provides to every plugin
//! - [`json`]: conversion between JSON text and Rust values
//! - `settings`: the plugin's `settings` from the configuration
//! - `bindings`: generated from the contract in `wit/`; only on WebAssembly
//! - `testing`: the same functions in memory, and the test harness; on all other targets

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
#[macro_use]
mod handle;
mod host;
pub mod json;
mod matcher;
mod message;
mod policy;
mod redactor;
mod settings;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

#[cfg(target_family = "wasm")]
use bindings::raw;
#[cfg(not(target_family = "wasm"))]
use testing::raw;

pub use host::{Level, digest, log, placeholder};
pub use matcher::{Key, Matcher};
pub use message::Message;
pub use policy::{Conditions, RecordingPolicy, Verdict};
pub use redactor::{Edit, Redactor, Rules};
pub use settings::{parse_settings, settings};

/// The result of every function of a plugin. The text of an error is shown to the user.
pub type Answer = Result<(), String>;

fn not_implemented(function: &str) -> String {
    format!("the plugin asks for each message, but does not implement `{function}`")
}
