//! Runs a plugin's code in a unit test, without a gateway and without WebAssembly.
//!
//! A test makes messages, calls a role, and checks what the plugin declared and returned:
//!
//! ```
//! use ouli_plugin::testing::{self, Part, json};
//! use ouli_plugin::{Answer, Key, Matcher, Message};
//!
//! struct ByTenant;
//!
//! impl Matcher for ByTenant {
//!     fn prepare(key: &Key) -> Answer {
//!         key.body(&["/nonce"]);
//!         key.ask();
//!         Ok(())
//!     }
//!
//!     fn identify(request: &Message, key: &Key) -> Answer {
//!         for tenant in request.header("x-tenant") {
//!             key.part("tenant", tenant);
//!         }
//!         Ok(())
//!     }
//! }
//!
//! let request = testing::request("POST", "/orders?page=1")
//!     .header("x-tenant", "acme")
//!     .json(json!({"item": 1, "nonce": "a"}));
//! let key = testing::identify::<ByTenant>(&request)?;
//! assert_eq!(key.part("tenant"), Some("acme".as_bytes()));
//! assert_eq!(key.declared(), [Part::body(&["/nonce"])]);
//! assert_eq!(key.to_string(), "body except /nonce; tenant = acme");
//! # Ok::<(), String>(())
//! ```
//!
//! Whatever ends a call in the gateway is an error here: a method in the wrong function, such as
//! `ask` in `identify`, an invalid class, an invalid pointer.
//!
//! Only the plugin's code runs. Declared rules, parts and conditions are listed, not applied; keys
//! are not hashed; edits are listed, not checked and not applied; requests are not redacted; there
//! are no limits. `ouli-gateway plugin test` runs the component with all of that.

mod environment;
mod matcher;
mod pointer;
mod policy;
mod redactor;
mod sample;

pub use environment::{Placeholder, log, with_settings};
pub use matcher::{Identified, Part, identify};
pub use policy::{Condition, Decided, decide};
pub use redactor::{Change, Redacted, Rule, redact};
pub use sample::{Sample, part, request, response};
pub use serde_json::{Value, json};

/// The types and functions that the rest of this crate wraps on targets other than WebAssembly.
pub(crate) mod raw {
    pub(crate) use super::environment::{digest, placeholder, settings, write_line as log};
    pub(crate) use super::matcher::Key;
    pub(crate) use super::policy::{Conditions, Verdict};
    pub(crate) use super::redactor::{Edit, Rules};
    pub(crate) use super::sample::Message;
}
