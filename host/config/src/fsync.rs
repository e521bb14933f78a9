//! When recorded exchanges are synced to the disk.

use std::time::Duration;

use crate::config_error::ValueError;
use crate::value_parsers::{duration, text};
use crate::value_tree::Node;

/// When written exchanges are synced (fsync), so that they survive a power loss. The guarantees of
/// each value are in `host/cassette/FORMAT.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// After every exchange.
    Always,
    /// At most this long after an exchange was written, several together.
    Interval(Duration),
    /// When the cassette is closed.
    OnClose,
}

impl Default for Fsync {
    fn default() -> Self {
        Self::Interval(Duration::from_secs(1))
    }
}

pub(super) fn fsync(node: &Node) -> Result<Fsync, ValueError> {
    const HINT: &str = "write \"always\", \"close\" or an interval, as \"1s\"";
    let word = text(node).map_err(|problem| problem.with_hint(HINT))?;
    match word.as_str() {
        "always" => Ok(Fsync::Always),
        "close" => Ok(Fsync::OnClose),
        _ => {
            let interval = duration(node)
                .map_err(|_| ValueError::new(format!("unknown value {word:?}")).with_hint(HINT))?;
            if interval.is_zero() {
                return Err(ValueError::new("the interval is 0").with_hint("write \"always\""));
            }
            Ok(Fsync::Interval(interval))
        }
    }
}
