//! One generation as it was read from disk: the configuration, the plugins and the descriptor sets,
//! each in its last good version.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::desired_plugins::DesiredPlugin;
use super::proto_descriptors::ProtoDescriptors;
use super::tls_settings::TlsSettings;
use crate::session::Comparison;
use ouli_codec::grpc::Schema;
use ouli_config::{CommandLine, Config, LIMITS};
use ouli_plugin::{Plugin, Source};

/// The configuration, the plugins and the descriptor sets.
#[derive(Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Arc<Config>,
    /// The configuration at the start, of which some settings stay in force.
    pub(super) started: Arc<Config>,
    /// The command with which the gateway was started.
    pub(super) command: Arc<CommandLine>,
    pub(super) config_text: Option<String>,
    pub(super) plugins: Vec<PluginSlot>,
    pub(super) descriptors: ProtoDescriptors,
    pub(super) tls: TlsSettings,
    /// Rejected versions, kept so that the same failure is not logged again.
    pub(super) rejected: BTreeMap<String, RejectedVersion>,
    /// The plugins that should be in force.
    pub(super) desired: Vec<DesiredPlugin>,
    /// A desired plugin is not loaded yet.
    pub(super) is_pending: bool,
    /// Why the configuration on disk is not in force.
    pub(super) config_error: Option<String>,
}

/// A plugin in its last good version.
#[derive(Clone)]
pub(super) struct PluginSlot {
    pub(super) source: Source,
    pub(super) plugin: Arc<Plugin>,
    /// The previous good version, used if this one fails.
    pub(super) fallback: Option<(Source, Arc<Plugin>)>,
    /// The result of the shadow comparison with the previous version.
    pub(super) comparison: Option<Comparison>,
}

/// A version of a plugin that was rejected or rolled back.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RejectedVersion {
    pub(super) source: Source,
    /// The stage that failed: `validate`, `compile`, `link`, `probe`, `shadow` or `live`.
    pub(super) stage: &'static str,
    pub(super) reason: String,
    /// The file is no plugin, and the configuration does not name it.
    pub(super) is_skipped: bool,
}

/// The value of a setting as text.
type Value = fn(&Config) -> String;

impl Loaded {
    /// The message types of the descriptor sets.
    pub fn schema(&self) -> Schema {
        self.descriptors.schema().clone()
    }

    /// The plugins, in the order in which they are called.
    pub fn plugins(&self) -> Vec<Arc<Plugin>> {
        let slots = self.plugins.iter();
        slots.map(|slot| Arc::clone(&slot.plugin)).collect()
    }

    /// True if the same plugins are in force and rejected.
    pub(super) fn has_plugins_of(&self, other: &Self) -> bool {
        let in_force = |loaded: &Self| {
            let slots = loaded.plugins.iter();
            slots
                .map(|slot| Arc::as_ptr(&slot.plugin))
                .collect::<Vec<_>>()
        };
        in_force(self) == in_force(other) && self.rejected == other.rejected
    }

    /// Logs the settings that were changed, differ from those in force and need a restart.
    pub(super) fn warn_restart_needed(&self, previous: &Self) {
        let (new, old, started) = (&self.config, &previous.config, &self.started);
        let is_new = |value: Value| value(new) != value(old) && value(new) != value(started);
        let settings: [(&str, Value); 4] = [
            ("cassettes", |config| config.cassettes.display().to_string()),
            ("fsync", |config| format!("{:?}", config.fsync)),
            ("log_format", |config| format!("{:?}", config.log_format)),
            ("[redaction] env", |config| {
                format!("{:?}", config.redaction.env)
            }),
        ];
        for (key, _) in settings.iter().filter(|(_, value)| is_new(*value)) {
            tracing::warn!("`{key}` changed: restart the gateway to apply it");
        }
        let limits = LIMITS.iter().flat_map(|group| group.rows);
        for limit in limits.filter(|limit| limit.is_restart_only()) {
            let value = |config: &Arc<Config>| limit.format_value(&config.limits);
            if value(new) != value(old) && value(new) != value(started) {
                let key = limit.key;
                tracing::warn!("`limits.{key}` changed: restart the gateway to apply it");
            }
        }
    }
}
