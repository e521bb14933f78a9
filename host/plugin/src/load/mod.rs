//! From a file to a plugin ready to serve: validate, compile, link, prepare, self-test.

pub(crate) mod admission;
pub(crate) mod component;
pub mod engine;
pub(crate) mod prepared_image;
pub(crate) mod self_test;
pub(crate) mod start;
