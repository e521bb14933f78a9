//! Which requests are the same: keys with named parts, and the report of a miss.

#![forbid(unsafe_code)]

pub mod key;
pub mod miss;
