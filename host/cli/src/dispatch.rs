//! Parses the arguments and runs the command.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{CassetteCommand, Cli, Command};
use crate::exit_status::{EXIT_OK, EXIT_USAGE};
use crate::{ca, cassette, check, compiler, demo, plugin, serve};

/// Runs the program with these arguments, the first of which is the name of the program. Returns
/// its exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.into_iter().collect();
    if let Some(status) = compiler::run(&arguments) {
        return ExitCode::from(status);
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Printing fails if the pipe is closed; the exit status still reports the error.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() {
                EXIT_USAGE
            } else {
                EXIT_OK
            });
        }
    };
    ExitCode::from(dispatch(&cli))
}

fn dispatch(cli: &Cli) -> u8 {
    match &cli.command {
        None
        | Some(
            Command::Record(_) | Command::Replay(_) | Command::Auto(_) | Command::Passthrough(_),
        ) => serve::serve(cli),
        Some(Command::Check(flags)) if flags.limits => check::print_limits(cli),
        Some(Command::Check(_)) => check::check(cli),
        Some(Command::Plugin(command)) => plugin::run(cli, command),
        Some(Command::Cassette(CassetteCommand::List(_))) => cassette::list(cli),
        Some(Command::Cassette(CassetteCommand::Show { name, body, .. })) => {
            cassette::show(cli, name, *body)
        }
        Some(Command::Cassette(CassetteCommand::Accept { name, .. })) => {
            cassette::accept(cli, name)
        }
        Some(Command::Ca) => ca::print_path(),
        Some(Command::Demo) => demo::demo(),
    }
}
