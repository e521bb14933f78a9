//! The built-in redactor: common secrets, and those that the settings name.
//!
//! It only declares, so the host applies the rules at native speed. Each rule has an id, and the
//! host disables rules by id: `[redaction] disabled_rules = ["json.token"]`.

mod defaults;
mod names;
mod settings;

use ouli_plugin::{Answer, Redactor, Rules};
use settings::Settings;

struct Builtin;

impl Redactor for Builtin {
    fn prepare(rules: &Rules) -> Answer {
        let settings: Settings = ouli_plugin::settings()?;
        settings.check()?;
        // The first rule for a name counts, so classes from the settings replace the default ones.
        declare_configured(&settings, rules);
        declare_defaults(rules);
        Ok(())
    }
}

ouli_plugin::redactor!(Builtin);

fn declare_configured(settings: &Settings, rules: &Rules) {
    for (name, class) in settings.headers.iter() {
        rules.header(name, class);
    }
    for (name, class) in settings.query.iter() {
        rules.query(name, class);
    }
    for (name, class) in settings.form.iter() {
        rules.form(name, class);
    }
    for (name, class) in settings.json.iter() {
        rules.json_member(name, class);
    }
    for (pointer, class) in settings.json_pointers.iter() {
        rules.json(pointer, class);
    }
    for (class, regex) in &settings.patterns {
        rules.pattern(regex, class);
    }
    for name in &settings.volatile_headers {
        rules.volatile_header(name);
    }
}

fn declare_defaults(rules: &Rules) {
    for (class, name) in defaults::names(defaults::HEADERS) {
        rules.header(name, class);
    }
    for (class, name) in defaults::names(defaults::QUERY) {
        rules.query(name, class);
    }
    for (class, name) in defaults::names(defaults::PAIRS) {
        rules.query(name, class);
        rules.form(name, class);
    }
    for (class, name) in defaults::names(defaults::JSON) {
        rules.json_member(name, class);
    }
    for (class, regex) in defaults::PATTERNS {
        rules.pattern(regex, class);
    }
    for name in defaults::VOLATILE {
        rules.volatile_header(name);
    }
}
