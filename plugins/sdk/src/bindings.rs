//! The bindings that are generated from the contract in `wit/`. Each role has its own world, so
//! that a plugin exports only its own roles; all worlds share the types of the first.
#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    unused_qualifications,
    elided_lifetimes_in_paths,
    clippy::all,
    clippy::use_self,
    reason = "generated from wit/, where every function is documented"
)]

pub(crate) use matcher::exports::ouli::gateway::matcher::Guest as MatcherGuest;
pub(crate) use policy::exports::ouli::gateway::recording_policy::Guest as PolicyGuest;
pub(crate) use redactor::exports::ouli::gateway::redactor::Guest as RedactorGuest;

/// The types and functions that the rest of this crate wraps, from all worlds.
pub(crate) mod raw {
    pub(crate) use super::matcher::ouli::gateway::host::{digest, log, placeholder, settings};
    pub(crate) use super::matcher::ouli::gateway::keys::Key;
    pub(crate) use super::matcher::ouli::gateway::traffic::Message;
    pub(crate) use super::policy::ouli::gateway::verdicts::{Conditions, Verdict};
    pub(crate) use super::redactor::ouli::gateway::secrets::{Edit, Rules};
}

/// World `matcher-plugin`.
pub mod matcher {
    wit_bindgen::generate!({
        path: "wit",
        world: "matcher-plugin",
        ownership: Borrowing { duplicate_if_necessary: false },
        pub_export_macro: true,
    });
}

/// World `redactor-plugin`.
pub mod redactor {
    wit_bindgen::generate!({
        path: "wit",
        world: "redactor-plugin",
        ownership: Borrowing { duplicate_if_necessary: false },
        pub_export_macro: true,
        with: {
            "ouli:gateway/host@0.1.1": crate::bindings::matcher::ouli::gateway::host,
            "ouli:gateway/traffic@0.1.1": crate::bindings::matcher::ouli::gateway::traffic,
        },
    });
}

/// World `policy-plugin`.
pub mod policy {
    wit_bindgen::generate!({
        path: "wit",
        world: "policy-plugin",
        ownership: Borrowing { duplicate_if_necessary: false },
        pub_export_macro: true,
        with: {
            "ouli:gateway/host@0.1.1": crate::bindings::matcher::ouli::gateway::host,
            "ouli:gateway/traffic@0.1.1": crate::bindings::matcher::ouli::gateway::traffic,
        },
    });
}
