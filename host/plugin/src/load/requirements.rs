//! The resources that a component needs, checked against the limits.

use std::time::Duration;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::{Bounds, PluginError};

/// Bytes of a page of linear memory.
const PAGE: u64 = 64 << 10;

/// The resources that a component needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements {
    /// The interfaces that it imports.
    pub imports: Vec<String>,
    /// Linear memories.
    pub memories: usize,
    /// The largest initial memory in bytes.
    pub initial_memory: u64,
    /// Tables.
    pub tables: usize,
    /// The largest initial table in elements.
    pub initial_table: u64,
    /// How long it took to compile, or to load the compiled code from the cache.
    pub compile: Duration,
}

impl Requirements {
    /// Reads the requirements of a compiled component.
    pub(super) fn new(engine: &Engine, component: &Component, compile: Duration) -> Self {
        let component_type = component.component_type();
        let imports = component_type.imports(engine);
        let required = component.resources_required();
        let required = required.as_ref();
        Self {
            imports: imports.map(|(name, _)| name.to_owned()).collect(),
            memories: required.map_or(0, |needs| needs.num_memories as usize),
            initial_memory: required
                .map_or(0, |needs| needs.max_initial_memory_size.unwrap_or(0) * PAGE),
            tables: required.map_or(0, |needs| needs.num_tables as usize),
            initial_table: required.map_or(0, |needs| needs.max_initial_table_size.unwrap_or(0)),
            compile,
        }
    }

    /// Rejects a component that could not start. The error of the engine would not name the limit.
    pub(super) fn check(&self, bounds: &Bounds) -> Result<(), PluginError> {
        let checks = [
            (
                "memories",
                self.memories as u64,
                bounds.memories,
                "plugin_memories",
            ),
            ("tables", self.tables as u64, bounds.tables, "plugin_tables"),
            (
                "bytes of memory",
                self.initial_memory,
                bounds.memory,
                "plugin_memory",
            ),
            (
                "elements in a table",
                self.initial_table,
                bounds.table_elements,
                "plugin_table_elements",
            ),
        ];
        for (what, needed, limit, key) in checks {
            if needed > limit as u64 {
                return Err(PluginError::LimitExceeded {
                    what,
                    needed,
                    limit,
                    key,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ouli_config::Limits;

    #[test]
    fn requirements_are_checked_against_the_limits() {
        let limits = Limits {
            plugin_memories: 2,
            plugin_tables: 3,
            plugin_memory: 1 << 20,
            plugin_table_elements: 100,
            ..Limits::default()
        };
        let bounds = Bounds::from(&limits);
        let needs = |memories, initial_memory, tables, initial_table| Requirements {
            imports: Vec::new(),
            memories,
            initial_memory,
            tables,
            initial_table,
            compile: Duration::ZERO,
        };
        assert!(needs(2, 1 << 20, 3, 100).check(&bounds).is_ok());
        for (needs, key) in [
            (needs(3, 0, 0, 0), "limits.plugin_memories"),
            (needs(0, (1 << 20) + 1, 0, 0), "limits.plugin_memory"),
            (needs(0, 0, 4, 0), "limits.plugin_tables"),
            (needs(0, 0, 0, 101), "limits.plugin_table_elements"),
        ] {
            let error = needs.check(&bounds).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }
}
