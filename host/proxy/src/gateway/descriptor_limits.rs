//! Fits the limits to the file descriptors that the process may open. A descriptor that is missing
//! would fail a request that is already accepted; a limit makes it wait, or rejects it in order.

use ouli_config::{Config, Limits};

/// Descriptors that the process needs by itself: standard streams, files that are read, DNS.
const OWN: usize = 48;

/// Descriptors of a worker: its runtime and its signals.
const PER_WORKER: usize = 6;

/// The fewest that a limit keeps.
const LEAST: usize = 4;

/// The fewest descriptors with which a gateway can serve: its own without files that are read
/// beside others, a connection to a client and one to an upstream for each of [`LEAST`] requests.
pub(super) fn least(config: &Config, workers: usize) -> usize {
    let listeners = config.endpoints.len() * workers;
    OWN / 2 + workers * PER_WORKER + listeners + 2 * LEAST
}

/// Lowers limits that do not fit. Returns what was lowered, as `key VALUE`.
pub(super) fn fit(config: &mut Config, workers: usize, descriptors: usize) -> Vec<String> {
    let listeners = config.endpoints.len() * workers;
    let cassettes = config.limits.open_cassettes.min(descriptors / 16);
    let own = OWN + workers * PER_WORKER + listeners + 2 * cassettes;
    let free = descriptors.saturating_sub(own).max(LEAST);
    // Each rejected or idle connection counts for each listener or upstream on each worker.
    let pools = listeners.max(1);
    let limits = &mut config.limits;
    let needed = limits
        .connections
        .saturating_add(limits.max_concurrent_requests)
        .saturating_add(limits.streams)
        .saturating_add(pools * (limits.rejected_connections + limits.upstream_idle_connections));
    if needed <= free {
        return Vec::new();
    }
    let before = limits.clone();
    lower(&mut limits.connections, free / 2);
    lower(&mut limits.max_concurrent_requests, free / 4);
    lower(&mut limits.streams, free / 16);
    limits.rejected_connections = limits.rejected_connections.min(free / 8 / pools);
    limits.upstream_idle_connections = limits.upstream_idle_connections.min(free / 16 / pools);
    lower(&mut limits.open_cassettes, cassettes);
    lowered(&before, limits)
}

fn lower(limit: &mut usize, bound: usize) {
    *limit = (*limit).min(bound.max(LEAST));
}

fn lowered(before: &Limits, after: &Limits) -> Vec<String> {
    let rows = ouli_config::LIMITS.iter().flat_map(|group| group.rows);
    let changed = rows.filter_map(|row| {
        let value = row.format_value(after);
        (value != row.format_value(before)).then(|| format!("{} {value}", row.key))
    });
    changed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn config(descriptors: usize) -> (Limits, Vec<String>) {
        let mut config = Config::from_sources(None, &[], Path::new("/")).unwrap();
        let lowered = fit(&mut config, 2, descriptors);
        (config.limits, lowered)
    }

    #[test]
    fn limits_that_fit_stay() {
        let (limits, lowered) = config(1 << 20);
        assert_eq!((limits, lowered), (Limits::default(), Vec::new()));
    }

    #[test]
    fn all_connections_fit_into_the_descriptors() {
        for descriptors in [128, 256, 1024, 4096] {
            let (limits, lowered) = config(descriptors);
            let all = limits.connections
                + limits.max_concurrent_requests
                + limits.streams
                + 2 * (limits.rejected_connections + limits.upstream_idle_connections);
            assert!(all <= descriptors, "{descriptors}: {all}");
            assert!(lowered.iter().any(|one| one.starts_with("connections ")));
        }
        let (limits, _) = config(0);
        assert_eq!(limits.connections, LEAST);
    }
}
