//! A request's body that is read whole, to derive a key from it. What is held counts, and where too
//! much is held nothing more is read for a while.

use std::future::poll_fn;

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;

use super::context::Asked;
use super::error_response::ExchangeError;
use crate::record::body_capture::Terms;
use crate::session::Hold;
use ouli_config::OnRecorderFull;
use ouli_net::server::Arriving;

/// A body with its share of the memory.
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    hold: Hold,
}

impl Held {
    /// Reads a body whole, up to `limits.request_body`.
    pub(crate) async fn read(asked: &Asked<'_>, mut body: Arriving) -> Result<Self, ExchangeError> {
        let limits = &asked.snapshot.config.limits;
        let budget = &asked.gate.live.budget;
        let most = limits.request_body;
        let mut held = Self {
            bytes: Bytes::new(),
            hold: budget.hold_to_answer(),
        };
        if body.is_end_stream() {
            return Ok(held);
        }
        let declared = body.size_hint().exact();
        let declared = declared.and_then(|length| usize::try_from(length).ok());
        let mut all = Vec::new();
        while !body.is_end_stream() {
            // What is not read stays with the client: its window closes.
            if !budget.room(limits.memory_wait).await {
                return Err(ExchangeError::Memory);
            }
            let Some(frame) = body.frame().await else {
                break;
            };
            let frame = frame.map_err(|error| ExchangeError::Downstream(error.to_string()))?;
            let data = frame.into_data().unwrap_or_default();
            let size = held.bytes.len() + all.len() + data.len();
            if size > most {
                return Err(ExchangeError::TooLarge { most });
            }
            held.add(&mut all, data, declared.unwrap_or(usize::MAX));
        }
        if !all.is_empty() {
            held.bytes = all.into();
        }
        Ok(held)
    }

    /// One part is kept as it is; more are put together.
    fn add(&mut self, all: &mut Vec<u8>, data: Bytes, declared: usize) {
        self.hold.add(data.len());
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
    pub(crate) async fn record(&mut self, asked: &Asked<'_>) -> Option<Hold> {
        let terms = Terms::from(&*asked.snapshot.config);
        let hold = &mut self.hold;
        let mut room = hold.record();
        if !room && terms.on_full == OnRecorderFull::Wait && hold.may_ever_record() {
            let mut wait = hold.budget().wait(terms.patience);
            room = poll_fn(|cx| wait.poll(cx, || hold.record())).await;
        }
        let rest = self.hold.empty();
        room.then(|| std::mem::replace(&mut self.hold, rest))
    }

    /// Counts what is held besides: the body without its codings.
    pub(crate) fn add_decoded(&mut self, decoded: &[u8]) {
        if decoded.as_ptr() != self.bytes.as_ptr() {
            self.hold.add(decoded.len());
        }
    }
}
