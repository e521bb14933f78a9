//! A plugin that abuses the host: each attempt ends with its reason and affects no other request.

use std::time::Duration;

use crate::support::client::{self, Client};
use crate::support::gateway::{self, Running};
use crate::support::plugins::fixture;
use crate::support::{at_least, until};

/// A gateway whose matcher abuses the host under `/abuse/`; a failure of the matcher fails the
/// request.
fn abused(more: &str) -> Running {
    let folder = gateway::echoed(|client| assert_eq!(client.get("/fine").status, 200));
    let section = "[[plugin]]\nfile = \"own.wasm\"\non_error = \"fail\"";
    gateway::replay(&folder)
        .plugin("own.wasm", &fixture("abuser"))
        .section(&format!("{section}\n{more}"))
        .start()
}

/// Limits for attempts that do not end by a timeout: each ends by its own limit, even on a slow
/// machine.
const NO_TIME_LIMIT: &str =
    "limits = { plugin_failure_threshold = 1000, matcher_cpu_time = \"1h\" }";

/// The reason that the gateway reports for an attempt.
fn attempt(client: &Client, how: &str) -> String {
    let answer = client.get(&format!("/abuse/{how}"));
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
fn every_abuse_ends_with_its_reason() {
    let gateway = abused(NO_TIME_LIMIT);
    let client = client::http1(&gateway);
    for (how, reason) in [
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
        let said = attempt(&client, how);
        assert!(said.contains(reason), "{how}: {said}");
        assert_eq!(client.get("/fine").status, 200, "after {how}");
    }
}

#[test]
fn a_loop_without_end_ends_by_the_time_limit() {
    let gateway = abused("limits = { matcher_cpu_time = \"50ms\" }");
    let client = client::http1(&gateway);
    let said = attempt(&client, "loop");
    assert!(said.contains("limits.matcher_cpu_time"), "{said}");
    assert_eq!(client.get("/fine").status, 200);
}

#[test]
fn unusual_arguments_in_range_are_answered() {
    let gateway = abused(NO_TIME_LIMIT);
    let client = client::http1(&gateway);
    for how in ["body-range", "part", "attribute", "header", "level"] {
        let answer = client.get(&format!("/abuse/{how}"));
        let text = answer.text();
        assert_eq!(answer.header("ouli-error"), "miss", "{how}: {text}");
        assert_eq!(client.get("/fine").status, 200, "after {how}");
    }
}

#[test]
fn a_plugin_that_traps_repeatedly_is_paused() {
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
        "no further instance starts"
    );
    let paused = gateway.status().live[0].paused.clone().unwrap();
    assert!(
        paused.contains("limits.plugin_failure_threshold"),
        "{paused}"
    );
}

#[test]
fn failures_that_are_far_apart_do_not_pause_a_plugin() {
    let limits = "limits = { plugin_failure_threshold = 2, plugin_failure_window = \"1ms\" }";
    let gateway = abused(limits);
    let client = client::http1(&gateway);
    for _ in 0..5 {
        let said = attempt(&client, "panic");
        assert!(said.contains("panicked"), "{said}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_pause_lasts_as_long_as_the_backoff() {
    let limits = "limits = { plugin_failure_threshold = 1, plugin_backoff = \"300ms\" }";
    let gateway = abused(limits);
    let client = client::http1(&gateway);
    at_least(Duration::from_millis(300), || {
        assert!(attempt(&client, "panic").contains("panicked"));
        until("a call after the pause", || {
            let said = attempt(&client, "panic");
            let paused = said.contains("limits.plugin_failure_threshold");
            assert!(paused || said.contains("panicked"), "{said}");
            (!paused).then_some(())
        });
    });
}

fn used(gateway: &Running, name: &str) -> ouli_plugin::UsageSnapshot {
    let live = gateway.status().live;
    live.iter().find(|one| one.name == name).unwrap().usage
}
