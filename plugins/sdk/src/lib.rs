//! What a plugin written in Rust needs: a trait for each role, a macro that exports it, and a
//! harness that tests it without a gateway.
//!
//! ```
//! use ouli_plugin::{Answer, Key, Matcher, Message};
//!
//! struct ByTenant;
//!
//! impl Matcher for ByTenant {
//!     fn prepare(parts: &Key) -> Answer {
//!         parts.method();
//!         parts.path();
//!         parts.ask();
//!         Ok(())
//!     }
//!
//!     fn identify(request: &Message, parts: &Key) -> Answer {
//!         if let Some(host) = request.header_text("x-tenant") {
//!             parts.part("tenant", host);
//!         }
//!         Ok(())
//!     }
//! }
//!
//! ouli_plugin::matcher!(ByTenant);
//! ```
//!
//! # Layout
//! - `matcher`, `redactor`, `policy`: the roles, each with its trait and what it answers through
//! - `message`: what a plugin sees of the traffic
//! - `host`: what the gateway offers to every plugin
//! - [`json`]: JSON values as Rust values, and back
//! - `settings`: a plugin's `settings` from the configuration, checked
//! - `bindings`: what the contract in `wit/` generates; there on WebAssembly alone
//! - `testing`: the same in memory, and the harness; there everywhere else

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

/// What every function of a plugin answers. The text of an error is shown to the user.
pub type Answer = Result<(), String>;

fn unwritten(function: &str) -> String {
    format!("the plugin asks for each message, but has no `{function}`")
}
