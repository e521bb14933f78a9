//! Client, gateway and origin on a simulated network, where links break and time is the
//! simulation's: the same seed is the same run.
//!
//! ```text
//! OULI_SIM_RUNS=5000 cargo test --test suite simulation:: -- --nocapture     many more runs
//! OULI_SIM_SEED=17 OULI_SIM_RUNS=1 cargo test --test suite simulation::      one of them again
//! ```

mod client;
mod gateway;
mod network;
mod origin;
mod plan;
mod reply;
mod run;
mod run_log;

use std::time::{Duration, Instant};

use plan::Plan;

/// The number of runs if `OULI_SIM_RUNS` is not set.
const RUNS: u64 = 50;

fn setting(name: &str, otherwise: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(otherwise, |value| {
        let number = value.parse();
        number.unwrap_or_else(|_| panic!("{name} is a number: {value}"))
    })
}

#[test]
fn responses_are_correct_or_reported_as_failed_under_network_faults() {
    let (runs, first) = (setting("OULI_SIM_RUNS", RUNS), setting("OULI_SIM_SEED", 1));
    let start = Instant::now();
    let (mut requests, mut whole, mut recorded) = (0, 0, 0);
    for seed in first..first + runs {
        let plan = Plan::new(seed);
        if runs == 1 {
            println!("{plan:#?}");
        }
        let outcome = run::run(&plan);
        assert!(
            outcome.wrong.is_empty(),
            "seed {seed}:\n  {}\nagain: OULI_SIM_SEED={seed} OULI_SIM_RUNS=1 \
             cargo test --test suite simulation:: -- --nocapture",
            outcome.wrong.join("\n  ")
        );
        requests += outcome.requests;
        whole += outcome.whole;
        recorded += outcome.recorded;
    }
    println!(
        "{runs} runs in {:.1?}: {requests} requests, {whole} complete, {recorded} recorded",
        start.elapsed()
    );
    // The runs must contain both faults and complete responses, otherwise they prove nothing.
    assert!(runs < RUNS || (whole < requests && whole * 2 > requests));
}

/// All requests share one connection that is never idle, so only the response timeout detects that
/// the upstream is unreachable.
#[test]
fn an_upstream_that_vanishes_is_given_up() {
    let outcome = run::run(&Plan::silent_upstream());
    assert!(outcome.wrong.is_empty(), "{:?}", outcome.wrong);
    // Requests that wait for the connection when it returns have timed out.
    let soon = plan::CALM + Duration::from_secs(2);
    assert!(outcome.last_failure < soon, "{:?}", outcome.last_failure);
    assert!(
        outcome.whole < outcome.requests,
        "the upstream was always reachable"
    );
}

#[test]
fn the_same_seed_is_the_same_run() {
    let first = setting("OULI_SIM_SEED", 1);
    for seed in first..first + 5 {
        let once = run::run(&Plan::new(seed));
        let again = run::run(&Plan::new(seed));
        assert_eq!(once.trace, again.trace, "seed {seed}");
    }
}
