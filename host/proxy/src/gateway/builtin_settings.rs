//! All errors of the settings of a built-in plugin. A plugin reports the first one alone, so each
//! setting is tried for itself.

use serde_json::{Map, Value};

use super::plugin_swap::PluginSwap;
use ouli_plugin::Source;

/// Maximum number of settings that are tried.
const MAX_TRIED: usize = 200;

/// The errors of the settings of a built-in plugin that was rejected, a line each. Each has its
/// place, which `place_of` finds by the path. Empty for another plugin, and if each setting is
/// valid alone.
pub(super) fn errors(
    swap: &PluginSwap<'_>,
    source: &Source,
    place_of: impl Fn(&[&str]) -> Option<String>,
) -> Vec<String> {
    let Some(section) = source.name.strip_prefix("builtin:") else {
        return Vec::new();
    };
    let Ok(settings) = serde_json::from_str::<Map<String, Value>>(&source.settings) else {
        return Vec::new();
    };
    let parts = settings.iter().flat_map(|(key, value)| parts(key, value));
    let mut errors = Vec::new();
    for part in parts.take(MAX_TRIED) {
        let Err(reason) = swap.try_settings(source, part.settings()) else {
            continue;
        };
        let Part { key, step, .. } = &part;
        let path = [Some(section), Some(key), step.as_deref()];
        let path: Vec<_> = path.into_iter().flatten().collect();
        // A single value stands for a list of one.
        let place = place_of(&path).or_else(|| place_of(&path[..2]));
        let place = place.unwrap_or_else(|| "configuration".to_owned());
        let error = format!("{place}: {section}.{key}: {reason}");
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
    errors
}

/// A setting, or one value of it.
struct Part {
    key: String,
    /// The key or number of the value in the setting.
    step: Option<String>,
    value: Value,
}

impl Part {
    /// Settings with this part alone.
    fn settings(&self) -> String {
        let settings = Map::from_iter([(self.key.clone(), self.value.clone())]);
        Value::Object(settings).to_string()
    }
}

/// The values of a setting, each for itself.
fn parts(key: &str, value: &Value) -> Vec<Part> {
    let part = |step: Option<String>, value| Part {
        key: key.to_owned(),
        step,
        value,
    };
    match value {
        Value::Array(items) if !items.is_empty() => {
            let items = items.iter().enumerate();
            let one = |(index, item): (usize, &Value)| {
                part(Some(index.to_string()), Value::Array(vec![item.clone()]))
            };
            items.map(one).collect()
        }
        Value::Object(members) if !members.is_empty() => {
            let one = |(name, member): (&String, &Value)| {
                let members = Map::from_iter([(name.clone(), member.clone())]);
                part(Some(name.clone()), Value::Object(members))
            };
            members.iter().map(one).collect()
        }
        value => vec![part(None, value.clone())],
    }
}
