//! Which requests are the same, where no other matcher says so: those with the same endpoint,
//! method, path, query and body.
//!
//! Everything is declared and nothing is asked, so the host takes these parts at native speed.

mod defaults;
mod settings;

use ouli_plugin::{Answer, Key, Matcher};
use settings::Settings;

struct Builtin;

impl Matcher for Builtin {
    fn prepare(parts: &Key) -> Answer {
        let settings: Settings = ouli_plugin::settings()?;
        settings.check()?;
        declare(&settings, parts);
        Ok(())
    }
}

ouli_plugin::matcher!(Builtin);

/// The parts come in the order in which a reader of a miss wants them: the coarse ones first.
fn declare(settings: &Settings, parts: &Key) {
    parts.endpoint();
    if settings.authority {
        parts.authority();
    }
    parts.method();
    parts.path();
    parts.query(&settings.query_but());
    for name in settings.named_headers() {
        parts.header(name);
    }
    if settings.all_headers() {
        parts.headers(&settings.headers_but());
    }
    parts.body(&settings.body_but());
}
