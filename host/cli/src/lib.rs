//! The command line: reads what the user typed, runs it, and says how it went. The only code that
//! prints.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stderr,
    reason = "the command line is where the program speaks"
)]

pub mod args;
mod demo;
mod environment;
mod examples;
mod inspect;
mod limits;
mod output;
mod plugin;
mod sd_notify;
mod serve;
mod signals;
mod stream_text;
mod telemetry;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::filter::LevelFilter;

use args::{CassetteCommand, Cli, Command};
use ouli_message::error_chain::error_chain;
use ouli_net::tls::CertificateAuthority;
use output::{complain, say};

/// All went well.
const EXIT_OK: u8 = 0;

/// A session's verdict failed.
const EXIT_FAILED: u8 = 1;

/// Bad usage or configuration.
const EXIT_USAGE: u8 = 2;

/// Runs the program with these arguments, its own name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Printing fails where nobody listens; the status tells all the same.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() {
                EXIT_USAGE
            } else {
                EXIT_OK
            });
        }
    };
    ExitCode::from(command(&cli))
}

fn command(cli: &Cli) -> u8 {
    match &cli.command {
        None
        | Some(
            Command::Record(_) | Command::Replay(_) | Command::Auto(_) | Command::Passthrough(_),
        ) => serve::serve(cli),
        Some(Command::Check(check)) if check.limits => limits::print(cli),
        Some(Command::Check(_)) => inspect::check(cli),
        Some(Command::Plugin(command)) => plugin::run(cli, command),
        Some(Command::Cassette(CassetteCommand::List(_))) => inspect::list_cassettes(cli),
        Some(Command::Cassette(CassetteCommand::Show { name, body, .. })) => {
            inspect::show_cassette(cli, name, *body)
        }
        Some(Command::Ca) => print_ca_path(),
        Some(Command::Demo) => {
            // The demo tells its own story; the misses that it provokes are part of it.
            telemetry::init_with_level(LevelFilter::ERROR, ouli_config::LogFormat::Text);
            let cache = environment::cache_folder();
            match demo::run(cache, &mut |line| say!("{line}")) {
                Ok(()) => EXIT_OK,
                Err(reason) => {
                    complain!("the demo failed: {reason}");
                    EXIT_FAILED
                }
            }
        }
    }
}

/// The path of the CA's certificate alone on stdout, so that it can stand in other commands.
fn print_ca_path() -> u8 {
    match CertificateAuthority::open_or_create(&environment::ca_folder()) {
        Ok(authority) => {
            say!("{}", authority.certificate_path().display());
            EXIT_OK
        }
        Err(error) => usage_error(&error_chain(&error)),
    }
}

fn usage_error(reason: &str) -> u8 {
    complain!("ouli-gateway: {reason}");
    EXIT_USAGE
}
