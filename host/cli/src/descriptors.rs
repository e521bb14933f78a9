//! The number of files that the process may open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one. Returns the limit in force, if any. Shells
/// set the soft limit low for programs that use `select`, which this one does not.
pub(super) fn raise_limit() -> Option<usize> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let in_force = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::debug!("cannot raise the limit of open files: {error}");
            limit.current
        }
    };
    in_force.map(|count| usize::try_from(count).unwrap_or(usize::MAX))
}
