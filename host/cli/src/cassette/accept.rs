//! `cassette accept`: accepts the edits of a cassette.

use super::session_argument::session_name;
use crate::args::Cli;
use crate::exit_status::{EXIT_OK, usage_error};
use crate::output::outln;
use crate::{environment, telemetry};
use ouli_config::LogFormat;
use ouli_proxy::gateway;

/// Gives edited exchanges new digests, and prints their numbers.
pub(in super::super) fn accept(cli: &Cli, argument: &str) -> u8 {
    telemetry::init(LogFormat::Text);
    let options = environment::options(cli);
    let accepted = session_name(&options, argument)
        .and_then(|session| Ok((gateway::accept_edits(&options, &session)?, session)));
    match accepted {
        Ok((accepted, session)) if accepted.is_empty() => {
            outln!("no exchange of the session {session} is edited");
            EXIT_OK
        }
        Ok((accepted, session)) => {
            let ordinals: Vec<_> = accepted.iter().map(u64::to_string).collect();
            outln!(
                "session {session}: accepted exchange {}",
                ordinals.join(", ")
            );
            EXIT_OK
        }
        Err(reason) => usage_error(&reason),
    }
}
