//! `cassette list`, `cassette show` and `cassette accept`.

mod accept;
mod list;
mod open;
mod session_argument;
mod show;
mod stream_text;

pub(super) use accept::accept;
pub(super) use list::list;
pub(super) use show::show;
