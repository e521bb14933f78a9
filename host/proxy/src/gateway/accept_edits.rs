//! Accepts the edits of a cassette, after the guard.

use super::cassettes::cassette_folder;
use super::environment_secrets;
use super::load::load_config;
use super::options::Options;
use ouli_cassette::{AcceptError, CheckRejection, WriteCheck};
use ouli_message::error_chain::error_chain;
use ouli_redaction::{Guard, Secrets};

/// Gives the edited exchanges of a session new digests and returns their ordinals. The guard checks
/// them as if they were recorded.
///
/// # Errors
/// Why the configuration, the cassette or an edit is not accepted.
pub fn accept_edits(options: &Options, session: &str) -> Result<Vec<u64>, String> {
    let config = load_config(options).map_err(|error| error.to_string())?;
    let folder = cassette_folder(&config).map_err(|error| error.to_string())?;
    let secrets = Secrets::default();
    for (name, value) in environment_secrets::read(&config, options.environment) {
        secrets.register_env(&name, value.as_bytes());
    }
    let check = EditCheck {
        guard: Guard::new(&config.redaction.disabled_rules),
        secrets,
    };
    let accepted = folder.accept_edits(session, &check);
    accepted.map_err(|error| match error {
        AcceptError::NoCassette => format!(
            "no cassette {session} in {}; run `ouli-gateway cassette list` to list the cassettes",
            folder.root().display()
        ),
        error => error_chain(&error),
    })
}

/// The guard with the secrets of the environment.
#[derive(Debug)]
struct EditCheck {
    guard: Guard,
    secrets: Secrets,
}

impl WriteCheck for EditCheck {
    fn check(&self, bytes: &[u8]) -> Result<(), CheckRejection> {
        let scanned = self.guard.scan(bytes, &self.secrets);
        scanned.map_err(|rejection| CheckRejection {
            reason: rejection.to_string(),
            rule: rejection.rule,
        })
    }
}
