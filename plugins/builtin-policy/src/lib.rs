//! What is not worth recording: nothing, unless the settings name it.
//!
//! Everything is declared and nothing is asked, so the host checks the conditions at native speed.

mod settings;
mod status;

use ouli_plugin::{Answer, Conditions, RecordingPolicy};
use settings::Settings;

struct Builtin;

impl RecordingPolicy for Builtin {
    fn prepare(declare: &Conditions) -> Answer {
        let settings: Settings = ouli_plugin::settings()?;
        for path in settings.paths() {
            declare.skip_path(path, &format!("path {path}"));
        }
        if settings.skip_health_checks {
            for path in settings::HEALTH_CHECKS {
                declare.skip_path(path, "health check");
            }
        }
        for method in settings.methods() {
            declare.skip_method(&method, &format!("method {method}"));
        }
        for range in &settings.skip_status {
            declare.skip_status(range.lowest, range.highest, &format!("status {range}"));
        }
        Ok(())
    }
}

ouli_plugin::recording_policy!(Builtin);
