//! What a report needs to know of the running gateway, so that its advice fits.

use serde_json::{Map, Value};

use super::change::Change;
use super::settings_text;

/// What a report needs to know of the running gateway.
#[derive(Clone, Debug, Default)]
pub struct Guidance {
    /// The command that records the session anew.
    pub record_command: String,
    /// The command that records what is missing and keeps the rest.
    pub auto_command: String,
    /// The command that accepts the edits of the session's cassette.
    pub accept_command: String,
    /// The listener takes any free port, so another gateway that is started by hand is not the one
    /// that the client talks to.
    pub chooses_port: bool,
    /// The configuration file in which settings are changed.
    pub config_file: String,
    /// The settings of `[matcher]` in force.
    pub matcher: Map<String, Value>,
    /// Flags set some of `[matcher]`, so that the file does not decide.
    pub matcher_by_flags: bool,
}

/// Settings under which a recorded request matches. They were tried on both requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// The exchange that matches then.
    pub exchange: usize,
    /// The whole section `[matcher]`, existing settings included.
    pub section: String,
    /// The changed settings as flags.
    pub flags: String,
    /// The text to show: what to do with the section. None if only flags have an effect.
    pub instruction: Option<String>,
    /// Further recorded exchanges that match then.
    pub also_matches: Vec<usize>,
    /// No request body is compared then.
    pub ignores_bodies: bool,
    /// They say that the client makes a value up, which the user has to know.
    pub mints: bool,
}

impl Remedy {
    pub(super) fn new(
        guidance: &Guidance,
        exchange: usize,
        changes: &[Change],
        also_matches: Vec<usize>,
    ) -> Self {
        let mut settings = guidance.matcher.clone();
        for change in changes {
            change.apply_to_settings(&mut settings);
        }
        let keys: Vec<_> = changes.iter().map(Change::setting).collect();
        let file = &guidance.config_file;
        let instruction = if guidance.matcher.is_empty() {
            format!("put into {file}")
        } else {
            format!("replace [matcher] in {file} by")
        };
        Self {
            exchange,
            section: settings_text::section(&settings),
            flags: settings_text::flags(&settings, &keys),
            instruction: (!guidance.matcher_by_flags).then_some(instruction),
            also_matches,
            ignores_bodies: changes.contains(&Change::ignore_body(String::new())),
            mints: changes
                .iter()
                .any(|change| matches!(change, Change::Mint(_))),
        }
    }

    /// What else the settings do, in parentheses; empty if nothing is known.
    pub(super) fn side_effects(&self) -> String {
        let mut effects = Vec::new();
        if self.mints {
            effects.push("if the client makes this value up".to_owned());
        }
        if self.ignores_bodies {
            effects.push("no request body is compared then".to_owned());
        }
        match self.also_matches.as_slice() {
            [] => {}
            [one] => effects.push(format!("exchange {one} matches then too")),
            several => {
                let names: Vec<_> = several.iter().map(ToString::to_string).collect();
                effects.push(format!("exchanges {} match then too", names.join(", ")));
            }
        }
        match effects.as_slice() {
            [] => String::new(),
            effects => format!(" ({})", effects.join("; ")),
        }
    }
}
