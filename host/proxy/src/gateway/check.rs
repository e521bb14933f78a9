//! Validates a configuration, its plugins and its cassettes without serving them.

use super::cassettes::cassette_folder;
use super::error::StartError;
use super::options::Options;
use super::{environment_secrets, load, snapshot_builder};
use ouli_cassette::{CassetteDir, ChangePolicy, LoadedCassette, RecordedExchange};
use ouli_message::Content;
use ouli_message::error_chain::error_chain;

/// All errors of the configuration, the plugins and the cassettes, one line each; empty if
/// everything is valid.
pub fn check(options: &Options) -> Vec<String> {
    let (loaded, start_errors) = match load::load_with_errors(options) {
        Ok(loaded) => loaded,
        Err(error) => return lines(&error),
    };
    let mut errors: Vec<_> = start_errors.iter().flat_map(lines).collect();
    errors.extend(loaded.tls.expired());
    if environment_secrets::check(&loaded.config, options).is_ok() {
        // A replay starts without them, a recording will not.
        errors.extend(environment_secrets::problems(&loaded.config, options));
    }
    if !start_errors.is_empty() {
        snapshot_builder::warn_of_unknown_rules(&loaded);
    } else if let Err(error) = snapshot_builder::build_snapshot(&loaded, None, 1) {
        errors.push(error.to_string());
    }
    let cassettes = &loaded.config.cassettes;
    if !cassettes.exists() && !cassettes.is_symlink() {
        return errors;
    }
    match cassette_folder(&loaded.config) {
        Ok(folder) => check_cassettes(&folder, loaded.config.strict, &mut errors),
        Err(error) => errors.push(error.to_string()),
    }
    errors
}

fn lines(error: &StartError) -> Vec<String> {
    error.to_string().lines().map(str::to_owned).collect()
}

fn check_cassettes(folder: &CassetteDir, strict: bool, errors: &mut Vec<String>) {
    let cassettes = match folder.list() {
        Ok(cassettes) => cassettes,
        Err(error) => return errors.push(error_chain(&error)),
    };
    for cassette in cassettes {
        let session = cassette.session.as_str();
        let mut add = |problem: String| errors.push(format!("cassette {session}: {problem}"));
        folder
            .incomplete_reason(session)
            .into_iter()
            .for_each(&mut add);
        match folder.load(session, ChangePolicy::Mark) {
            Ok(Some(loaded)) => check_cassette(folder, session, &loaded, strict, &mut add),
            Ok(None) => {}
            Err(error) => add(error_chain(&error)),
        }
    }
}

fn check_cassette(
    folder: &CassetteDir,
    session: &str,
    loaded: &LoadedCassette,
    strict: bool,
    add: &mut dyn FnMut(String),
) {
    for damage in loaded.damage.iter().chain(loaded.torn_tail.as_ref()) {
        add(format!("{damage}; {RESTORE}"));
    }
    for recorded in &loaded.exchanges {
        let ordinal = recorded.ordinal;
        if recorded.edited && strict {
            add(format!("exchange {ordinal} was edited"));
        }
        for digest in stored(recorded) {
            if let Err(error) = folder.read_body(session, digest) {
                add(format!(
                    "exchange {ordinal}: the stored body {digest}: {error}; {RESTORE}"
                ));
            }
        }
    }
}

/// The digests of the stored bodies of an exchange.
fn stored(recorded: &RecordedExchange) -> impl Iterator<Item = &str> {
    recorded
        .exchange
        .contents()
        .filter_map(|content| match content {
            Content::Stored { digest, .. } => Some(digest.as_str()),
            Content::Inline(_) => None,
        })
}

const RESTORE: &str = "restore it from version control, or record it again";
