//! Runs a gateway until a signal stops it, and prints the verdict.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use crate::args::Cli;
use crate::exit_status::{EXIT_FAILED, EXIT_OK, usage_error};
use crate::output::{self, err_lines, errln, outln};
use crate::sd_notify::ServiceNotifier;
use crate::signals::{SignalCommand, Signals, StopTimeout};
use crate::{environment, telemetry};
use ouli_config::{Config, LogFormat, Mode};
use ouli_proxy::gateway::{self, ConfigSource, Gateway, ListenerInfo, StartError};
use ouli_proxy::session::Verdict;

pub(super) fn serve(cli: &Cli) -> u8 {
    let mut options = environment::options(cli);
    // The gateway reports errors of the configuration.
    let config = gateway::load_config(&options).ok();
    let format = config.as_ref().map_or(LogFormat::Text, |it| it.log_format);
    telemetry::init(format);
    let limits = config.as_ref().map(|it| it.limits.clone());
    let limits = limits.unwrap_or_default();
    let timeout = StopTimeout::new(limits.shutdown_timeout);
    // From its first listener on, the gateway has something to stop in order.
    let is_started = Arc::new(AtomicBool::new(false));
    let started = Arc::clone(&is_started);
    options.on_listening = Arc::new(move |listener| {
        started.store(true, Ordering::Release);
        announce(listener);
    });
    options.inherited_sockets = match environment::inherited_sockets() {
        Ok(sockets) => sockets,
        Err(reason) => return usage_error(&reason),
    };
    let unconfigured =
        matches!(options.config, ConfigSource::OptionalFile(_)) && cli.mode().is_none();
    // Before the first file descriptor is taken.
    if let Some(config) = &config
        && let Err(error) = gateway::check_descriptors(&options, config)
    {
        return usage_error(&error.to_string());
    }
    if let Err(reason) = check_report(config.as_ref()) {
        return usage_error(&reason);
    }
    let signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return usage_error(&format!("cannot handle signals: {error}")),
    };
    if options.compile.cache.is_none() {
        tracing::warn!(
            "compiled plugins are not cached, so each start compiles them: HOME is not set; set \
             HOME, or XDG_CACHE_HOME to an absolute path"
        );
    }
    let notifier = Arc::new(ServiceNotifier::new(
        environment::notify_socket().as_deref(),
    ));
    let on_stop_notifier = Arc::clone(&notifier);
    let on_stop = move || {
        on_stop_notifier.stopping("waiting for active requests");
        errln!("stopping; a second signal ends the program at once");
    };
    let work_timeout = timeout.clone();
    let work = move |commands: &Receiver<SignalCommand>| {
        let gateway = match Gateway::start(options) {
            Ok(gateway) => gateway,
            Err(error) => return usage_error(&with_hint(&error)),
        };
        if unconfigured {
            print_next_steps(&gateway.snapshot().config);
        }
        notifier.ready(&gateway.summary());
        reload_until_stop(&gateway, commands, &notifier);
        work_timeout.set(gateway.snapshot().config.limits.shutdown_timeout);
        finish(gateway)
    };
    output::start_writers(limits.log_buffer, telemetry::dropped_line(format));
    telemetry::log_panics();
    let status = signals.serve(work, &is_started, on_stop, &timeout);
    status.unwrap_or(EXIT_FAILED)
}

/// Reloads at each command, until the commands end. A stop waits for no reload, which may compile
/// a plugin.
fn reload_until_stop(
    gateway: &Gateway,
    commands: &Receiver<SignalCommand>,
    notifier: &Arc<ServiceNotifier>,
) {
    // Pending reload requests: 1, further ones are coalesced.
    let (requests, queue) = sync_channel::<()>(1);
    let (reloader, notifier) = (gateway.reloader(), Arc::clone(notifier));
    std::thread::spawn(move || {
        while let Ok(()) = queue.recv() {
            notifier.reloading();
            // A panic is in the log. The next signal reloads again.
            let reloaded = catch_unwind(AssertUnwindSafe(|| reloader.reload()));
            if let Some(summary) = reloaded.unwrap_or_default() {
                notifier.ready(&summary);
            }
        }
    });
    while let Ok(SignalCommand::Reload) = commands.recv() {
        let _ = requests.try_send(());
    }
}

/// Checks the file of the verdicts.
fn check_report(config: Option<&Config>) -> Result<(), String> {
    let path = config.and_then(|config| config.report.as_ref());
    path.map_or(Ok(()), |path| {
        let checked = ouli_files::check_writable(path);
        checked.map_err(|error| format!("cannot write the report {}: {error}", path.display()))
    })
}

/// Prints the line on stdout that scripts wait for.
fn announce(listener: &ListenerInfo) {
    outln!("{listener}");
}

/// Names `check` for errors in files, which it finds. It opens no port and asks no upstream.
fn with_hint(error: &StartError) -> String {
    let in_files = matches!(
        error,
        StartError::Config(_)
            | StartError::Plugins(_)
            | StartError::Cassette(_)
            | StartError::CassetteFolder(_)
    );
    match in_files {
        true => {
            format!("{error}\nTo print all errors at once: ouli-gateway check, with the same flags")
        }
        false => error.to_string(),
    }
}

/// What to type next, for a user without a configuration and without a command.
fn print_next_steps(config: &Config) {
    let folder = config.cassettes.display();
    if config.endpoints.iter().all(|one| one.mode == Mode::Replay) {
        errln!("No ouli.toml in this folder: replaying {folder}.");
        errln!("To record:  ouli-gateway record --upstream https://api.example.com");
        errln!("To do both: ouli-gateway auto --upstream https://api.example.com");
    } else {
        errln!("No ouli.toml in this folder: replaying {folder}, recording new requests.");
    }
}

fn finish(gateway: Gateway) -> u8 {
    let config = Arc::clone(&gateway.snapshot().config);
    let verdict = gateway.stop();
    err_lines(&verdict.to_text());
    if let Some(path) = &config.report
        && let Err(reason) = write_report(path, &verdict)
    {
        return usage_error(&reason);
    }
    exit_status(&config, &verdict)
}

/// The exit status for a verdict. A gateway that somebody runs by hand does not fail.
fn exit_status(config: &Config, verdict: &Verdict) -> u8 {
    if verdict.passed {
        return EXIT_OK;
    }
    if config.strict || config.fail_on.explicit || environment::is_ci() {
        return EXIT_FAILED;
    }
    errln!("exit status 0: to fail with status 1, add --strict or --fail-on, or set CI=true");
    EXIT_OK
}

fn write_report(path: &Path, verdict: &Verdict) -> Result<(), String> {
    let failed = |reason: String| format!("cannot write the report {}: {reason}", path.display());
    let text = serde_json::to_string_pretty(verdict).map_err(|error| failed(error.to_string()))?;
    let written = ouli_files::write(path, (text + "\n").as_bytes());
    written.map_err(|error| failed(error.to_string()))
}
