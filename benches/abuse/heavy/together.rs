//! All attacks at once on one gateway with the default limits.

use super::super::harness::Harness;
use super::super::{Outcome, none_wrong};
use super::{ATTACKS, Attack, configuration, folder, stop};

/// The most memory of the process in MiB.
const PEAK: u64 = 600;

/// What may be left after a second round, compared with the first.
const LEFT: f64 = 1.1;

/// The rounds: what the first one leaves is kept on purpose, such as the secrets of a session.
const ROUNDS: usize = 2;

fn is_alone(attack: &Attack) -> bool {
    // They need endpoints, a cassette or a configuration of their own.
    ["a name that is not resolved", "odd configuration files"].contains(&attack.name)
        || attack.cassette.is_some()
}

/// The attacks that can run on one gateway at the same time.
pub(in super::super) fn shared() -> impl Iterator<Item = &'static Attack> {
    ATTACKS.iter().filter(|attack| !is_alone(attack))
}

/// Runs all of them at once.
pub(in super::super) fn rush(harness: &Harness) {
    std::thread::scope(|scope| {
        for attack in shared() {
            // What one of them gets while all others run is measured at the well-behaved client.
            scope.spawn(|| (attack.run)(harness));
        }
    });
}

pub(in super::super) fn all() -> Outcome {
    let harness = Harness::configured(&configuration(""), folder(None));
    let mut left = Vec::new();
    let (measured, mut faults) = harness.under(|| {
        for _ in 0..ROUNDS {
            rush(&harness);
            left.push(harness.settled());
        }
        Vec::new()
    });
    let peak = measured.peak >> 20;
    if peak > PEAK {
        faults.push(format!("a peak of {peak} MiB"));
    }
    let (first, second) = (left[0], left[1]);
    if second as f64 > first as f64 * LEFT {
        faults.push(format!("{} MiB left, then {}", first >> 20, second >> 20));
    }
    faults.extend(stop(harness).0);
    let word = format!(
        "peak {peak} MiB, left {} and {} MiB",
        first >> 20,
        second >> 20
    );
    (measured, none_wrong(word, &faults))
}
