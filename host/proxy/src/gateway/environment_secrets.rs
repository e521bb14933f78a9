//! The environment variables whose values are secrets (`[redaction] env`).

use super::error::StartError;
use super::options::Options;
use ouli_config::{Config, Mode};
use ouli_redaction::{PlaceholderKey, Secrets};

/// A function that looks up an environment variable.
type Environment = fn(&str) -> Option<String>;

/// Names and values. A variable that cannot be used is logged; [`check`] has passed.
pub(super) fn read(config: &Config, environment: Environment) -> Vec<(String, String)> {
    let names = config.redaction.env.iter();
    names
        .filter_map(|name| match value(name, environment) {
            Ok(value) => Some((name.clone(), value)),
            Err(problem) => {
                tracing::warn!("{problem}");
                None
            }
        })
        .collect()
}

/// The variable with the key of the placeholders.
const KEY: &str = "OULI_REDACTION_KEY";

/// The key of the placeholders, if there is one.
///
/// # Errors
/// If it is too short.
pub(super) fn placeholder_key(
    environment: Environment,
) -> Result<Option<PlaceholderKey>, StartError> {
    let Some(key) = environment(KEY).filter(|key| !key.is_empty()) else {
        return Ok(None);
    };
    let (known, least) = (PlaceholderKey::new(key.as_bytes()), PlaceholderKey::MIN_LEN);
    let problem =
        || format!("{KEY} is too short: use at least {least} random characters, or unset it");
    let known = known.ok_or_else(|| StartError::Environment(vec![problem()]))?;
    Ok(Some(known))
}

/// Checks that each variable can be searched for, if an endpoint records: otherwise its value would
/// be written to a cassette.
///
/// # Errors
/// All variables that cannot.
pub(super) fn check(config: &Config, options: &Options) -> Result<(), StartError> {
    let records = |mode: Mode| matches!(mode, Mode::Record | Mode::Auto);
    if !config.endpoints.iter().any(|it| records(it.mode)) {
        return Ok(());
    }
    let problems = problems(config, options);
    match problems.is_empty() {
        true => Ok(()),
        false => Err(StartError::Environment(problems)),
    }
}

/// Why variables cannot be searched for, a line each.
pub(super) fn problems(config: &Config, options: &Options) -> Vec<String> {
    let names = config.redaction.env.iter();
    names
        .filter_map(|name| value(name, options.environment).err())
        .collect()
}

fn value(name: &str, environment: Environment) -> Result<String, String> {
    let value = environment(name).filter(|value| !value.is_empty());
    let Some(value) = value else {
        return Err(format!(
            "redaction.env: {name} is not set, so that its value cannot be found in recordings; \
             set it, or remove it from `env`"
        ));
    };
    match Secrets::default().register_env(name, value.as_bytes()) {
        true => Ok(value),
        false => Err(format!(
            "redaction.env: the value of {name} is too short or too common to be found in \
             recordings: it needs 6 bytes, 3 of them different, and may not be a usual word; use \
             another value, or remove {name} from `env`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::gateway::ConfigSource;
    use ouli_config::Override;

    fn environment(name: &str) -> Option<String> {
        match name {
            "GOOD" => Some("correct horse".to_owned()),
            "SHORT" => Some("abc".to_owned()),
            "COMMON" => Some("password".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn config(mode: &str) -> Config {
        let text = "[redaction]\nenv = [\"GOOD\", \"SHORT\", \"COMMON\", \"EMPTY\", \"TYPO\"]";
        let flags = [
            Override::text("mode", mode),
            Override::text("endpoint.upstream", "http://a.test"),
        ];
        Config::from_sources(Some((Path::new("ouli.toml"), text)), &flags, Path::new("/")).unwrap()
    }

    #[test]
    fn a_gateway_that_records_needs_every_variable() {
        let options = Options {
            environment,
            ..Options::new(ConfigSource::Default, "/")
        };
        for (mode, is_accepted) in [
            ("record", false),
            ("auto", false),
            ("replay", true),
            ("passthrough", true),
        ] {
            let config = config(mode);
            assert_eq!(check(&config, &options).is_ok(), is_accepted, "{mode}");
            let read = read(&config, environment);
            assert_eq!(read, [("GOOD".to_owned(), "correct horse".to_owned())]);
            let problems = problems(&config, &options);
            let reasons = [
                "the value of SHORT is too short",
                "the value of COMMON is too short or too common",
                "EMPTY is not set",
                "TYPO is not set",
            ];
            assert_eq!(problems.len(), reasons.len());
            for (problem, reason) in problems.iter().zip(reasons) {
                assert!(problem.contains(reason), "{problem}");
                assert!(!problem.contains("abc") && !problem.contains("password"));
            }
        }
    }
}
