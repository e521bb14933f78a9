//! The cassettes folder: how cassettes and stored bodies are named, found, opened and loaded.

mod body_files;
mod cassette_dir;
mod error;
mod escaped_path;
mod file_stamp;
mod former_path;
mod git_attributes;
mod linked_open;
mod list;
mod lock_owner;
pub(crate) mod own_suffixes;
pub(crate) mod recording_marker;
mod secure_open;
mod session_name;

#[cfg(test)]
mod tests;

pub(crate) use body_files::{
    remove_bodies, remove_temp_files, remove_unreferenced, store_body, sync_body,
};
pub use cassette_dir::{CassetteDir, ChangePolicy};
pub(crate) use cassette_dir::{bodies_of, read_range};
pub use error::CassetteError;
pub use file_stamp::FileStamp;
pub use git_attributes::GIT_ATTRIBUTES;
pub use list::CassetteInfo;
pub(crate) use lock_owner::lock_owner;
pub(crate) use secure_open::Dir;
pub use session_name::{NameError, SessionName};
