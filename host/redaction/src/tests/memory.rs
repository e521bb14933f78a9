//! The memory of the secrets of all sessions, and what they are searched by.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use crate::secret::SeenIn;
use crate::{Guard, SecretBounds, SecretMemory, Secrets};

fn value(session: usize, number: usize) -> String {
    let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("t0k{session:03}{mixed:016x}")
}

fn register(secrets: &Secrets, session: usize, count: usize) {
    (0..count).for_each(|number| secrets.register("token", value(session, number).as_bytes()));
}

fn is_known(secrets: &Secrets, value: &str) -> bool {
    secrets.searcher().find_any(value.as_bytes()).is_some()
}

#[test]
fn threads_at_once_build_the_search_index_once() {
    let secrets = Secrets::default();
    register(&secrets, 0, 2000);
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                assert!(is_known(&secrets, &value(0, 1999)));
            });
        }
    });
    assert_eq!(secrets.building.encoded.load(Ordering::Relaxed), 2000);
    register(&secrets, 1, 10);
    assert!(is_known(&secrets, &value(1, 9)));
    assert_eq!(secrets.building.encoded.load(Ordering::Relaxed), 2010);
}

#[test]
fn a_snapshot_is_given_up_at_its_deadline_and_what_is_built_stays() {
    let secrets = Secrets::default();
    register(&secrets, 0, 100);
    let now = Instant::now();
    assert!(secrets.snapshot_until(100, now).is_none());
    // Another thread builds.
    let building = secrets.building.short.lock();
    let soon = Instant::now() + Duration::from_millis(20);
    assert!(secrets.snapshot_until(100, soon).is_none());
    drop(building);
    let later = now + Duration::from_secs(3600);
    let snapshot = secrets.snapshot_until(100, later).unwrap();
    let text = value(0, 5);
    assert!(
        Guard::new(&[])
            .scan_for(text.as_bytes(), &snapshot)
            .is_err()
    );
    // Everything is ready: no time is needed.
    assert!(secrets.snapshot_until(100, now).is_some());
}

#[test]
fn the_secrets_of_all_sessions_stay_within_their_memory() {
    let limit = 1 << 20;
    let memory = Arc::new(SecretMemory::new(limit));
    let session = || Secrets::in_memory(SecretBounds::default(), &memory);
    let all: Vec<_> = (0..20).map(|_| session()).collect();
    for (number, secrets) in all.iter().enumerate() {
        let begun = secrets.begin_exchange();
        register(secrets, number, 400);
        assert!(is_known(secrets, &value(number, 0)), "session {number}");
        secrets.register("token", b"one more of this session");
        assert!(memory.used() <= limit, "{} bytes", memory.used());
        assert!(
            !secrets.has_lost_since(begun),
            "session {number} is recorded"
        );
    }
    assert!(
        !is_known(&all[0], &value(0, 399)),
        "the oldest are forgotten"
    );
    // The guard still finds what was recorded lately.
    let guard = Guard::new(&[]);
    let newest = all.len() - 4;
    let text = value(newest, 0);
    assert!(guard.scan(text.as_bytes(), &all[newest]).is_err());
    drop(all);
    assert_eq!(memory.used(), 0);
}

#[test]
fn what_was_only_looked_up_is_forgotten_before_recordings_of_other_sessions() {
    let memory = Arc::new(SecretMemory::new(1 << 20));
    let [recorded, looked_up] =
        [(); 2].map(|()| Secrets::in_memory(SecretBounds::default(), &memory));
    register(&recorded, 0, 100);
    for number in 0..20_000 {
        let value = value(1, number);
        looked_up.get_or_register(
            &"rule".into(),
            "token",
            value.as_bytes(),
            SeenIn::Lookup,
            || true,
        );
    }
    assert_eq!(recorded.len(), 100);
    assert!(looked_up.len() < 20_000);
    assert!(is_known(&looked_up, &value(1, 19_999)));
}

#[test]
fn a_higher_limit_is_in_force_at_once() {
    let memory = Arc::new(SecretMemory::new(100 << 10));
    let secrets = Secrets::in_memory(SecretBounds::default(), &memory);
    register(&secrets, 0, 2000);
    assert!(secrets.len() < 1000);
    memory.set_limit(100 << 20);
    register(&secrets, 1, 2000);
    assert!(secrets.len() >= 2000);
    memory.set_limit(100 << 10);
    secrets.register("token", b"one more secret");
    assert!(secrets.len() < 1000);
}

#[test]
fn fingerprints_take_a_part_of_the_memory() {
    let memory = Arc::new(SecretMemory::new(1 << 20));
    let mut lost = 0;
    let sessions: Vec<_> = (0..40)
        .map(|number| {
            let secrets = Secrets::in_memory(SecretBounds::default(), &memory);
            register(&secrets, number, 500);
            assert!(secrets.len() == 500, "session {number}: {}", secrets.len());
            secrets
        })
        .collect();
    for secrets in &sessions {
        lost += secrets.take_forgotten();
    }
    assert!(
        lost > 0,
        "counted, so the next exchange of the session fails the verdict"
    );
    assert!(memory.used() <= 1 << 20);
}

#[test]
fn values_that_clients_made_up_stay_within_the_memory_of_all_sessions() {
    let limit = 1 << 20;
    let memory = Arc::new(SecretMemory::new(limit));
    let all: Vec<_> = (0..8)
        .map(|_| Secrets::in_memory(SecretBounds::default(), &memory))
        .collect();
    let id = |session: usize, number: usize| -> Arc<str> { value(session, number).into() };
    all[0].see_minted([&id(0, 0)], true);
    for number in 0..3_000 {
        for (session, secrets) in all.iter().enumerate() {
            secrets.see_minted([&id(session, number + 1)], false);
            assert!(memory.used() <= limit, "{} bytes", memory.used());
        }
    }
    // The latest one of every session is known, and what was recorded.
    let is_known =
        |session: usize, number| all[session].minted().get(&id(session, number)).is_some();
    assert!((0..8).all(|session| is_known(session, 3_000) && !is_known(session, 1)));
    assert!(is_known(0, 0));
    // Secrets and values have one memory: what was seen last stays.
    register(&all[1], 1, 4_000);
    assert!(memory.used() <= limit && !is_known(2, 2_000));
    all[2].see_minted([&id(2, 9_000)], false);
    assert!(is_known(2, 9_000));
    let used = memory.used();
    all[3].see_minted([&id(3, 9_000)], false);
    all[3].retain_minted(|value| *value == *id(3, 9_000));
    assert!(is_known(3, 9_000) && all[3].minted().len() == 1);
    assert!(memory.used() <= used + 500);
    drop(all);
    assert_eq!(memory.used(), 0);
}
