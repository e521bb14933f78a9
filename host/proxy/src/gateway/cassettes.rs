//! The cassette folder and the writer, opened once at the start.

use std::num::NonZero;
use std::sync::Arc;

use super::error::StartError;
use crate::handler::Snapshot;
use crate::session::Sessions;
use ouli_cassette::{CassetteDir, GIT_ATTRIBUTES, SyncPolicy, WriteError, Writer, WriterOptions};
use ouli_config::{Config, Fsync, Mode};
use ouli_message::error_chain::error_chain;

/// Opens the cassette folder, and creates it if it does not exist.
pub fn cassette_folder(config: &Config) -> Result<CassetteDir, StartError> {
    let max_size = config.limits.cassette_size as u64;
    CassetteDir::open(&config.cassettes, max_size)
        .map_err(|error| StartError::Cassette(error_chain(&error)))
}

pub(super) fn start_writer(
    sessions: &Arc<Sessions>,
    config: &Config,
) -> Result<Writer, StartError> {
    let limits = &config.limits;
    // The range of each of these limits starts at 1.
    let count = |count| NonZero::new(count).unwrap_or(NonZero::<usize>::MIN);
    let options = WriterOptions {
        queue: count(limits.recorder_queue),
        max_batch: count(limits.write_batch_exchanges),
        max_batch_bytes: limits.write_batch_bytes as u64,
        max_open: count(limits.open_cassettes),
        inline_limit: limits.inline_body as u64,
        sync: match config.fsync {
            Fsync::Always => SyncPolicy::EveryExchange,
            Fsync::Interval(interval) => SyncPolicy::Interval(interval),
            Fsync::OnClose => SyncPolicy::Close,
        },
    };
    let counted = Arc::clone(sessions);
    let on_unsynced = Box::new(move |session: &str, count: u64, error: &WriteError| {
        counted.count_unsynced(session, count, error);
    });
    let folder = CassetteDir::clone(sessions.folder());
    Writer::start(folder, options, on_unsynced).map_err(StartError::Thread)
}

/// Keeps git from converting the line ends of cassettes, if this gateway records.
pub(super) fn ensure_git_attributes(config: &Config, folder: &CassetteDir) {
    let records = |mode: Mode| matches!(mode, Mode::Record | Mode::Auto);
    if !config
        .endpoints
        .iter()
        .any(|endpoint| records(endpoint.mode))
    {
        return;
    }
    match folder.ensure_git_attributes() {
        Ok(true) => {}
        Ok(false) => tracing::info!(
            "{}/.gitattributes does not keep git from converting line ends, which changes recorded \
             bodies; add:\n{}",
            folder.root().display(),
            GIT_ATTRIBUTES.trim_end()
        ),
        Err(error) => tracing::debug!("cannot write .gitattributes: {error}"),
    }
}

/// Locks the cassettes of the recording endpoints against other gateways.
///
/// A cassette that another gateway holds is only reported: this gateway may be its successor, and
/// gets the lock when the other one stops.
pub(super) fn lock_cassettes(snapshot: &Snapshot, writer: &Writer) {
    for endpoint in snapshot.endpoints.values() {
        if !matches!(endpoint.configured.mode, Mode::Record | Mode::Auto) {
            continue;
        }
        if let Err(error) = writer.claim(&endpoint.session) {
            tracing::warn!(
                "session {}: not recording yet: {}",
                endpoint.session,
                error_chain(&error)
            );
        }
    }
}
