//! The limits of recording.

use ouli_codec::content_coding;
use ouli_config::Limits;

/// The limits of recording, from `[limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecorderLimits {
    /// Maximum number of exchanges in the recorder's queue.
    pub queue: usize,
    /// Maximum size of a decoded body or message.
    pub decoded: content_coding::Bounds,
    /// Maximum size in bytes of all decoded messages of one conversation.
    pub decoded_stream: u64,
    /// Maximum size in bytes of decoded exchanges that are not yet written.
    pub unwritten_bytes: usize,
    /// Maximum size in bytes of a body that stays in memory after it was written.
    pub inline_body: usize,
}

impl From<&Limits> for RecorderLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            queue: limits.recorder_queue,
            decoded: content_coding::Bounds {
                bytes: limits.decompressed_body as u64,
                ratio: limits.decompression_ratio as u64,
            },
            decoded_stream: limits.decompressed_stream as u64,
            unwritten_bytes: limits.recording_memory,
            inline_body: limits.inline_body,
        }
    }
}
