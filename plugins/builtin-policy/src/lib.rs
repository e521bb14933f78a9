//! The built-in recording policy: everything is recorded, except what the settings skip.
//!
//! It only declares, so the host checks the conditions at native speed.

mod settings;
mod status;

use ouli_plugin::{Answer, Conditions, RecordingPolicy};
use settings::Settings;

struct Builtin;

impl RecordingPolicy for Builtin {
    fn prepare(conditions: &Conditions) -> Answer {
        let settings: Settings = ouli_plugin::settings()?;
        for path in settings.paths() {
            conditions.skip_path(path, &format!("path {path}"));
        }
        if settings.skip_health_checks {
            for path in settings::HEALTH_CHECKS {
                conditions.skip_path(path, "health check");
            }
        }
        for method in settings.methods() {
            conditions.skip_method(&method, &format!("method {method}"));
        }
        for range in &settings.skip_status {
            conditions.skip_status(range.lowest, range.highest, &format!("status {range}"));
        }
        Ok(())
    }
}

ouli_plugin::recording_policy!(Builtin);
