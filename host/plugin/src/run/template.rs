//! What is needed to start instances of one plugin.

use std::sync::Arc;

use wasmtime::component::InstancePre;

use super::usage::UsageCounters;
use crate::Bounds;
use crate::contract::roles::ExportedRoles;
use crate::sandbox::log::PluginLog;
use crate::sandbox::state::State;

/// What is needed to start instances of one plugin.
pub(crate) struct InstanceTemplate {
    pub(crate) instance_pre: InstancePre<State>,
    pub(crate) roles: ExportedRoles,
    pub(crate) settings: Arc<str>,
    /// SHA-256 of the component.
    pub(crate) hash: [u8; 32],
    pub(crate) bounds: Bounds,
    pub(crate) log: Arc<PluginLog>,
    pub(crate) usage: Arc<UsageCounters>,
    /// The component is a snapshot of a prepared instance: new instances do not run `prepare`.
    pub(crate) is_snapshot: bool,
}
