//! The cassettes folder: how cassettes are found, opened, listed and loaded.

pub(crate) mod body_files;
pub(crate) mod error;
pub(crate) mod folder;
pub(crate) mod list;
pub(crate) mod lock_owner;
pub(crate) mod parallel_reader;
pub(crate) mod secure_open;
pub(crate) mod session_name;
pub(crate) mod summary;
