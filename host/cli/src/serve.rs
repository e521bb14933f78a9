//! Runs a gateway until it is told to stop, and gives the verdict.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use crate::args::Cli;
use crate::output::{complain, say};
use crate::sd_notify::ServiceNotifier;
use crate::signals::{SignalCommand, Signals};
use crate::{EXIT_FAILED, EXIT_OK, environment, telemetry, usage_error};
use ouli_config::{Config, LogFormat, Mode};
use ouli_proxy::gateway::{Gateway, ListenerInfo, StartError};
use ouli_proxy::session::Verdict;

pub(super) fn serve(cli: &Cli) -> u8 {
    telemetry::init(log_format(cli));
    let mut options = environment::options(cli);
    options.on_listening = Arc::new(announce);
    options.inherited_sockets = match environment::inherited_sockets() {
        Ok(passed) => passed,
        Err(reason) => return usage_error(&reason),
    };
    let nothing_said = options.config_file.is_none() && cli.mode().is_none();
    let signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return usage_error(&format!("cannot listen for signals: {error}")),
    };
    let gateway = match Gateway::start(options) {
        Ok(gateway) => gateway,
        Err(error) => return usage_error(&explain(&error)),
    };
    let config = Arc::clone(&gateway.snapshot().config);
    if nothing_said {
        suggest(&config);
    }
    let notify = Arc::new(ServiceNotifier::new(
        environment::notify_socket().as_deref(),
    ));
    notify.ready(&status(&gateway));
    let told = Arc::clone(&notify);
    let stopping = move || {
        complain!("stopping; a second signal ends at once");
        told.stopping("what is under way ends");
    };
    let work = move |orders: &Receiver<SignalCommand>| {
        while let Ok(SignalCommand::Reload) = orders.recv() {
            notify.reloading();
            gateway.reload();
            notify.ready(&status(&gateway));
        }
        finish(gateway)
    };
    signals.serve(work, stopping).unwrap_or(EXIT_FAILED)
}

/// What the service manager shows.
fn status(gateway: &Gateway) -> String {
    let (listening, generation) = (gateway.listeners(), gateway.snapshot().generation);
    format!("{} endpoints, generation {generation}", listening.len())
}

/// `--log-format` counts from the first line; that of the file is only known once it was read.
fn log_format(cli: &Cli) -> LogFormat {
    let options = environment::options(cli);
    let text = options
        .config_file
        .as_ref()
        .and_then(|path| std::fs::read_to_string(options.base_dir.join(path)).ok());
    let file = options.config_file.as_deref().zip(text.as_deref());
    Config::from_sources(file, &options.overrides, &options.base_dir)
        .map_or(LogFormat::Text, |config| config.log_format)
}

/// One line on stdout: others wait for it.
fn announce(listening: &ListenerInfo) {
    say!("{listening}");
    // A reader that is gone does not stop the gateway.
    let _ = std::io::stdout().flush();
}

fn explain(error: &StartError) -> String {
    format!("{error}\nTo see every fault of a configuration at once: ouli-gateway check")
}

/// What to type next, for a user who gave no configuration and no command.
fn suggest(config: &Config) {
    let folder = config.cassettes.display();
    if config.endpoints.iter().all(|one| one.mode == Mode::Replay) {
        complain!(
            "No ouli.toml here: replaying {folder}.\n\
             To record:  ouli-gateway record --upstream https://api.example.com\n\
             To do both: ouli-gateway auto --upstream https://api.example.com"
        );
    } else {
        complain!("No ouli.toml here: replaying {folder}, and recording what is not in it.");
    }
}

fn finish(gateway: Gateway) -> u8 {
    let config = Arc::clone(&gateway.snapshot().config);
    let verdict = gateway.stop();
    eprint!("{}", verdict.to_text());
    if let Some(path) = &config.report
        && let Err(reason) = write_report(path, &verdict)
    {
        return usage_error(&reason);
    }
    let replays = config.endpoints.iter().any(|one| one.mode == Mode::Replay);
    let counts = config.strict || (replays && environment::is_ci());
    if counts && !verdict.passed {
        EXIT_FAILED
    } else {
        EXIT_OK
    }
}

fn write_report(path: &Path, verdict: &Verdict) -> Result<(), String> {
    let failed = |reason: String| format!("the report {}: {reason}", path.display());
    let text = serde_json::to_string_pretty(verdict).map_err(|error| failed(error.to_string()))?;
    std::fs::write(path, text + "\n").map_err(|error| failed(error.to_string()))
}
