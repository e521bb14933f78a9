//! Reservations, waits and limits.

use super::*;

const LONG_TIMEOUT: Duration = Duration::from_secs(60);

#[test]
fn dropped_reservations_are_released() {
    let budget = MemoryBudget::new(1000, 10);
    let (mut one, mut two) = (
        budget.recording_reservation(),
        budget.recording_reservation(),
    );
    assert!(one.try_grow(6));
    assert!(!two.try_grow(5));
    assert!(two.try_grow(4));
    drop(one);
    assert!(two.try_grow(6));
    assert!(!two.try_grow(1));
    assert!(!two.can_ever_fit(1));
    assert_eq!(budget.used(), 10);
    two.resize(3);
    assert_eq!(budget.used(), 3);
}

#[test]
fn work_takes_what_is_free_and_no_more() {
    let budget = MemoryBudget::new(1000, 500);
    let mut other = budget.recording_reservation();
    assert!(other.try_grow(400));
    let mut work = budget.recording_reservation();
    work.grow_as_far_as_free(300);
    assert_eq!(budget.used(), 500, "captures wait");
    work.grow_as_far_as_free(1);
    assert_eq!(budget.used(), 500);
    work.resize(10);
    assert!(other.try_grow(90));
}

#[test]
fn small_exchanges_do_not_wait_for_large_ones() {
    const MIB: usize = 1 << 20;
    let budget = MemoryBudget::new(100 * MIB, 64 * MIB);
    let mut large = budget.recording_reservation();
    assert!(large.try_grow(50 * MIB));
    large.grow_as_far_as_free(100 * MIB);
    let mut other = budget.recording_reservation();
    assert!(
        !other.try_grow(SMALL + 1) && !large.try_grow(1),
        "they wait"
    );
    let mut small: Vec<_> = (0..128).map(|_| budget.recording_reservation()).collect();
    assert!(small.iter_mut().all(|it| it.try_grow(SMALL)));
    assert!(!other.try_grow(1), "their share is used");
    assert!(!budget.above_soft_limit());
    let mut moved = budget.request_reservation();
    assert!(moved.try_grow(SMALL) && !moved.try_move_to_recording());
    small.pop();
    assert!(moved.try_move_to_recording());
    large.resize(0);
    assert!(other.try_grow(50 * MIB) && !other.try_grow(10 * MIB));
}

#[test]
fn recording_alone_never_reaches_the_soft_limit() {
    let budget = MemoryBudget::new(1000, 1000);
    let mut recording = budget.recording_reservation();
    assert!(recording.try_grow(750));
    assert!(!recording.try_grow(1));
    assert!(!budget.above_soft_limit());
    let mut body = budget.request_reservation();
    assert!(body.try_grow(149));
    assert!(!budget.above_soft_limit());
    assert!(body.try_grow(1));
    assert!(budget.above_soft_limit() && !budget.above_hard_limit());
    body.force_grow(80);
    assert!(budget.above_hard_limit());
    assert!(
        !body.try_move_to_recording(),
        "the recording limit is reached"
    );
    drop(recording);
    assert!(body.try_move_to_recording());
    assert!(
        !budget.recording_reservation().try_grow(521),
        "230 of 750 bytes are reserved"
    );
    drop(body);
    assert_eq!(budget.used(), 0);
    assert!(budget.recording_reservation().try_grow(750));
}

#[tokio::test]
async fn waits_end_when_memory_is_released_or_on_timeout() {
    let budget = MemoryBudget::new(100, 75);
    let mut full = budget.request_reservation();
    full.force_grow(95);
    assert!(
        !budget
            .wait_below_soft_limit(Duration::from_millis(20))
            .await
    );
    let waiting = budget.clone();
    let (has_room, ()) = tokio::join!(waiting.wait_below_soft_limit(LONG_TIMEOUT), async {
        tokio::task::yield_now().await;
        full.resize(91);
        tokio::task::yield_now().await;
        full.resize(50);
    });
    assert!(has_room);
    assert_eq!(budget.0.waiters.load(Ordering::SeqCst), 0);
}

#[test]
fn a_blocked_thread_goes_on_when_memory_is_released_or_on_timeout() {
    let budget = MemoryBudget::new(100, 75);
    let mut full = budget.request_reservation();
    full.force_grow(95);
    let late = budget.reserve_blocking(10, Duration::from_millis(20));
    assert_eq!(budget.used(), 105, "above the limit");
    drop(late);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| budget.reserve_blocking(50, LONG_TIMEOUT));
        while budget.0.blocked.count.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        full.resize(60);
        full.resize(50);
        let reserved = waiting.join().unwrap();
        assert_eq!(budget.used(), 100);
        drop(reserved);
    });
    assert_eq!(budget.used(), 50);
}
