//! A response together with its stream.

use ouli_message::Response;
use ouli_message::stream::Stream;

/// A response, and its stream if it is one.
pub(super) struct StreamedResponse {
    pub(super) response: Response,
    pub(super) stream: Option<Stream>,
}
