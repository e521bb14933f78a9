//! Validates a configuration without serving it.

use super::cassettes::cassette_folder;
use super::options::Options;
use super::{load, snapshot_builder};
use ouli_cassette::{CassetteDir, ChangePolicy};
use ouli_message::error_chain::error_chain;

/// All errors of the configuration, the plugins and the cassettes, one line each; empty if
/// everything is valid.
pub fn check(options: &Options) -> Vec<String> {
    let loaded = match load::load(options) {
        Ok(loaded) => loaded,
        Err(error) => return error.to_string().lines().map(str::to_owned).collect(),
    };
    let mut errors = Vec::new();
    if let Err(error) = snapshot_builder::build_snapshot(&loaded, None, 1) {
        errors.push(error.to_string());
    }
    if !loaded.config.cassettes.exists() {
        return errors;
    }
    match cassette_folder(&loaded.config) {
        Ok(folder) => check_cassettes(&folder, loaded.config.strict, &mut errors),
        Err(error) => errors.push(error.to_string()),
    }
    errors
}

fn check_cassettes(folder: &CassetteDir, strict: bool, errors: &mut Vec<String>) {
    let cassettes = match folder.list() {
        Ok(cassettes) => cassettes,
        Err(error) => return errors.push(error_chain(&error)),
    };
    for cassette in cassettes {
        let session = cassette.session.as_str();
        match folder.load(session, ChangePolicy::Mark) {
            Ok(Some(loaded)) => {
                let damage = loaded.damage.iter().chain(loaded.torn_tail.as_ref());
                errors.extend(damage.map(|damage| format!("cassette {session}: {damage}")));
                let edited = loaded.exchanges.iter().filter(|one| one.edited && strict);
                errors.extend(
                    edited.map(|one| {
                        format!("cassette {session}: exchange {} was edited", one.ordinal)
                    }),
                );
            }
            Ok(None) => {}
            Err(error) => errors.push(format!("cassette {session}: {}", error_chain(&error))),
        }
    }
}
