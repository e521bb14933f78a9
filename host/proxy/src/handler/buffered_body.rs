//! A request body that is buffered to derive a key from it. Its memory is counted, and above the
//! soft limit reading pauses.

use std::fmt::Display;
use std::future::poll_fn;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;
use http_body_util::BodyExt as _;

use super::body_buffer;
use super::error::ExchangeError;
use crate::record::CaptureLimits;
use crate::session::{MemoryBudget, MemoryReservation};
use ouli_config::{Limits, OnRecorderFull};

/// A request body with its memory reservation.
pub(crate) struct BufferedBody {
    pub(crate) bytes: Bytes,
    pub(crate) trailers: HeaderMap,
    reservation: MemoryReservation,
}

/// Decides while a body arrives whether its rest is needed.
pub(crate) trait EarlyEnd {
    /// True if these first bytes are enough.
    fn is_enough(
        &mut self,
        received: &[u8],
    ) -> impl Future<Output = Result<bool, ExchangeError>> + Send;
}

impl BufferedBody {
    /// Reads a body, up to `limits.request_body`, until it ends or enough of it has arrived.
    /// True if the rest was not read.
    pub(crate) async fn read_until(
        mut body: impl Body<Data = Bytes, Error: Display> + Unpin,
        limits: &Limits,
        budget: &MemoryBudget,
        early_end: &mut impl EarlyEnd,
    ) -> Result<(Self, bool), ExchangeError> {
        let max = limits.request_body;
        let mut buffered = Self {
            bytes: Bytes::new(),
            trailers: HeaderMap::new(),
            reservation: budget.request_reservation(),
        };
        if body.is_end_stream() {
            return Ok((buffered, false));
        }
        let declared_length = body.size_hint().exact();
        let declared_length = declared_length.and_then(|length| usize::try_from(length).ok());
        let mut joined = Vec::new();
        let mut is_partial = false;
        while !body.is_end_stream() {
            let received = if joined.is_empty() {
                &buffered.bytes
            } else {
                &joined[..]
            };
            is_partial = early_end.is_enough(received).await?;
            if is_partial {
                break;
            }
            // Backpressure: the client's flow-control window closes while nothing is read.
            if !budget
                .wait_below_soft_limit(limits.memory_wait_timeout)
                .await
            {
                return Err(ExchangeError::MemoryLimit);
            }
            let Some(frame) = body.frame().await else {
                break;
            };
            let frame = frame.map_err(|error| ExchangeError::Downstream(error.to_string()))?;
            let data = match frame.into_data() {
                Ok(data) => data,
                Err(frame) => {
                    // After the last chunk.
                    buffered.trailers = frame.into_trailers().unwrap_or_default();
                    break;
                }
            };
            let size = buffered.bytes.len() + joined.len() + data.len();
            if size > max {
                return Err(ExchangeError::RequestBodyTooLarge { max });
            }
            let announced = declared_length.unwrap_or(0);
            if !buffered.push(&mut joined, data, (announced, max)) {
                return Err(ExchangeError::MemoryLimit);
            }
        }
        if !joined.is_empty() {
            buffered.bytes = joined.into();
        }
        Ok((buffered, is_partial))
    }

    /// Keeps a single chunk as it is, and joins several: to the announced length, within a limit.
    /// False if the system has no memory.
    fn push(
        &mut self,
        joined: &mut Vec<u8>,
        data: Bytes,
        (announced, max): (usize, usize),
    ) -> bool {
        self.reservation.force_grow(data.len());
        if joined.is_empty() && self.bytes.is_empty() {
            self.bytes = data;
            return true;
        }
        let previous = std::mem::take(&mut self.bytes);
        let size = joined.len() + previous.len() + data.len();
        if !body_buffer::grow(joined, size, announced, max) {
            return false;
        }
        joined.extend_from_slice(&previous);
        joined.extend_from_slice(&data);
        true
    }

    /// Moves the reservation from the request to its recording. Waits for memory if
    /// `on_recorder_full` says so; none if there is not enough.
    pub(crate) async fn reserve_for_recording(
        &mut self,
        limits: CaptureLimits,
    ) -> Option<MemoryReservation> {
        let reservation = &mut self.reservation;
        let mut reserved = reservation.try_move_to_recording();
        if !reserved
            && limits.on_recorder_full == OnRecorderFull::Wait
            && reservation.fits_recording_limit()
        {
            let mut wait = reservation.budget().wait(limits.max_wait);
            reserved = poll_fn(|cx| wait.poll(cx, || reservation.try_move_to_recording())).await;
        }
        let empty = self.reservation.new_empty();
        reserved.then(|| std::mem::replace(&mut self.reservation, empty))
    }

