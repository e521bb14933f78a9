//! The commands that look: `check`, `cassette list` and `cassette show`.

use crate::args::Cli;
use crate::output::{complain, say};
use crate::stream_text::{self, StreamPrinter};
use crate::{EXIT_FAILED, EXIT_OK, environment, telemetry, usage_error};
use ouli_cassette::{CassetteDir, ChangePolicy, ExchangeSummary, Summary};
use ouli_config::{Config, LogFormat};
use ouli_message::error_chain::error_chain;
use ouli_message::{Content, Exchange};
use ouli_proxy::gateway;

/// Tells every fault; nothing is served.
pub(super) fn check(cli: &Cli) -> u8 {
    telemetry::init(LogFormat::Text);
    let faults = gateway::check(&environment::options(cli));
    for fault in &faults {
        complain!("{fault}");
    }
    if faults.is_empty() {
        say!("configuration, plugins and cassettes are valid");
        return EXIT_OK;
    }
    crate::EXIT_USAGE
}

/// Shows the cassettes with their sizes.
pub(super) fn list_cassettes(cli: &Cli) -> u8 {
    let (config, folder) = match open(cli) {
        Ok(opened) => opened,
        Err(reason) => return usage_error(&reason),
    };
    let listed = match folder.list() {
        Ok(listed) => listed,
        Err(error) => return usage_error(&error_chain(&error)),
    };
    if listed.is_empty() {
        say!("no cassette in {}", config.cassettes.display());
        return EXIT_OK;
    }
    let mut status = EXIT_OK;
    for one in listed {
        let session = one.session.as_str();
        match folder.load(session, ChangePolicy::Mark) {
            Ok(Some(loaded)) => {
                let summary = Summary::from(&loaded);
                let size = one.bytes + one.stored_bytes;
                let damage = match summary.damage.len() {
                    0 => String::new(),
                    count => format!(", {count} damaged"),
                };
                let failed = match summary.failures {
                    0 => String::new(),
                    count => format!(" ({count} failed)"),
                };
                say!(
                    "{session}  {} exchanges{failed}, {size} bytes, {} edited{damage}",
                    summary.exchanges,
                    summary.edited
                );
            }
            Ok(None) => {}
            Err(error) => {
                complain!("{session}  {}", error_chain(&error));
                status = EXIT_FAILED;
            }
        }
    }
    status
}

/// Shows the exchanges of one cassette.
pub(super) fn show_cassette(cli: &Cli, name: &str, body: bool) -> u8 {
    let (config, folder) = match open(cli) {
        Ok(opened) => opened,
        Err(reason) => return usage_error(&reason),
    };
    let loaded = match folder.load(name, ChangePolicy::Mark) {
        Ok(Some(loaded)) => loaded,
        Ok(None) => {
            let folder = config.cassettes.display();
            return usage_error(&format!(
                "there is no cassette {name} in {folder}; `ouli-gateway cassette list` shows \
                 those there are"
            ));
        }
        Err(error) => return usage_error(&error_chain(&error)),
    };
    let schema = match gateway::load_schema(&config) {
        Ok(schema) => schema,
        Err(reason) => return usage_error(&reason),
    };
    let show = StreamPrinter {
        full: body,
        schema: &schema,
    };
    for recorded in &loaded.exchanges {
        let row = ExchangeSummary::from(recorded);
        let edited = if row.edited { "  edited" } else { "" };
        let tags: Vec<_> = row.tags.iter().map(|(k, v)| format!("  {k}={v}")).collect();
        let status = row.status.map(|status| format!("  {status}"));
        let failure = row
            .failure
            .map(|failure| format!("  failed: {}", failure.cause));
        let size = match &row.stream {
            Some(stream) => stream_text::summary(stream),
            None => format!("{} B -> {} B", row.request_bytes, row.response_bytes),
        };
        say!(
            "{:>4}  {} {}{}{}  {size}  [{}]{}{edited}",
            row.ordinal,
            row.method,
            row.target,
            status.unwrap_or_default(),
            failure.unwrap_or_default(),
            row.endpoint,
            tags.concat(),
        );
        let lines = show.lines(&recorded.exchange);
        if body && lines.is_empty() {
            show_bodies(&recorded.exchange);
        }
        for line in lines {
            say!("      {line}");
        }
    }
    for damage in loaded.damage.iter().chain(&loaded.torn_tail) {
        complain!("{damage}");
    }
    EXIT_OK
}

fn show_bodies(exchange: &Exchange) {
    for (arrow, body) in [
        (">", &exchange.request.body),
        ("<", &exchange.response.body),
    ] {
        match body {
            Content::Stored { digest, size } => say!("      {arrow} {size} bytes in {digest}"),
            Content::Inline(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => text.lines().for_each(|line| say!("      {arrow} {line}")),
                Err(_) => say!("      {arrow} {} bytes, not text", bytes.len()),
            },
        }
    }
}

fn open(cli: &Cli) -> Result<(Config, CassetteDir), String> {
    telemetry::init(LogFormat::Text);
    let options = environment::options(cli);
    let config = gateway::load_config(&options).map_err(|error| error.to_string())?;
    if !config.cassettes.is_dir() {
        return Err(format!("there is no folder {}", config.cassettes.display()));
    }
    let folder = gateway::cassette_folder(&config).map_err(|error| error.to_string())?;
    Ok((config, folder))
}
