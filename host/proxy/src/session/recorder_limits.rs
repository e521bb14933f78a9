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
    /// Maximum number of events, lines or chunks of one body.
    pub chunks: usize,
    /// Size in bytes from which the memory for work on an exchange is counted.
    pub offload_size: usize,
    /// Maximum size in bytes of decoded exchanges that are not yet written, and of the memory for
    /// work on the one that is recorded.
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
            chunks: limits.recorded_chunks,
            offload_size: limits.offload_size,
            unwritten_bytes: limits.recording_memory,
            inline_body: limits.inline_body,
        }
    }
}
