//! `[limits]`: every bound of the program with its default and its range, one file per group.
//!
//! A row of a group file is the only place that a limit has: the field of [`Limits`], its default,
//! its listing in [`LIMITS`] and its key in the configuration are made from it.

mod clients;
mod plugins;
mod recording;
mod section;
mod streams;
mod table;
mod upstreams;

pub(super) use section::{read, read_plugin_limits};
pub use table::{LIMITS, Limit, LimitGroup, Limits};
