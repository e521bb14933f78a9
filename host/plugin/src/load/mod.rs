//! Loading a plugin: validate, compile, link, prepare, self-test.

pub(crate) mod compile;
pub mod engine;
pub(crate) mod import_policy;
pub(crate) mod prepare;
pub(crate) mod requirements;
pub(crate) mod self_test;
