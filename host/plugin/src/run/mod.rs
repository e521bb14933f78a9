//! Running plugins: pooled instances, time and memory limits, failures.

pub(crate) mod answer_cache;
pub(crate) mod circuit_breaker;
pub(crate) mod cpu_clock;
pub(crate) mod guest_log;
pub(crate) mod instance;
pub(crate) mod memory_limiter;
pub(crate) mod pool;
pub(crate) mod usage;
