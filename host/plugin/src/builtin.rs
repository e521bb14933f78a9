//! Components that are built from `plugins/` and `examples/rust/` and embedded in the program.

/// The built-in matcher.
pub const MATCHER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_matcher.wasm"));

/// The built-in redactor.
pub const REDACTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_redactor.wasm"));

/// The built-in recording policy.
pub const POLICY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_policy.wasm"));

/// The example matcher that the demo swaps in.
pub const IGNORE_NONCE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/ignore_nonce.wasm"));
