//! Request matching: keys with named parts, and the reports of misses.

#![forbid(unsafe_code)]

pub mod key;
pub mod miss;
