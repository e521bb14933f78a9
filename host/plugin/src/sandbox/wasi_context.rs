//! A WASI context without the outside world: fixed random numbers and clocks that only move when
//! they are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx};

/// An empty context. The seed fixes the random bytes, and the wall clock starts at the epoch. The
/// monotonic clock is passed in because it must never go back.
pub(super) fn new(seed: &[u8], monotonic: &DeterministicClock) -> WasiCtx {
    let bytes = Sha256::digest(seed).to_vec();
    let number = bytes
        .iter()
        .take(16)
        .fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    WasiCtx::builder()
        .secure_random(Deterministic::new(bytes.clone()))
        .insecure_random(Deterministic::new(bytes))
        .insecure_random_seed(number)
        .wall_clock(DeterministicClock::starting_at(Duration::ZERO))
        .monotonic_clock(monotonic.clone())
        .build()
}

/// A clock that advances by a microsecond at each read, so that a guest that polls it makes
/// progress.
#[derive(Clone)]
pub(crate) struct DeterministicClock(Arc<AtomicU64>);

impl DeterministicClock {
    /// A clock whose first reading is this time.
    pub(crate) fn starting_at(time: Duration) -> Self {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self(Arc::new(AtomicU64::new(nanoseconds)))
    }

    fn read(&self) -> u64 {
        self.0.fetch_add(1_000, Ordering::Relaxed)
    }
}

impl HostWallClock for DeterministicClock {
    fn resolution(&self) -> Duration {
        Duration::from_micros(1)
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.read())
    }
}

impl HostMonotonicClock for DeterministicClock {
    fn resolution(&self) -> u64 {
        1_000
    }

    fn now(&self) -> u64 {
        self.read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_advances_by_a_microsecond_at_each_read() {
        let clock = DeterministicClock::starting_at(Duration::from_secs(1));
        let copy = clock.clone();
        assert_eq!(clock.read(), 1_000_000_000);
        assert_eq!(copy.read(), 1_000_001_000, "clones share the time");
    }
}
