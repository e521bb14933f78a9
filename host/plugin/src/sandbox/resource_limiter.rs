//! The memory and tables of one instance. The engine asks before each growth.

use wasmtime::{Error, ResourceLimiter, Result};

use crate::Bounds;

/// Limits the memory and the tables of one instance.
#[derive(Debug)]
pub(crate) struct InstanceLimiter {
    bounds: Bounds,
    memory: usize,
}

impl InstanceLimiter {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, memory: 0 }
    }

    /// Bytes of linear memory of the instance. They never shrink.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }
}

impl ResourceLimiter for InstanceLimiter {
    fn memory_growing(&mut self, current: usize, wanted: usize, _: Option<usize>) -> Result<bool> {
        let memory = self.memory.saturating_add(wanted.saturating_sub(current));
        if memory > self.bounds.memory {
            let limit = ouli_config::ByteSize(self.bounds.memory as u64);
            return Err(Error::msg(format!(
                "memory limit of {limit} reached (limits.plugin_memory)"
            )));
        }
        self.memory = memory;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, wanted: usize, _: Option<usize>) -> Result<bool> {
        let limit = self.bounds.table_elements;
        if wanted > limit {
            return Err(Error::msg(format!(
                "table limit of {limit} elements reached (limits.plugin_table_elements)"
            )));
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.bounds.core_instances
    }

    fn tables(&self) -> usize {
        self.bounds.tables
    }

    fn memories(&self) -> usize {
        self.bounds.memories
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ouli_config::Limits;

    #[test]
    fn adds_up_the_memories_of_an_instance() {
        let limits = Limits {
            plugin_memory: 2 << 20,
            ..Limits::default()
        };
        let mut limiter = InstanceLimiter::new(Bounds::from(&limits));
        let mib = 1 << 20;
        assert!(limiter.memory_growing(0, mib, None).unwrap());
        assert!(
            limiter.memory_growing(0, mib, None).unwrap(),
            "a second memory"
        );
        let error = limiter.memory_growing(mib, mib + 1, None).unwrap_err();
        assert!(
            error.to_string().contains("limits.plugin_memory"),
            "{error}"
        );
        assert_eq!(limiter.memory(), 2 << 20);
    }
}
