//! Finds the cassettes that another program has changed, and reads them again.

use std::sync::Arc;
use std::time::Duration;

use super::registry::Sessions;
use super::session_state::Session;
use ouli_cassette::LoadedCassette;

/// A cassette has settled when its stamp is equal over this interval. A write of this process is
/// acknowledged within it.
const SETTLE_INTERVAL: Duration = Duration::from_millis(25);

impl Sessions {
    /// Sessions with the cassettes that another program has changed, to be applied. A cassette that
    /// cannot be used is logged, and the last good version stays in force.
    ///
    /// Blocks on the disk. A file that is still being written is left for the next call.
    pub(crate) fn read_changed(&self, strict: bool) -> Vec<Arc<Session>> {
        let changed: Vec<_> = self
            .all()
            .into_iter()
            .filter(|session| session.is_loaded())
            .filter_map(|session| {
                let stamp = self.folder().stamp(session.name());
                (stamp != session.all_runs.stamp()).then_some((session, stamp))
            })
            .collect();
        if changed.is_empty() {
            return Vec::new();
        }
        std::thread::sleep(SETTLE_INTERVAL);
        let settled = changed.into_iter().filter(|(session, stamp)| {
            let now = self.folder().stamp(session.name());
            // A write of this process that is not acknowledged yet changes the stamp too.
            let is_idle = !session.all_runs.unwritten.is_any();
            now == *stamp && is_idle && now != session.all_runs.stamp()
        });
        let replaced = settled.filter_map(|(session, _)| self.read_again(&session, strict));
        replaced.collect()
    }

    /// New requests belong to this session from now on.
    pub(crate) fn apply(&self, replacement: Arc<Session>) {
        self.replace(replacement);
    }

    /// The session with its cassette read again. None if it is the same, cannot be used, or was
    /// written by this process meanwhile: then the next call reads it.
    fn read_again(&self, session: &Session, strict: bool) -> Option<Arc<Session>> {
        let name = session.name();
        let before = session.all_runs.stamp();
        let seen = |stamp| session.all_runs.replace_stamp(before, stamp);
        let read = match session.read_within_memory(self.folder()) {
            Ok(Some(read)) => read,
            Ok(None) => {
                if seen(None) {
                    tracing::warn!(session = %name, "the cassette was removed\n  {LAST_GOOD}");
                }
                return None;
            }
            Err(error) => {
                if seen(self.folder().stamp(name)) {
                    report_refused(name, &error.reason());
                }
                return None;
            }
        };
        let (loaded, stamp) = (&read.loaded, read.stamp);
        let is_good = session.withheld().is_none();
        if let Some(reason) = reason_to_refuse(loaded, strict).filter(|_| is_good) {
            if seen(Some(stamp)) {
                report_refused(name, &reason);
            }
            return None;
        }
        if is_good && session.has_exchanges_of(loaded) {
            seen(Some(stamp));
            return None;
        }
        let next = session.with_cassette(read, strict, || seen(Some(stamp)))?;
        tracing::info!(
            session = %name,
            "the cassette was changed and read again: {} exchanges",
            next.exchange_count()
        );
        Some(next)
    }
}

fn report_refused(session: &str, reason: &str) {
    tracing::error!(%session, "the cassette was changed: {reason}\n  {LAST_GOOD}");
}

/// Why a version of a cassette is not used in the place of a good one.
fn reason_to_refuse(loaded: &LoadedCassette, strict: bool) -> Option<String> {
    let damage = loaded.damage.first().or(loaded.torn_tail.as_ref());
    let edited = loaded.exchanges.iter().find(|it| strict && it.edited);
    damage
        .map(ToString::to_string)
        .or_else(|| edited.map(|it| format!("exchange {} was edited (strict)", it.ordinal)))
}

const LAST_GOOD: &str = "the last good version stays in force";
