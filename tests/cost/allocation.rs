//! Counts what each thread allocates. The allocator of the test binary.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, which counts.
pub(crate) struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static COUNTS: Cell<Counts> = const { Cell::new(Counts { total: 0, live: 0, peak: 0 }) };
}

/// The bytes of one thread.
#[derive(Clone, Copy)]
struct Counts {
    /// All that was allocated.
    total: i64,
    /// What is allocated now. It is negative if the thread frees what others allocated.
    live: i64,
    /// The most that was live.
    peak: i64,
}

/// What a function allocated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocated {
    /// All allocations together, in bytes.
    pub(crate) total: u64,
    /// The most that was allocated at one time, in bytes.
    pub(crate) peak: u64,
    /// What stays allocated, in bytes.
    pub(crate) kept: u64,
}

/// Runs a function and counts what this thread allocates meanwhile.
pub(crate) fn counted(work: impl FnOnce()) -> Allocated {
    let before = COUNTS.get();
    COUNTS.set(Counts {
        peak: before.live,
        ..before
    });
    work();
    let after = COUNTS.get();
    let since = |before: i64, after: i64| u64::try_from(after - before).unwrap_or(0);
    Allocated {
        total: since(before.total, after.total),
        peak: since(before.live, after.peak),
        kept: since(before.live, after.live),
    }
}

/// The thread has `freed` bytes less and `allocated` bytes more.
fn count(allocated: usize, freed: usize) {
    // A thread that ends has no counts any more.
    let _ = COUNTS.try_with(|counts| {
        let mut now = counts.get();
        now.total += allocated as i64;
        now.live += allocated as i64 - freed as i64;
        now.peak = now.peak.max(now.live);
        counts.set(now);
    });
}

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe; this one calls the system's"
)]
// SAFETY: every call is passed on unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Growth in place is not copied, and a vector that doubles stays linear.
        count(size, layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }
}
