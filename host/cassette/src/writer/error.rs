//! The error of a failed write.

use std::sync::Arc;

use thiserror::Error;

use super::check::CheckRejection;
use crate::store::CassetteError;

/// Why an exchange was not written.
#[derive(Clone, Debug, Error)]
pub enum WriteError {
    /// The check rejected the exchange.
    #[error("refused")]
    Refused(#[source] CheckRejection),
    /// The cassette cannot be opened or written.
    #[error("not written")]
    Cassette(#[source] Arc<CassetteError>),
    /// Another program has removed the cassette of acknowledged exchanges, or their stored bodies.
    #[error("removed by another program after they were written")]
    Removed,
    /// Another program has changed the cassette, and acknowledged exchanges are not in it any more.
    #[error("lost by a change of another program after they were written")]
    Changed,
    /// Another program has removed the cassette. It was written anew, and nothing is lost.
    #[error("removed by another program, and written anew")]
    Restored,
    /// A secret was found after it was written, and cannot be masked.
    #[error(
        "a secret was found after it was written in clear, in a file of a stored body or an edited \
         exchange; delete the cassette and record it again with a rule that finds it"
    )]
    InClear,
    /// The writer panicked.
    #[error("the gateway itself failed while it wrote; the log has the place")]
    Failed,
    /// The writer was closed.
    #[error("the writer is closed")]
    Closed,
}

impl From<CassetteError> for WriteError {
    fn from(error: CassetteError) -> Self {
        Self::Cassette(Arc::new(error))
    }
}
