//! Commands for contributors: `cargo xtask COMMAND`.

#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_methods,
    reason = "the commands print their own text"
)]

mod graph;
mod steps;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::bail;

const USAGE: &str = "\
usage: cargo xtask COMMAND

commands:
  graph   check the dependencies between crates and the imports between files
  steps   list the checks of the repository
  step    run checks by name
  ci      run all checks in turn
";

/// Exit status of a check that found something.
const FOUND: u8 = 1;
/// Exit status of a wrong command line, or of a source that cannot be read.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(outcome) => {
            // A closed pipe, as with `| head`, is not an error.
            let _ = std::io::stdout().write_all(outcome.text.as_bytes());
            ExitCode::from(if outcome.passed { 0 } else { FOUND })
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "xtask: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

/// What a command prints, and whether its check passed.
struct Outcome {
    text: String,
    passed: bool,
}

fn run(arguments: &[String]) -> anyhow::Result<Outcome> {
    let (command, rest) = match arguments {
        [] => ("help", arguments),
        [command, rest @ ..] => (command.as_str(), rest),
    };
    match command {
        "graph" => {
            let Some(options) = graph::Options::parse(rest)? else {
                return Ok(help(graph::USAGE));
            };
            let report = graph::check(&std::env::current_dir()?, &options)?;
            Ok(Outcome {
                text: report.to_string(),
                passed: report.passed(),
            })
        }
        "steps" => Ok(help(&steps::list())),
        "step" => run_steps(steps::named(rest)?),
        "ci" => run_steps(steps::STEPS.iter().collect()),
        "help" | "-h" | "--help" => Ok(help(USAGE)),
        unknown => bail!("unknown command `{unknown}`\n{USAGE}"),
    }
}

fn run_steps(steps: Vec<&'static steps::Step>) -> anyhow::Result<Outcome> {
    let (text, passed) = steps::run(&steps::Workspace::of_this_build()?, steps);
    Ok(Outcome { text, passed })
}

fn help(usage: &str) -> Outcome {
    Outcome {
        text: usage.to_owned(),
        passed: true,
    }
}
