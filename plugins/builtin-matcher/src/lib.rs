//! The built-in matcher, for requests that no other matcher decides about: requests are equal if
//! endpoint, method, path, query, the headers that select a response and body are equal.
//!
//! It only declares, so the host computes the key at native speed.

mod defaults;
mod settings;

use ouli_plugin::{Answer, Key, Matcher};
use settings::Settings;

struct Builtin;

impl Matcher for Builtin {
    fn prepare(key: &Key) -> Answer {
        let settings: Settings = ouli_plugin::settings()?;
        settings.check()?;
        declare(&settings, key);
        Ok(())
    }
}

ouli_plugin::matcher!(Builtin);

/// The report of a miss shows the parts in this order: coarse parts first.
fn declare(settings: &Settings, key: &Key) {
    key.endpoint();
    if settings.authority {
        key.authority();
    }
    key.method();
    key.path();
    key.query(&settings.excluded_query());
    for name in settings.named_headers() {
        key.header(name);
    }
    for name in settings.selecting_headers() {
        key.header(name);
    }
    if settings.all_headers() {
        key.headers(&settings.excluded_headers());
    }
    key.vary(&settings.excluded_variants());
    key.body(&settings.excluded_body());
}
