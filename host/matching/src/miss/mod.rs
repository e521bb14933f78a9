//! The report of a miss: the nearest recorded requests, their differences, and the settings that
//! would make them match.

mod difference;
#[cfg(test)]
mod difference_tests;
mod json;
mod pairs;
mod problem;
mod rank;
mod raw_difference;
mod remedy;
mod report;
mod similarity;
#[cfg(test)]
mod tests;
mod text;
mod truncate;

pub use difference::Difference;
pub use rank::rank;
pub use remedy::Remedy;
pub use report::{Candidate, Cause, Miss, MissedRequest, Nearest, report};
