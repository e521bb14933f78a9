//! Loading a plugin: validate, compile, link, prepare, self-test.

pub(crate) mod code_cache;
pub(crate) mod compile;
pub(crate) mod compiled_code;
pub mod compiler_process;
pub mod engine;
pub(crate) mod import_policy;
pub(crate) mod prepare;
pub(crate) mod requirements;
pub(crate) mod self_test;
