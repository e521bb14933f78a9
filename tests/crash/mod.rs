//! Recordings survive a killed process, a full disk and a second gateway.

mod disk;
mod shared;
pub(crate) mod storm;

/// The number of kills; `OULI_CRASH_ROUNDS` and `OULI_CRASH_SEED` override it.
fn rounds(usual: u64) -> (u64, u64) {
    let number = |name: &str, usual| {
        let set = std::env::var(name).ok();
        set.map_or(usual, |text| text.parse().unwrap())
    };
    (
        number("OULI_CRASH_SEED", 1),
        number("OULI_CRASH_ROUNDS", usual),
    )
}

#[test]
fn acknowledged_exchanges_survive_a_kill() {
    let (seed, rounds) = rounds(10);
    let sum = storm::auto(seed, rounds);
    println!("{sum:?}");
    assert_eq!(sum.rounds, rounds);
    assert!(sum.acknowledged as u64 >= 4 * rounds, "{sum:?}");
}

#[test]
fn the_complete_cassette_survives_recordings_that_are_killed() {
    let (seed, rounds) = rounds(10);
    assert_eq!(storm::record(seed, rounds).rounds, rounds);
}

#[test]
fn a_full_disk_stops_recording_and_nothing_else() {
    if !disk::full(std::time::Duration::ZERO) {
        println!("skipped: file systems cannot be mounted here");
    }
}
