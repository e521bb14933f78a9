//! A request body that is buffered to derive a key from it. Its memory is counted, and above the
//! soft limit reading pauses.

use std::future::poll_fn;

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;

use super::error::ExchangeError;
use super::request_context::RequestContext;
use crate::handler::RequestBody;
use crate::record::CaptureLimits;
use crate::session::MemoryReservation;
use ouli_config::OnRecorderFull;

/// A request body with its memory reservation.
pub(crate) struct BufferedBody {
    pub(crate) bytes: Bytes,
    reservation: MemoryReservation,
}

impl BufferedBody {
    /// Reads a whole body, up to `limits.request_body`.
    pub(crate) async fn read(
        context: &RequestContext<'_>,
        mut body: RequestBody,
    ) -> Result<Self, ExchangeError> {
        let limits = &context.snapshot.config.limits;
        let budget = &context.handler.shared.budget;
        let max = limits.request_body;
        let mut buffered = Self {
            bytes: Bytes::new(),
            reservation: budget.request_reservation(),
        };
        if body.is_end_stream() {
            return Ok(buffered);
        }
        let declared_length = body.size_hint().exact();
        let declared_length = declared_length.and_then(|length| usize::try_from(length).ok());
        let mut joined = Vec::new();
        while !body.is_end_stream() {
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
            let data = frame.into_data().unwrap_or_default();
            let size = buffered.bytes.len() + joined.len() + data.len();
            if size > max {
                return Err(ExchangeError::RequestBodyTooLarge { max });
            }
            buffered.push(&mut joined, data, declared_length.unwrap_or(usize::MAX));
        }
        if !joined.is_empty() {
            buffered.bytes = joined.into();
        }
        Ok(buffered)
    }

    /// Keeps a single chunk as it is, and joins several.
    fn push(&mut self, joined: &mut Vec<u8>, data: Bytes, declared_length: usize) {
        self.reservation.force_grow(data.len());
        if joined.is_empty() && self.bytes.is_empty() {
            self.bytes = data;
            return;
        }
        let previous = std::mem::take(&mut self.bytes);
        let size = joined.len() + previous.len() + data.len();
        if size > joined.capacity() {
            let spare = size
                .max(joined.capacity() / 2 * 3)
                .min(declared_length.max(size));
            joined.reserve_exact(spare - joined.len());
        }
        joined.extend_from_slice(&previous);
        joined.extend_from_slice(&data);
    }

    /// Moves the reservation from the request to its recording. Waits for memory if
    /// `on_recorder_full` says so; none if there is not enough.
    pub(crate) async fn reserve_for_recording(
        &mut self,
        context: &RequestContext<'_>,
    ) -> Option<MemoryReservation> {
        let limits = CaptureLimits::from(&*context.snapshot.config);
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
