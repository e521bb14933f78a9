//! Conditions under which an exchange is not recorded, as a recording policy declares them.

use std::fmt;

use ouli_message::{Exchange, glob};

/// A condition under which an exchange is not recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Which exchanges it applies to.
    pub(crate) predicate: SkipPredicate,
    /// The reason that the report shows.
    pub(crate) reason: String,
}

/// Which exchanges a [`Condition`] applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SkipPredicate {
    /// The path matches this pattern.
    Path(String),
    /// The method is this one.
    Method(String),
    /// The status is in this range, both ends included.
    Status(u32, u32),
}

impl Condition {
    /// True if the condition applies to the exchange.
    pub(crate) fn matches(&self, exchange: &Exchange) -> bool {
        match &self.predicate {
            SkipPredicate::Path(pattern) => glob::matches(pattern, exchange.request.path()),
            SkipPredicate::Method(method) => exchange.request.method.as_str() == method,
            SkipPredicate::Status(lowest, highest) => {
                let status = u32::from(exchange.response.status.as_u16());
                exchange.has_response() && (*lowest..=*highest).contains(&status)
            }
        }
    }
}

impl SkipPredicate {
    /// The text that the guest passed in.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Path(text) | Self::Method(text) => text,
            Self::Status(..) => "",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.predicate {
            SkipPredicate::Path(pattern) => write!(f, "skip {pattern}"),
            SkipPredicate::Method(method) => write!(f, "skip {method}"),
            SkipPredicate::Status(lowest, highest) => write!(f, "skip {lowest}-{highest}"),
        }
    }
}
