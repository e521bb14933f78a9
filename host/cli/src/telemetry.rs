//! Logs on stderr.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::filter::{EnvFilter, LevelFilter};

use ouli_config::LogFormat;

/// Sends logs to stderr from now on: `info` and louder, or what `RUST_LOG` says.
pub(super) fn init(format: LogFormat) {
    init_with_level(LevelFilter::INFO, format);
}

/// As [`init`], from another level on.
pub(super) fn init_with_level(level: LevelFilter, format: LogFormat) {
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .from_env_lossy();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(false);
    // A second start in one process keeps the first one's form.
    let _ = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
}
