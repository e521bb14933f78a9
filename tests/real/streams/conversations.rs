//! WebSockets: three origins and three clients, each with another library, run the conversations of
//! `conversations.json`.

use super::trial::{Trial, scenario, scenarios};

const CLIENTS: [&str; 3] = ["ws_websockets.py", "ws_aiohttp.py", "ws_ws.mjs"];

#[test]
#[ignore = "needs packages of Python and Node: see .ci/run"]
fn with_an_origin_of_websockets() {
    println!("\n{}", held_again("with_websockets.py"));
}

#[test]
#[ignore = "needs packages of Python and Node: see .ci/run"]
fn with_an_origin_of_aiohttp() {
    println!("\n{}", held_again("with_aiohttp.py"));
}

#[test]
#[ignore = "needs packages of Python and Node: see .ci/run"]
fn with_an_origin_of_ws() {
    println!("\n{}", held_again("with_ws.mjs"));
}

/// Runs all clients with an origin; returns a table of the counts.
fn held_again(origin: &'static str) -> String {
    let (all, table) = Trial::new(origin, &CLIENTS).run();
    for told in all {
        assert!(scenarios(&told).len() >= 39, "{told:#}");
        // The greeting lists the received headers: the gateway's own headers are not forwarded.
        let greeting = scenario(&told, "server speaks first").to_string();
        assert!(greeting.contains("sec-websocket-key"), "{greeting}");
        assert!(!greeting.contains("ouli"), "{greeting}");
    }
    table
}
