//! What a plugin written in Rust needs: a trait for each role, and a macro that exports it.
//!
//! ```
//! use guest::{Answer, Key, Matcher};
//!
//! struct Plugin;
//!
//! impl Matcher for Plugin {
//!     fn prepare(parts: &Key) -> Answer {
//!         parts.method();
//!         parts.path();
//!         Ok(())
//!     }
//! }
//!
//! guest::matcher!(Plugin);
//! ```
//!
//! # Layout
//! - this file: the roles, and the names of everything they take
//! - [`json`]: JSON values as Rust values, and back
//! - [`settings`]: a plugin's `settings` from the configuration, checked
//! - [`bindings`]: what the contract in `wit/` generates

#[doc(hidden)]
pub mod bindings;
pub mod json;
pub mod settings;

use bindings::matcher::exports::ouli::gateway::matcher::Guest as MatcherGuest;
use bindings::policy::exports::ouli::gateway::recording_policy::Guest as PolicyGuest;
use bindings::redactor::exports::ouli::gateway::redactor::Guest as RedactorGuest;

pub use bindings::matcher::ouli::gateway::host::{digest, log, placeholder};
pub use bindings::matcher::ouli::gateway::keys::Key;
pub use bindings::matcher::ouli::gateway::traffic::Message;
pub use bindings::policy::ouli::gateway::verdicts::{Conditions, Verdict};
pub use bindings::redactor::ouli::gateway::secrets::{Edit, Rules};

/// What every function of a plugin answers. The text of an error is shown to the user.
pub type Answer = Result<(), String>;

/// Says which requests are the same.
pub trait Matcher {
    /// Once in each instance, before anything else: declares the parts that the host takes by
    /// itself.
    fn prepare(parts: &Key) -> Answer;

    /// Per request, where `prepare` said [`Key::ask`]: adds the parts that need code.
    fn identify(_request: &Message, _parts: &Key) -> Answer {
        Err(unwritten("identify"))
    }
}

/// Takes secrets out before the disk.
pub trait Redactor {
    /// Once in each instance, before anything else: declares the rules that the host applies by
    /// itself.
    fn prepare(declare: &Rules) -> Answer;

    /// Per message, where `prepare` said [`Rules::ask`]: changes what needs code.
    fn redact(_what: &Message, _change: &Edit) -> Answer {
        Err(unwritten("redact"))
    }
}

/// Says what is worth recording.
pub trait RecordingPolicy {
    /// Once in each instance, before anything else: declares the conditions that the host checks
    /// by itself.
    fn prepare(declare: &Conditions) -> Answer;

    /// Per exchange, where `prepare` said [`Conditions::ask`]: skips it, tags it, or neither.
    fn decide(_request: &Message, _response: Option<&Message>, _give: &Verdict) -> Answer {
        Err(unwritten("decide"))
    }
}

/// Exports a type as the component's matcher.
#[macro_export]
macro_rules! matcher {
    ($plugin:ident) => {
        $crate::bindings::matcher::export!($plugin with_types_in $crate::bindings::matcher);
    };
}

/// Exports a type as the component's redactor.
#[macro_export]
macro_rules! redactor {
    ($plugin:ident) => {
        $crate::bindings::redactor::export!($plugin with_types_in $crate::bindings::redactor);
    };
}

/// Exports a type as the component's recording policy.
#[macro_export]
macro_rules! recording_policy {
    ($plugin:ident) => {
        $crate::bindings::policy::export!($plugin with_types_in $crate::bindings::policy);
    };
}

impl<P: Matcher> MatcherGuest for P {
    fn prepare(parts: &Key) -> Answer {
        P::prepare(parts)
    }

    fn identify(request: &Message, parts: &Key) -> Answer {
        P::identify(request, parts)
    }
}

impl<P: Redactor> RedactorGuest for P {
    fn prepare(declare: &Rules) -> Answer {
        P::prepare(declare)
    }

    fn redact(what: &Message, change: &Edit) -> Answer {
        P::redact(what, change)
    }
}

impl<P: RecordingPolicy> PolicyGuest for P {
    fn prepare(declare: &Conditions) -> Answer {
        P::prepare(declare)
    }

    fn decide(request: &Message, response: Option<&Message>, give: &Verdict) -> Answer {
        P::decide(request, response, give)
    }
}

fn unwritten(function: &str) -> String {
    format!("the plugin asks for each message, but has no `{function}`")
}
