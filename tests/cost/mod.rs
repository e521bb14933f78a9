//! The cost of one request is linear in its size: for every parser, scanner and report, and for the
//! worst inputs of each.
//!
//! A shape is one line of a table: a name, a function that makes an input of about `n` bytes, and
//! the work. What the work allocates may at most double if the input does. So may the CPU time of
//! the thread, which does not go on while other programs run as a clock does; a shape fails only if
//! it grows too fast each time.

pub(crate) mod allocation;
mod bodies;
pub(crate) mod cassettes;
mod compressed;
mod conversations;
pub(crate) mod exchanges;
mod inputs;
mod keys;
mod many;
mod peak;
mod redaction;
mod runs;
mod transcripts;
mod users;
mod variants;

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use allocation::counted;

/// Work whose cost must be linear in the size of its input.
pub(super) struct Shape {
    pub(super) name: &'static str,
    /// Runs the work on an input of about this many bytes. Returns the size of the input.
    pub(super) run: Box<dyn Fn(usize) -> Work>,
}

/// Prepared work, which is measured, on an input of this size.
pub(super) struct Work {
    pub(super) size: usize,
    pub(super) work: Box<dyn FnOnce()>,
}

impl Shape {
    /// `make` makes an input of about `n` bytes, `work` does the work on it.
    pub(super) fn new<T>(
        name: &'static str,
        make: impl Fn(usize) -> Vec<u8> + 'static,
        work: impl Fn(&[u8]) -> T + Copy + 'static,
    ) -> Self {
        Self {
            name,
            run: Box::new(move |n| {
                let input = make(n);
                Work {
                    size: input.len(),
                    work: Box::new(move || drop(black_box(work(&input)))),
                }
            }),
        }
    }
}

/// Bytes of the smallest input.
const SIZE: usize = 7_000;
/// What is allocated whatever the size of the input.
const CONSTANT: u64 = 256 << 10;
/// By how much the CPU time of an input may exceed that of one of an eighth of its size.
const MAX_GROWTH: f64 = 24.0;
/// The CPU time of a shorter run is noise.
const SHORTEST: Duration = Duration::from_micros(100);
/// How often a shape is measured before it fails.
const ATTEMPTS: usize = 5;

/// The most that may be allocated at one time, in bytes for each byte of an input.
const MAX_FACTOR: u64 = 256;

#[test]
fn allocations_are_linear() {
    let mut faults = Vec::new();
    for shape in shapes() {
        let [(_, one), (size, two)] = [4 * SIZE, 8 * SIZE].map(|n| {
            let Work { size, work } = (shape.run)(n);
            (size as u64, counted(work))
        });
        let bound = |bytes: u64| bytes * 23 / 10 + CONSTANT;
        let is_linear = two.total <= bound(one.total) && two.peak <= bound(one.peak);
        if !is_linear || two.peak > MAX_FACTOR * size + CONSTANT {
            faults.push(format!("{}: {one:?}, {two:?} for {size}", shape.name));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn cpu_time_is_linear() {
    let mut faults = Vec::new();
    for shape in shapes() {
        let growth = || {
            let [one, eight] = [SIZE, 8 * SIZE].map(|n| cpu_time((shape.run)(n).work));
            eight.as_secs_f64() / one.max(SHORTEST).as_secs_f64()
        };
        let mut growths = std::iter::repeat_with(growth).take(ATTEMPTS);
        if growths.all(|growth| growth > MAX_GROWTH) {
            faults.push(shape.name);
        }
    }
    assert!(faults.is_empty(), "the CPU time is not linear: {faults:#?}");
}

fn shapes() -> impl Iterator<Item = Shape> {
    [
        bodies::shapes(),
        cassettes::shapes(),
        compressed::shapes(),
        exchanges::shapes(),
        redaction::shapes(),
        keys::shapes(),
        many::shapes(),
        runs::shapes(),
        transcripts::shapes(),
        users::shapes(),
        variants::shapes(),
    ]
    .into_iter()
    .flatten()
}

/// The CPU time that this thread spends on some work.
fn cpu_time(work: impl FnOnce()) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let begun = now();
    work();
    now() - begun
}
