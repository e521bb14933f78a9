//! The report of a miss: the nearest recorded requests, their differences, and the settings that
//! would make them match.

mod advice;
mod cause;
mod change;
mod difference;
#[cfg(test)]
mod difference_tests;
mod field_value;
mod guidance;
mod identity_conflict;
mod json;
mod pairs;
mod path_form;
mod problem;
mod rank;
mod raw_difference;
mod replayed_secret;
mod report;
mod resolution;
mod selection;
mod sentence;
mod settings_text;
mod similarity;
#[cfg(test)]
mod tests;
mod text;
mod trial;
mod truncate;
mod unavailable;
#[cfg(test)]
mod unavailable_tests;
mod withhold;

pub use advice::{Advice, Purpose};
pub use cause::Cause;
pub use change::{Change, IgnoreList};
pub use difference::Difference;
pub use guidance::{Guidance, Remedy};
pub use identity_conflict::IdentityConflict;
pub use rank::rank;
pub use replayed_secret::ReplayedSecret;
pub use report::{Candidate, Miss, MissedRequest, Nearest, report};
pub use resolution::Resolution;
pub use unavailable::{DamagedExchange, Unavailable};
