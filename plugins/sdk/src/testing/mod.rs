//! Runs a plugin's code in a unit test, without a gateway and without WebAssembly.
//!
//! A test makes messages, calls a role, and looks at what the plugin declared and answered:
//!
//! ```
//! use ouli_plugin::testing::{self, Part, json};
//! use ouli_plugin::{Answer, Key, Matcher, Message};
//!
//! struct ByTenant;
//!
//! impl Matcher for ByTenant {
//!     fn prepare(parts: &Key) -> Answer {
//!         parts.body(&["/nonce"]);
//!         parts.ask();
//!         Ok(())
//!     }
//!
//!     fn identify(request: &Message, parts: &Key) -> Answer {
//!         for tenant in request.header("x-tenant") {
//!             parts.part("tenant", tenant);
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
//! assert_eq!(key.to_string(), "body but /nonce; tenant = acme");
//! # Ok::<(), String>(())
//! ```
//!
//! What ends a call in the gateway is an error here: a method in the wrong function, such as `ask`
//! in `identify`, a class that is none, a pointer that is none.
//!
//! It runs the plugin's code and nothing of the gateway's: declared rules, parts and conditions are
//! shown, not applied; keys are not hashed; edits are listed, neither checked nor made; a request
//! is shown as it was written, not redacted; there are no limits. For all that there is
//! `ouli-gateway plugin test`, which runs the component.

mod deciding;
mod matching;
mod pointer;
mod redacting;
mod sample;
mod stage;

pub use deciding::{Condition, Decided, decide};
pub use matching::{Identified, Part, identify};
pub use redacting::{Change, Redacted, Rule, redact};
pub use sample::{Sample, part, request, response};
pub use serde_json::{Value, json};
pub use stage::{StandIn, log, with_settings};

/// What the rest of this crate wraps where there is no WebAssembly.
pub(crate) mod raw {
    pub(crate) use super::deciding::{Conditions, Verdict};
    pub(crate) use super::matching::Key;
    pub(crate) use super::redacting::{Edit, Rules};
    pub(crate) use super::sample::Message;
    pub(crate) use super::stage::{digest, placeholder, settings, write_line as log};
}
