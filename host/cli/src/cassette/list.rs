//! `cassette list`: the cassettes with their sizes.

use super::open::open;
use crate::args::Cli;
use crate::exit_status::{EXIT_FAILED, EXIT_OK, usage_error};
use crate::output::{errln, outln};
use ouli_cassette::{ChangePolicy, Summary};
use ouli_message::error_chain::error_chain;

/// Prints one line for each cassette. Fails if a part of one cannot be read.
pub(in super::super) fn list(cli: &Cli) -> u8 {
    let (config, folder) = match open(cli) {
        Ok(opened) => opened,
        Err(reason) => return usage_error(&reason),
    };
    let cassettes = match folder.list() {
        Ok(cassettes) => cassettes,
        Err(error) => return usage_error(&error_chain(&error)),
    };
    if cassettes.is_empty() {
        outln!("no cassette in {}", config.cassettes.display());
        return EXIT_OK;
    }
    let mut status = EXIT_OK;
    for cassette in cassettes {
        let session = cassette.session.as_str();
        match folder.load(session, ChangePolicy::Mark) {
            Ok(Some(loaded)) => {
                let size = cassette.bytes + cassette.stored_bytes;
                let summary = Summary::from(&loaded);
                outln!("{session}  {}", line(&summary, size));
                if !summary.damage.is_empty() {
                    status = EXIT_FAILED;
                }
            }
            Ok(None) => {}
            Err(error) => {
                errln!("{session}  {}", error_chain(&error));
                status = EXIT_FAILED;
            }
        }
    }
    status
}

fn line(summary: &Summary, size: u64) -> String {
    let damaged = match summary.damage.len() {
        0 => String::new(),
        count => format!(", {count} damaged"),
    };
    let failed = match summary.failures {
        0 => String::new(),
        count => format!(" ({count} failed)"),
    };
    format!(
        "{} exchanges{failed}, {size} bytes, {} edited{damaged}",
        summary.exchanges, summary.edited
    )
}
