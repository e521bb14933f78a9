//! How much memory one copy of a plugin may take: checked by the engine at each growth.

use wasmtime::{Error, ResourceLimiter, Result};

use crate::Bounds;

/// What one copy has, and the most that it may have.
#[derive(Debug)]
pub(crate) struct Limiter {
    bounds: Bounds,
    memory: usize,
}

impl Limiter {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, memory: 0 }
    }

    /// All its linear memory in bytes. It never shrinks.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, now: usize, wanted: usize, _: Option<usize>) -> Result<bool> {
        let memory = self.memory.saturating_add(wanted.saturating_sub(now));
        if memory > self.bounds.memory {
            let most = ouli_config::ByteSize(self.bounds.memory as u64);
            return Err(Error::msg(format!(
                "it wants more than {most} of memory (limits.plugin_memory)"
            )));
        }
        self.memory = memory;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, wanted: usize, _: Option<usize>) -> Result<bool> {
        if wanted > self.bounds.table_elements {
            let most = self.bounds.table_elements;
            return Err(Error::msg(format!(
                "it wants a table of more than {most} elements (limits.plugin_table_elements)"
            )));
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.bounds.instances
    }

    fn tables(&self) -> usize {
        self.bounds.tables
    }

    fn memories(&self) -> usize {
        self.bounds.memories
    }
}
