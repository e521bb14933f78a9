//! The secrets that most programs send, and those that the settings name.
//!
//! Everything is declared and nothing is asked, so the host applies the rules at native speed.
//! Each rule has an id, and `[redaction] off = ["json.token"]` switches it off: that is the host's
//! business, for the rules of every plugin alike.

mod defaults;
mod names;
mod settings;

use ouli_plugin::{Answer, Redactor, Rules};
use settings::Settings;

struct Builtin;

impl Redactor for Builtin {
    fn prepare(declare: &Rules) -> Answer {
        let settings: Settings = ouli_plugin::settings()?;
        settings.check()?;
        // The first of two rules for one name counts: own classes replace those of the defaults.
        declare_own(&settings, declare);
        declare_defaults(declare);
        Ok(())
    }
}

ouli_plugin::redactor!(Builtin);

fn declare_own(settings: &Settings, declare: &Rules) {
    for (name, class) in settings.headers.each() {
        declare.header(name, class);
    }
    for (name, class) in settings.query.each() {
        declare.query(name, class);
    }
    for (name, class) in settings.form.each() {
        declare.form(name, class);
    }
    for (name, class) in settings.json.each() {
        declare.json_member(name, class);
    }
    for (pointer, class) in settings.json_pointers.each() {
        declare.json(pointer, class);
    }
    for (class, regex) in &settings.patterns {
        declare.pattern(regex, class);
    }
    for name in &settings.volatile_headers {
        declare.volatile_header(name);
    }
}

fn declare_defaults(declare: &Rules) {
    for (class, name) in defaults::each(defaults::HEADERS) {
        declare.header(name, class);
    }
    for (class, name) in defaults::each(defaults::QUERY) {
        declare.query(name, class);
    }
    for (class, name) in defaults::each(defaults::PAIRS) {
        declare.query(name, class);
        declare.form(name, class);
    }
    for (class, name) in defaults::each(defaults::JSON) {
        declare.json_member(name, class);
    }
    for (class, regex) in defaults::PATTERNS {
        declare.pattern(regex, class);
    }
    for name in defaults::VOLATILE {
        declare.volatile_header(name);
    }
}
