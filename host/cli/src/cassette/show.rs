//! `cassette show`: the exchanges of one cassette.

use std::borrow::Cow;

use super::open::open;
use super::session_argument::session_name;
use super::stream_text::{self, StreamPrinter};
use crate::args::Cli;
use crate::environment;
use crate::exit_status::{EXIT_FAILED, EXIT_OK, usage_error};
use crate::output::{errln, outln};
use ouli_cassette::{ChangePolicy, ExchangeSummary};
use ouli_message::error_chain::error_chain;
use ouli_message::printable::printable_start;
use ouli_message::{Content, Exchange};
use ouli_proxy::gateway;

/// Maximum length in bytes of a target or a tag.
const MAX_VALUE: usize = 2000;

/// Prints one line for each exchange, and the messages of streams. `body` adds bodies. Fails if a
/// part of the cassette cannot be read.
pub(in super::super) fn show(cli: &Cli, argument: &str, body: bool) -> u8 {
    let opened = open(cli).and_then(|(config, folder)| {
        let session = session_name(&environment::options(cli), argument)?;
        Ok((config, folder, session))
    });
    let (config, folder, session) = match opened {
        Ok(opened) => opened,
        Err(reason) => return usage_error(&reason),
    };
    let loaded = match folder.load(&session, ChangePolicy::Mark) {
        Ok(Some(loaded)) => loaded,
        Ok(None) => {
            let folder = config.cassettes.display();
            return usage_error(&format!(
                "no cassette {session} in {folder}; run `ouli-gateway cassette list` to list the \
                 cassettes"
            ));
        }
        Err(error) => return usage_error(&error_chain(&error)),
    };
    let schema = match gateway::load_schema(&config) {
        Ok(schema) => schema,
        Err(reason) => return usage_error(&reason),
    };
    let printer = StreamPrinter {
        full: body,
        schema: &schema,
    };
    for recorded in &loaded.exchanges {
        outln!("{}", exchange_line(&ExchangeSummary::from(recorded)));
        let lines = printer.lines(&recorded.exchange);
        if body && lines.is_empty() {
            print_bodies(&recorded.exchange);
        }
        for line in lines {
            outln!("      {line}");
        }
    }
    let mut status = EXIT_OK;
    for damage in loaded.damage.iter().chain(&loaded.torn_tail) {
        errln!("{damage}");
        status = EXIT_FAILED;
    }
    status
}

fn exchange_line(row: &ExchangeSummary) -> String {
    let edited = if row.edited { "  edited" } else { "" };
    let tags = row.tags.iter().map(|(k, v)| format!("  {k}={v}"));
    let tags: String = tags.map(|tag| cut(&tag).into_owned()).collect();
    let status = row.status.map(|status| format!("  {status}"));
    let failure = row
        .failure
        .map(|failure| format!("  failed: {}", failure.cause));
    let size = match &row.stream {
        Some(stream) => stream_text::summary(stream),
        None => format!("{} B -> {} B", row.request_bytes, row.response_bytes),
    };
    format!(
        "{:>4}  {} {}{}{}  {size}  [{}]{tags}{edited}",
        row.ordinal,
        row.method,
        cut(&row.target),
        status.unwrap_or_default(),
        failure.unwrap_or_default(),
        row.endpoint,
    )
}

/// The printable start of a value.
fn cut(text: &str) -> Cow<'_, str> {
    printable_start(text, MAX_VALUE)
}

fn print_bodies(exchange: &Exchange) {
    for (arrow, body) in [
        (">", &exchange.request.body),
        ("<", &exchange.response.body),
    ] {
        match body {
            Content::Stored { digest, size } => outln!("      {arrow} {size} bytes in {digest}"),
            Content::Inline(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => text.lines().for_each(|line| outln!("      {arrow} {line}")),
                Err(_) => outln!("      {arrow} {} bytes, not text", bytes.len()),
            },
        }
    }
}
