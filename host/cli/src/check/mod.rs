//! `check`: validates the configuration, the plugins and the cassettes, or prints the limits.

mod limits;
mod validate;

pub(super) use limits::print_limits;
pub(super) use validate::check;
