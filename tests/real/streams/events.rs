//! Event streams and JSON lines: httpx reports the bytes, eventsource the events.

use serde_json::Value;

use super::trial::{Trial, scenario, scenarios};
use crate::secrets::Secrets;

const CLIENTS: [&str; 2] = ["sse_httpx.py", "sse_eventsource.mjs"];

/// The pause between the five events of the origin, in milliseconds.
const PAUSE: u64 = 20;

#[test]
#[ignore = "needs packages of Python and Node: see .ci/run"]
fn are_read_again_without_the_origin() {
    let trial = Trial::new("events.py", &CLIENTS);
    let (told, table) = trial.run();
    println!("\n{table}");
    assert!(told.iter().all(|told| scenarios(told).len() >= 18));
    let of_httpx = &told[0];
    // The gateway did not delay the events, and it closed the upstream stream when a client
    // disconnected.
    assert!(spread(of_httpx) >= 3 * PAUSE, "{of_httpx:#}");
    assert_eq!(of_httpx["cut"], 2);

    let paced = ["--timing", "recorded"];
    let (told, wrong) = trial.replay("paced", &paced, &Secrets::while_recording());
    assert_eq!(wrong, None);
    assert!(spread(&told[0]) >= 3 * PAUSE, "{:#}", told[0]);
}

/// The time from the first to the last part of the paused stream, in milliseconds.
fn spread(told: &Value) -> u64 {
    let timing = &scenario(told, "paused")["timing"];
    let at = |name: &str| timing[name][0].as_u64().unwrap();
    at("last") - at("first")
}
