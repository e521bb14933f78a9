//! Logging to stderr.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::filter::{EnvFilter, LevelFilter};

use ouli_config::LogFormat;

/// Logs to stderr: level `info` and above, or the levels of `RUST_LOG`.
pub(super) fn init(format: LogFormat) {
    init_with_level(LevelFilter::INFO, format);
}

/// The same with another default level.
pub(super) fn init_with_level(level: LevelFilter, format: LogFormat) {
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .from_env_lossy();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(false);
    // Fails if the process already has a subscriber, which stays.
    let _ = match format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
}
