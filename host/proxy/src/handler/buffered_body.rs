//! A request's body that is read whole, to derive a key from it. What is held counts, and where too
//! much is held nothing more is read for a while.

use std::future::poll_fn;

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;

use super::context::RequestContext;
use super::error_response::ExchangeError;
use crate::record::body_capture::CaptureLimits;
use crate::session::MemoryReservation;
use ouli_config::OnRecorderFull;
use ouli_net::server::IncomingBody;

/// A body with its share of the memory.
pub(crate) struct BufferedBody {
    pub(crate) bytes: Bytes,
    reservation: MemoryReservation,
}

impl BufferedBody {
    /// Reads a body whole, up to `limits.request_body`.
    pub(crate) async fn read(
        asked: &RequestContext<'_>,
        mut body: IncomingBody,
    ) -> Result<Self, ExchangeError> {
        let limits = &asked.snapshot.config.limits;
        let budget = &asked.handler.shared.budget;
        let most = limits.request_body;
        let mut held = Self {
            bytes: Bytes::new(),
            reservation: budget.request_reservation(),
        };
        if body.is_end_stream() {
            return Ok(held);
        }
        let declared = body.size_hint().exact();
        let declared = declared.and_then(|length| usize::try_from(length).ok());
        let mut all = Vec::new();
        while !body.is_end_stream() {
            // What is not read stays with the client: its window closes.
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
            let size = held.bytes.len() + all.len() + data.len();
            if size > most {
                return Err(ExchangeError::RequestBodyTooLarge { most });
            }
            held.push(&mut all, data, declared.unwrap_or(usize::MAX));
        }
        if !all.is_empty() {
            held.bytes = all.into();
        }
        Ok(held)
    }

    /// One part is kept as it is; more are put together.
    fn push(&mut self, all: &mut Vec<u8>, data: Bytes, declared: usize) {
        self.reservation.force_grow(data.len());
        if all.is_empty() && self.bytes.is_empty() {
            self.bytes = data;
            return;
        }
        let first = std::mem::take(&mut self.bytes);
        let size = all.len() + first.len() + data.len();
        if size > all.capacity() {
            let spare = size.max(all.capacity() / 2 * 3).min(declared.max(size));
            all.reserve_exact(spare - all.len());
        }
        all.extend_from_slice(&first);
        all.extend_from_slice(&data);
    }

    /// What is held is held for a recording from now on, where recording has room for it. Where it
    /// is to wait for room, this waits.
    pub(crate) async fn reserve_for_recording(
        &mut self,
        asked: &RequestContext<'_>,
    ) -> Option<MemoryReservation> {
        let terms = CaptureLimits::from(&*asked.snapshot.config);
        let hold = &mut self.reservation;
        let mut room = hold.try_move_to_recording();
        if !room && terms.on_recorder_full == OnRecorderFull::Wait && hold.fits_recording_limit() {
            let mut wait = hold.budget().wait(terms.max_wait);
            room = poll_fn(|cx| wait.poll(cx, || hold.try_move_to_recording())).await;
        }
        let rest = self.reservation.new_empty();
        room.then(|| std::mem::replace(&mut self.reservation, rest))
    }

    /// Counts what is held besides: the body without its codings.
    pub(crate) fn count_decoded(&mut self, decoded: &[u8]) {
        if decoded.as_ptr() != self.bytes.as_ptr() {
            self.reservation.force_grow(decoded.len());
        }
    }
}
