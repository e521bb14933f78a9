//! The lifetime of plugin instances and the answer cache.

use std::sync::Arc;

use ouli_plugin::UsageSnapshot;

use crate::support::binary::program;
use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::plugins::fixture;

/// A gateway with one plugin; its section has these lines.
fn with(name: &str, section: &str) -> Running {
    gateway::replay(&Arc::new(Folder::new()))
        .plugin("own.wasm", &fixture(name))
        .section(&format!("[[plugin]]\nfile = \"own.wasm\"\n{section}"))
        .start_with(1)
}

fn used(gateway: &Running) -> UsageSnapshot {
    let live = gateway.status().live;
    live.iter()
        .find(|one| one.name == "own.wasm")
        .unwrap()
        .usage
}

/// Sends one request for each of this many paths.
fn ask(client: &Client, count: usize) {
    for number in 0..count {
        assert_eq!(client.get(&format!("/{number}")).status, 404);
    }
}

/// Instances started for this many requests, without those of the start.
fn started(section: &str, requests: usize) -> u64 {
    let gateway = with("one-part", section);
    let before = used(&gateway).instances_started;
    ask(&client::http1(&gateway), requests);
    used(&gateway).instances_started - before
}

#[test]
fn instances_are_reused() {
    assert_eq!(started("", 50), 0);
}

#[test]
fn an_instance_is_replaced_by_calls_age_and_memory() {
    for limit in [
        "plugin_max_calls_per_instance = 1",
        "plugin_max_instance_age = \"1ms\"",
        "plugin_idle_memory = \"64 KiB\"",
    ] {
        let more = started(
            &format!("limits = {{ {limit}, plugin_answer_cache = 0 }}"),
            20,
        );
        assert!(more >= 5, "{limit}: {more}");
    }
}

#[test]
fn each_call_may_have_a_fresh_instance() {
    let gateway = with("counter", "instances = \"fresh\"");
    let client = client::http1(&gateway);
    ask(&client, 10);
    let used = used(&gateway);
    assert_eq!(used.instances, 0, "no instance is kept");
    assert!(used.instances_started >= 10, "{used:?}");
}

#[test]
fn instances_start_before_the_first_request() {
    let gateway = with("one-part", "");
    let used = used(&gateway);
    assert!(used.instances >= 2, "one for each calling thread: {used:?}");
}

#[test]
fn prepare_runs_once_for_all_instances() {
    let folder = Folder::new();
    folder.put_plugin("own.wasm", &fixture("prepares"));
    let section =
        "[[plugin]]\nfile = \"own.wasm\"\nlimits = { plugin_max_calls_per_instance = 1 }\n";
    folder.write_config(section);
    let replay = program(&folder, &["replay", "--listen", "127.0.0.1:0"]);
    let mut process = replay.env("RUST_LOG", "ouli=info").start();
    let client = client::at(process.address(), http::Version::HTTP_11);
    for number in 0..20 {
        let missed = client.get(&format!("/{number}")).text().to_owned();
        assert!(!missed.contains("\"plugin\""), "{missed}");
    }
    let ended = process.stop();
    let said = ended.stderr.matches("prepare has run").count();
    assert_eq!(said, 1, "{}", ended.stderr);
}

#[test]
fn a_plugin_that_only_declares_has_no_instance() {
    let gateway = with("declares", "");
    ask(&client::http1(&gateway), 10);
    let used = used(&gateway);
    assert_eq!((used.instances, used.calls, used.host_calls), (0, 0, 0));
}

#[test]
fn a_plugin_with_other_routes_is_not_called() {
    let gateway = with("one-part", "routes = [\"/elsewhere/*\"]");
    let before = used(&gateway).calls;
    ask(&client::http1(&gateway), 10);
    assert_eq!(used(&gateway).calls, before);
}

#[test]
fn calls_and_host_calls_are_counted() {
    let gateway = with("one-part", "limits = { plugin_answer_cache = 0 }");
    let before = used(&gateway);
    client::http1(&gateway).get("/a");
    let after = used(&gateway);
    let calls = after.calls - before.calls;
    assert!(calls > 0);
    // One header, one pointer, one part.
    assert_eq!(after.host_calls - before.host_calls, 3 * calls);
}

#[test]
fn one_concurrent_call_serves_many_requests() {
    let gateway = gateway::replay(&Arc::new(Folder::new()))
        .plugin("own.wasm", &fixture("one-part"))
        .section("[[plugin]]\nfile = \"own.wasm\"\non_error = \"fail\"")
        .section("limits = { plugin_max_concurrent_calls = 1, plugin_answer_cache = 0 }")
        .start();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| ask(&client::http1(&gateway), 50));
        }
    });
}

#[test]
fn answers_of_a_slow_matcher_are_cached() {
    let post = |client: &Client, body: &str| client.ask("POST", "/a").body(body).send().status;
    for (section, expected) in [("", true), ("limits = { plugin_answer_cache = 0 }", false)] {
        let gateway = with("slow-matcher", section);
        let client = client::http1(&gateway);
        post(&client, "one");
        let before = used(&gateway);
        for _ in 0..5 {
            assert_eq!(post(&client, "one"), 404);
        }
        let after = used(&gateway);
        let asked = after.calls > before.calls;
        assert_eq!(
            (asked, after.cache_hits > before.cache_hits),
            (!expected, expected)
        );
        post(&client, "two");
        assert!(
            used(&gateway).calls > after.calls,
            "another request calls the plugin"
        );
    }
}

#[test]
fn handles_are_released_after_each_call() {
    let gateway = with(
        "hashy",
        "on_error = \"fail\"\nlimits = { plugin_handles = 32, plugin_answer_cache = 0 }",
    );
    ask(&client::http1(&gateway), 100);
    assert_eq!(used(&gateway).failures, 0);
}

#[test]
fn the_wall_clock_restarts_with_each_call_and_the_monotonic_clock_does_not() {
    let folder = gateway::echoed(|client| assert_eq!(client.get("/a").status, 200));
    let gateway = gateway::replay(&folder)
        .plugin("own.wasm", &fixture("timely"))
        .section("[[plugin]]\nfile = \"own.wasm\"\non_error = \"fail\"")
        .start();
    let client = client::http1(&gateway);
    for _ in 0..5 {
        assert_eq!(client.get("/a").status, 200);
    }
    assert_eq!(gateway.status().live[0].retained_state, None);
}

#[test]
fn retained_state_is_detected() {
    let gateway = with("counter", "");
    let live = gateway.status().live;
    let state = live[0].retained_state.as_deref().unwrap();
    assert!(state.contains("depends on earlier calls"), "{state}");
    for pure in ["one-part", "hashy", "asked-matcher", "late-trapper"] {
        let gateway = with(pure, "");
        assert_eq!(gateway.status().live[0].retained_state, None, "{pure}");
    }
}
