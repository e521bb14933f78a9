//! The bytes of a plugin, with what the configuration sets for it.

use std::sync::Arc;

use crate::Bounds;

/// A plugin that is not loaded yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The name in reports: the file name, or `builtin:...`.
    pub name: String,
    /// The component.
    pub bytes: Arc<[u8]>,
    /// Patterns of the paths that it applies to; an empty list means all paths.
    pub routes: Vec<String>,
    /// Its settings as JSON text.
    pub settings: String,
    /// If its matcher fails, the request fails; otherwise the next matcher decides.
    pub fail_closed: bool,
    /// Each call runs in a new instance.
    pub fresh_instances: bool,
    /// Instances that are started before the first call.
    pub initial_instances: usize,
    /// The limits under which it runs.
    pub bounds: Bounds,
}

impl Source {
    /// True for a plugin that is part of the program.
    pub(crate) fn is_builtin(&self) -> bool {
        self.name.starts_with("builtin:")
    }
}
