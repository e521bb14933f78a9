//! The properties that the fuzz targets check, as a library.
#![warn(unsafe_code)]

#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../cost/allocation.rs"]
mod allocation;
mod properties;

/// Checks one input. Panics if it breaks a property of `target`.
///
/// # Panics
///
/// Also if there is no target of this name.
pub fn check(target: &str, input: &[u8]) {
    let known = properties::TARGETS.iter().find(|it| it.name == target);
    known.expect("the name of a target").run(input);
}
