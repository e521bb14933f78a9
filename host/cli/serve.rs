//! Runs a gateway until it is told to stop, and gives the verdict.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::Cli;
use super::{FAILED, OK, environment, fail, telemetry};
use crate::cli::say::{complain, say};
use crate::config::{Config, LogFormat, Mode};
use crate::gateway::{Gateway, Listening, StartError};
use crate::session::Verdict;

pub(super) fn serve(cli: &Cli) -> u8 {
    telemetry::start(log_format(cli));
    let mut options = environment::options(cli);
    options.announce = Arc::new(announce);
    let nothing_said = options.config_file.is_none() && cli.mode().is_none();
    let signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return fail(&format!("cannot listen for signals: {error}")),
    };
    let gateway = match Gateway::start(options) {
        Ok(gateway) => gateway,
        Err(error) => return fail(&explain(&error)),
    };
    let config = Arc::clone(&gateway.snapshot().config);
    if nothing_said {
        suggest(&config);
    }
    signals.wait_then(move || finish(gateway))
}

/// `--log-format` counts from the first line; that of the file is only known once it was read.
fn log_format(cli: &Cli) -> LogFormat {
    let options = environment::options(cli);
    let text = options
        .config_file
        .as_ref()
        .and_then(|path| std::fs::read_to_string(options.base.join(path)).ok());
    let file = options.config_file.as_deref().zip(text.as_deref());
    Config::from_sources(file, &options.overrides, &options.base)
        .map_or(LogFormat::Text, |config| config.log_format)
}

/// One line on stdout: others wait for it.
fn announce(listening: &Listening) {
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
        return fail(&reason);
    }
    let replays = config.endpoints.iter().any(|one| one.mode == Mode::Replay);
    let counts = config.strict || (replays && environment::is_ci());
    if counts && !verdict.passed {
        FAILED
    } else {
        OK
    }
}

fn write_report(path: &Path, verdict: &Verdict) -> Result<(), String> {
    let failed = |reason: String| format!("the report {}: {reason}", path.display());
    let text = serde_json::to_string_pretty(verdict).map_err(|error| failed(error.to_string()))?;
    std::fs::write(path, text + "\n").map_err(|error| failed(error.to_string()))
}

/// SIGINT and SIGTERM, taken from the start on.
struct Signals {
    runtime: tokio::runtime::Runtime,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let entered = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        drop(entered);
        Ok(Self {
            runtime,
            interrupt,
            terminate,
        })
    }

    /// Waits for the first signal, then runs `stop`; a second signal ends it at once.
    fn wait_then(mut self, stop: impl FnOnce() -> u8 + Send + 'static) -> u8 {
        let runtime = self.runtime;
        runtime.block_on(async {
            either(&mut self.interrupt, &mut self.terminate).await;
            complain!("stopping; a second signal ends at once");
            let (tell, told) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || tell.send(stop()));
            tokio::select! {
                status = told => status.unwrap_or(FAILED),
                () = either(&mut self.interrupt, &mut self.terminate) => FAILED,
            }
        })
    }
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
