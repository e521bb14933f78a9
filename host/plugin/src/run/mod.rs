//! Running plugins: instances and their pool, calls and their results, failures, usage.

pub(crate) mod answer_cache;
pub(crate) mod call_limiter;
pub(crate) mod circuit_breaker;
pub(crate) mod guest_call;
pub(crate) mod instance;
pub(crate) mod pool;
pub(crate) mod snapshot;
pub(crate) mod template;
pub(crate) mod usage;
