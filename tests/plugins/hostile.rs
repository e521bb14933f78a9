//! A plugin that abuses the host in every way: each attempt ends, says why, and harms nobody else.

use std::time::{Duration, Instant};

use crate::support::client::{self, Client};
use crate::support::gateway::{self, Running};
use crate::support::plugins::fixture;

/// A gateway whose matcher abuses it under `/abuse/`, and fails the request where it fails.
fn abused(more: &str) -> Running {
    let folder = gateway::echoed(|client| assert_eq!(client.get("/fine").status, 200));
    let section = "[[plugin]]\nfile = \"own.wasm\"\non_error = \"fail\"";
    gateway::replay(&folder)
        .plugin("own.wasm", &fixture("abuser"))
        .section(&format!("{section}\n{more}"))
        .start()
}

/// What the gateway says of an attempt.
fn attempt(client: &Client, how: &str) -> String {
    let start = Instant::now();
    let answer = client.get(&format!("/abuse/{how}"));
    assert!(start.elapsed() < Duration::from_secs(5), "{how}");
    let said = answer.text().to_owned();
    assert_eq!(
        (answer.status, answer.header("ouli-error")),
        (500, "plugin"),
        "{how}: {said}"
    );
    assert!(said.len() < 4096, "{how} makes a report of {}", said.len());
    said
}

#[test]
fn whatever_it_tries_ends_with_a_reason() {
    let gateway = abused("limits = { plugin_failure_threshold = 1000 }");
    let client = client::http1(&gateway);
    for (how, reason) in [
        ("loop", "limits.matcher_cpu_time"),
        ("recursion", "trapped"),
        ("memory", "limits.plugin_memory"),
        ("parts", "limits.plugin_key_parts"),
        ("giant-part", "limits.plugin_key_bytes"),
        ("giant-name", "limits.plugin_key_bytes"),
        ("giant-text", "limits.plugin_text_bytes"),
        ("giant-log", "limits.plugin_text_bytes"),
        ("giant-header", "limits.plugin_text_bytes"),
        ("giant-query", "limits.plugin_text_bytes"),
        ("giant-pointer", "limits.plugin_text_bytes"),
        ("log-flood", "limits.plugin_text_bytes"),
        ("giant-error", "refused"),
        ("panic", "panicked"),
        ("exit", "trapped"),
        ("reenter", "cannot leave component instance"),
        ("handles", "trapped"),
        ("handle", "trapped"),
        ("handle-zero", "trapped"),
        ("back", "trapped"),
        ("name-address", "trapped"),
        ("name-length", "trapped"),
        ("name-not-utf-8", "trapped"),
        ("pointer-address", "trapped"),
        ("drop", "trapped"),
        ("key-handle", "trapped"),
        ("key-value", "trapped"),
        ("key-list", "trapped"),
        ("ask", "cannot be called here"),
        ("pointer", "no pointer"),
        ("but", "no pointer"),
        ("digest", "unknown digest algorithm"),
        ("class", "is not a class"),
        ("no-such-abuse", "panicked"),
    ] {
        // So many megabytes take their time on a busy machine.
        let said = attempt(&client, how);
        let late = said.contains("limits.matcher_cpu_time");
        assert!(late || said.contains(reason), "{how}: {said}");
        assert_eq!(client.get("/fine").status, 200, "after {how}");
    }
}

#[test]
fn what_is_in_range_after_all_is_answered() {
    let gateway = abused("limits = { plugin_failure_threshold = 1000 }");
    let client = client::http1(&gateway);
    for how in ["body-range", "part", "attribute", "header", "level"] {
        let answer = client.get(&format!("/abuse/{how}"));
        // So much takes longer than a matcher has.
        let late = answer.text().contains("limits.matcher_cpu_time");
        assert!(
            late || answer.header("ouli-error") == "miss",
            "{how}: {}",
            answer.text()
        );
        assert_eq!(client.get("/fine").status, 200, "after {how}");
    }
}

#[test]
fn one_that_traps_without_end_is_paused() {
    let gateway = abused("limits = { plugin_failure_threshold = 3, plugin_backoff = \"60s\" }");
    let client = client::http1(&gateway);
    for _ in 0..3 {
        assert!(attempt(&client, "panic").contains("panicked"));
    }
    let before = used(&gateway, "own.wasm");
    for _ in 0..20 {
        let said = attempt(&client, "panic");
        assert!(
            said.contains("paused") && said.contains("limits.plugin_failure_threshold"),
            "{said}"
        );
    }
    let after = used(&gateway, "own.wasm");
    assert_eq!(
        after.instances_started, before.instances_started,
        "no copy is started for it"
    );
    let paused = gateway.status().live[0].paused.clone().unwrap();
    assert!(
        paused.contains("limits.plugin_failure_threshold"),
        "{paused}"
    );
}

fn used(gateway: &Running, name: &str) -> ouli_plugin::UsageSnapshot {
    let live = gateway.status().live;
    live.iter().find(|one| one.name == name).unwrap().usage
}
