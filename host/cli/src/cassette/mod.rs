//! `cassette list` and `cassette show`.

mod list;
mod open;
mod show;
mod stream_text;

pub(super) use list::list;
pub(super) use show::show;