    /// Counts the decoded body too, if it is not the body itself.
    pub(crate) fn count_decoded(&mut self, decoded: &[u8]) {
        if decoded.as_ptr() != self.bytes.as_ptr() {
            self.reservation.force_grow(decoded.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scripted_body::{ScriptedBody, ScriptedEnding};

    const SHORT: Duration = Duration::from_millis(20);

    /// The whole body is needed.
    struct Never;

    impl EarlyEnd for Never {
        async fn is_enough(&mut self, _received: &[u8]) -> Result<bool, ExchangeError> {
            Ok(false)
        }
    }

    fn chunks(chunks: &[&'static str]) -> ScriptedBody {
        ScriptedBody::new(chunks, ScriptedEnding::Complete)
    }

    async fn read(
        body: impl Body<Data = Bytes, Error: Display> + Unpin,
        budget: &MemoryBudget,
    ) -> Result<BufferedBody, ExchangeError> {
        let limits = Limits {
            request_body: 10,
            memory_wait_timeout: SHORT,
            ..Limits::default()
        };
        let read = BufferedBody::read_until(body, &limits, budget, &mut Never).await;
        read.map(|(buffered, _)| buffered)
    }

    fn capture_limits(on_recorder_full: OnRecorderFull) -> CaptureLimits {
        CaptureLimits {
            max_bytes: 10,
            on_recorder_full,
            max_wait: SHORT,
        }
    }

    #[tokio::test]
    async fn joins_chunks_and_counts_their_memory() {
        let budget = MemoryBudget::new(1000, 500);
        let buffered = read(chunks(&["one", "two", "34"]), &budget).await.unwrap();
        assert_eq!(&*buffered.bytes, b"onetwo34");
        assert_eq!(budget.used(), 8);
        drop(buffered);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn keeps_a_single_chunk_without_a_copy() {
        let budget = MemoryBudget::new(1000, 500);
        let chunk = Bytes::from(vec![b'x'; 5]);
        let body = http_body_util::Full::new(chunk.clone());
        let buffered = read(body, &budget).await.unwrap();
        assert_eq!(buffered.bytes.as_ptr(), chunk.as_ptr());
    }

    #[tokio::test]
    async fn rejects_a_body_over_the_limit() {
        let budget = MemoryBudget::new(1000, 500);
        let error = read(chunks(&["12345", "123456"]), &budget).await.err();
        assert!(matches!(
            error,
            Some(ExchangeError::RequestBodyTooLarge { max: 10 })
        ));
        assert_eq!(budget.used(), 0, "what was read is released");
        assert!(read(chunks(&["12345", "12345"]), &budget).await.is_ok());
    }

    #[tokio::test]
    async fn rejects_a_body_that_the_client_aborts() {
        let budget = MemoryBudget::new(1000, 500);
        let body = ScriptedBody::new(&["one"], ScriptedEnding::Aborted);
        let error = read(body, &budget).await.err().unwrap();
        assert!(matches!(error, ExchangeError::Downstream(_)), "{error}");
    }

    #[tokio::test]
    async fn reads_nothing_above_the_soft_limit() {
        let budget = MemoryBudget::new(1000, 500);
        let mut other = budget.request_reservation();
        assert!(other.try_grow(950));
        let error = read(chunks(&["one"]), &budget).await.err();
        assert!(matches!(error, Some(ExchangeError::MemoryLimit)));
        let (buffered, ()) = tokio::join!(read(chunks(&["one"]), &budget), async {
            tokio::task::yield_now().await;
            drop(other);
        });
        assert_eq!(&*buffered.unwrap().bytes, b"one");
    }

    #[tokio::test]
    async fn the_reservation_moves_to_the_recording() {
        let budget = MemoryBudget::new(1000, 500);
        let mut buffered = read(chunks(&["one"]), &budget).await.unwrap();
        let limits = capture_limits(OnRecorderFull::Drop);
        let recording = buffered.reserve_for_recording(limits).await;
        drop(buffered);
        assert_eq!(budget.used(), 3, "the recording holds the bytes");
        drop(recording);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn a_full_recorder_is_waited_for_only_if_configured() {
        let budget = MemoryBudget::new(1000, 500);
        let mut other = budget.recording_reservation();
        assert!(other.try_grow(500));
        let mut buffered = read(chunks(&["one"]), &budget).await.unwrap();
        for on_recorder_full in [OnRecorderFull::Drop, OnRecorderFull::Wait] {
            let limits = capture_limits(on_recorder_full);
            assert!(buffered.reserve_for_recording(limits).await.is_none());
        }
        let limits = CaptureLimits {
            max_wait: Duration::from_secs(20),
            ..capture_limits(OnRecorderFull::Wait)
        };
        let (recording, ()) = tokio::join!(buffered.reserve_for_recording(limits), async {
            tokio::task::yield_now().await;
            drop(other);
        });
        assert!(recording.is_some());
    }

    #[tokio::test]
    async fn a_decoded_body_counts_besides_the_encoded_one() {
        let budget = MemoryBudget::new(1000, 500);
        let mut buffered = read(chunks(&["one"]), &budget).await.unwrap();
        let same = buffered.bytes.clone();
        buffered.count_decoded(&same);
        assert_eq!(budget.used(), 3);
        buffered.count_decoded(b"decoded");
        assert_eq!(budget.used(), 10);
    }
}
