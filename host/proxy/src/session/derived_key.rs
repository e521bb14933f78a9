//! The key of a recorded request under one generation of plugins.

use super::truncated_index::TruncatedIdentity;
use ouli_matching::key::{Key, Variant};

/// The key of a recorded request, and how the request is found.
#[derive(Clone)]
pub(super) struct DerivedKey {
    pub(super) key: Key,
    /// What selected the response.
    pub(super) variant: Variant,
    /// Where it is found, if the request is truncated.
    pub(super) truncated: Option<TruncatedIdentity>,
    /// The key without the condition or the range that gave the whole resource.
    pub(super) whole: Option<u128>,
}
