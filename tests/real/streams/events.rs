//! Event streams and lines of JSON: httpx tells the bytes, eventsource the events.

use serde_json::Value;

use super::trial::{Trial, scenario, scenarios};
use crate::secrets::Secrets;

const CLIENTS: [&str; 2] = ["sse_httpx.py", "sse_eventsource.mjs"];

/// The origin sends five events, this many milliseconds apart.
const PAUSE: u64 = 20;

#[test]
#[ignore = "needs packages of Python and Node: see .ci/run"]
fn are_read_again_without_the_origin() {
    let trial = Trial::new("events.py", &CLIENTS);
    let (told, table) = trial.run();
    println!("\n{table}");
    assert!(told.iter().all(|told| scenarios(told).len() >= 18));
    let of_httpx = &told[0];
    // The gateway held nothing up, and it told the origin when a client had left.
    assert!(spread(of_httpx) >= 3 * PAUSE, "{of_httpx:#}");
    assert_eq!(of_httpx["cut"], 2);

    let paced = ["--timing", "recorded"];
    let (told, wrong) = trial.replay("paced", &paced, &Secrets::while_recording());
    assert_eq!(wrong, None);
    assert!(spread(&told[0]) >= 3 * PAUSE, "{:#}", told[0]);
}

/// The time from the first part of the paused stream to its last one, in milliseconds.
fn spread(told: &Value) -> u64 {
    let timing = &scenario(told, "paused")["timing"];
    let at = |name: &str| timing[name][0].as_u64().unwrap();
    at("last") - at("first")
}
