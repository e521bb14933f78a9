//! The roles that a component exports.

use wasmtime::component::{Component, InstancePre};

use super::bindings::exports::ouli::gateway::{matcher, recording_policy, redactor};
use crate::sandbox::state::State;

/// A role that a plugin has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// The interface that the plugin exports.
    pub name: &'static str,
    /// The role is called for each message; otherwise it only declares.
    pub is_called: bool,
}

/// The roles that a component exports. The positions of their functions are looked up once.
pub(crate) struct ExportedRoles {
    pub(crate) matcher: Option<matcher::GuestIndices>,
    pub(crate) redactor: Option<redactor::GuestIndices>,
    pub(crate) policy: Option<recording_policy::GuestIndices>,
}

impl ExportedRoles {
    /// Finds the roles by the exports of the component.
    ///
    /// # Errors
    /// If the types of an exported role differ from the contract.
    pub(crate) fn find(
        component: &Component,
        linked: &InstancePre<State>,
    ) -> wasmtime::Result<Self> {
        let exports = |role: &str| {
            let name = format!("ouli:gateway/{role}@0.1.1");
            component.get_export_index(None, name.as_str()).is_some()
        };
        Ok(Self {
            matcher: exports("matcher")
                .then(|| matcher::GuestIndices::new(linked))
                .transpose()?,
            redactor: exports("redactor")
                .then(|| redactor::GuestIndices::new(linked))
                .transpose()?,
            policy: exports("recording-policy")
                .then(|| recording_policy::GuestIndices::new(linked))
                .transpose()?,
        })
    }

    /// True if the component exports no role.
    pub(crate) fn is_empty(&self) -> bool {
        self.matcher.is_none() && self.redactor.is_none() && self.policy.is_none()
    }
}
