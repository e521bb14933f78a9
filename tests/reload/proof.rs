//! Shadow comparison of a new plugin version, and its roll-back.

use std::fs;
use std::sync::Arc;

use super::two_exchanges;
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder, Running};
use crate::support::origin::{self, Gate};
use crate::support::plugins::fixture;
use crate::support::until;

/// Replays two exchanges with a matcher that compares method and path only.
fn with_swap_a(section: &str) -> Running {
    over(&two_exchanges(), section).start()
}

fn over(folder: &Arc<Folder>, section: &str) -> Builder {
    gateway::replay(folder)
        .plugin("own.wasm", &fixture("swap-a"))
        .section(&format!("[[plugin]]\nfile = \"own.wasm\"\n{section}"))
}

fn compared(gateway: &Running) -> String {
    let live = gateway.status().live;
    let own = live.iter().find(|one| one.name == "own.wasm").unwrap();
    own.shadow_comparison.clone().unwrap_or_default()
}

fn rejected(gateway: &Running) -> (String, String) {
    let rejected = gateway.status().rejected;
    assert_eq!(rejected.len(), 1, "{rejected:?}");
    (rejected[0].stage.clone(), rejected[0].reason.clone())
}

#[test]
fn differences_are_counted_and_shown_by_example() {
    let gateway = with_swap_a("");
    gateway
        .folder
        .put_plugin("own.wasm", &fixture("asked-matcher"));
    assert!(gateway.reload());
    let report = compared(&gateway);
    for part in [
        "compared on 2 of 2 recorded exchanges",
        "2 keys differ, 0 redactions differ, 0 verdicts differ",
        "1 distinct keys become 2",
        "default 1 POST /ask?rest=one: part `version` removed, part `kind` added",
    ] {
        assert!(report.contains(part), "{report}");
    }
}

#[test]
fn redactions_and_verdicts_count_too() {
    let folder = gateway::echoed(|client| {
        let ask = client.ask("POST", "/a").header("x-mail", "ann@example.com");
        assert_eq!(ask.body("{\"pin\": 1234}").send().status, 200);
    });
    let gateway = over(&folder, "").start();
    gateway
        .folder
        .put_plugin("own.wasm", &fixture("asked-redactor"));
    assert!(gateway.reload());
    let report = compared(&gateway);
    assert!(report.contains("1 redactions differ"), "{report}");
    assert!(
        report.contains("header x-mail redacted differently"),
        "{report}"
    );
    gateway
        .folder
        .put_plugin("own.wasm", &fixture("asked-policy"));
    assert!(gateway.reload());
    let report = compared(&gateway);
    assert!(report.contains("1 redactions differ"), "{report}");
}

#[test]
fn a_difference_may_be_a_reason_to_refuse() {
    let gateway = with_swap_a("on_difference = \"reject\"");
    let client = client::http1(&gateway);
    let found = |client: &client::Client| client.ask("POST", "/ask").send().status;
    assert_eq!(found(&client), 200);
    let before = gateway.status().live[0].sha256.clone();
    gateway
        .folder
        .put_plugin("own.wasm", &fixture("asked-matcher"));
    gateway.reload();
    let (stage, reason) = rejected(&gateway);
    assert!(
        stage == "shadow" && reason.contains("2 keys differ"),
        "{stage} {reason}"
    );
    assert_eq!(gateway.status().live[0].sha256, before);
    assert_eq!(found(&client), 200);
}

#[test]
fn a_version_that_fails_where_its_predecessor_did_not_is_refused() {
    let folder = gateway::echoed(|client| assert_eq!(client.get("/boom").status, 200));
    let gateway = over(&folder, "").start();
    gateway.folder.put_plugin("own.wasm", &fixture("trapper"));
    gateway.reload();
    let (stage, reason) = rejected(&gateway);
    assert!(
        stage == "shadow" && reason.contains("the new version fails on 1"),
        "{stage} {reason}"
    );
}

#[test]
fn the_comparison_is_bounded() {
    let folder = gateway::echoed(|client| {
        for number in 0..200 {
            client.get(&format!("/{number}"));
        }
    });
    for (limits, all) in [
        ("shadow_exchanges = 1", "compared on 1 of 200"),
        ("shadow_exchanges = 0", "no recorded exchanges to compare"),
        ("shadow_timeout = \"1ms\"", "of 200 recorded exchanges"),
    ] {
        let limits = format!("[limits]\n{limits}");
        let gateway = over(&folder, "").section(&limits).start();
        gateway.folder.put_plugin("own.wasm", &fixture("swap-b"));
        assert!(gateway.reload());
        let report = compared(&gateway);
        assert!(report.contains(all), "{limits}: {report}");
        assert!(!report.contains("compared on 200"), "{limits}: {report}");
        // The next version is compared, too.
        gateway.folder.put_plugin("own.wasm", &fixture("swap-a"));
        assert!(gateway.reload());
        assert!(compared(&gateway).contains(all), "{limits}: {report}");
    }
}

#[test]
fn a_version_that_fails_once_live_is_rolled_back() {
    let folder = gateway::echoed(|client| assert_eq!(client.get("/fine").status, 200));
    let gateway = over(&folder, "").watched().start();
    let client = client::http1(&gateway);
    let good = gateway.status().live[0].sha256.clone();
    gateway
        .folder
        .put_plugin("own.wasm", &fixture("late-trapper"));
    until("the new version", || {
        (gateway.status().live[0].sha256 != good).then_some(())
    });
    let status = gateway.status();
    assert_eq!(
        status.live[0].fallback_sha256.as_deref(),
        Some(good.as_str())
    );
    assert_eq!(client.get("/fine").status, 200);
    for number in 0..3 {
        client.get(&format!("/boom/{number}"));
    }
    until("the version before", || {
        (gateway.status().live[0].sha256 == good).then_some(())
    });
    let (stage, reason) = rejected(&gateway);
    assert_eq!(stage, "live");
    assert!(
        reason.contains("rolled back") && reason.contains("limits.plugin_failure_threshold"),
        "{reason}"
    );
    // The request was a hit before and is a hit now: keys are those of the current version.
    assert_eq!(client.get("/fine").status, 200);
    // The refused file is not tried again.
    gateway.reload();
    assert_eq!(gateway.status().live[0].sha256, good);
}

#[test]
fn a_thousand_versions_drain_and_are_freed() {
    let folder = two_exchanges();
    let versions = [fixture("one-part"), fixture("asked-matcher")];
    let gateway = gateway::replay(&folder)
        .plugin("own.wasm", &versions[0])
        .section("[limits]\nshadow_exchanges = 0")
        .start();
    let client = client::http1(&gateway);
    for swap in 1..=1_000_u64 {
        let version = usize::from(swap % 2 == 1);
        gateway.folder.put_plugin("own.wasm", &versions[version]);
        assert!(gateway.reload(), "swap {swap}");
        if swap % 100 == 0 {
            assert_eq!(client.ask("POST", "/ask").send().status, 404);
            let status = gateway.status();
            assert_eq!(status.generation, 1 + swap);
            // The previous version is kept for a roll-back; all others are freed.
            assert!(status.draining.is_empty(), "{:?}", status.draining);
            assert!(status.draining_generations.is_empty(), "{status:?}");
        }
    }
}

#[test]
fn an_old_version_drains_with_its_last_request() {
    let gate = Gate::new();
    let held = gate.clone();
    let slow = move |_: &origin::Seen| origin::parts().part("first").wait(&held).part("last");
    let origin = origin::new().route("/slow", slow).start();
    let gateway = gateway::record(&origin)
        .plugin("own.wasm", &fixture("swap-a"))
        .start();
    std::thread::scope(|scope| {
        let client = client::http1(&gateway);
        let asked = scope.spawn(move || client.get("/slow").status);
        until("the request", || (origin.seen().len() == 1).then_some(()));
        for name in ["swap-b", "one-part"] {
            gateway.folder.put_plugin("own.wasm", &fixture(name));
            assert!(gateway.reload());
        }
        let status = gateway.status();
        assert_eq!(status.draining[0].until_generation, 1, "{status:?}");
        gate.open();
        assert_eq!(asked.join().unwrap(), 200);
    });
    until("the old version to be freed", || {
        let status = gateway.status();
        status.draining.is_empty().then_some(())
    });
}

#[test]
fn a_recording_gateway_compares_on_the_existing_cassette() {
    let folder = two_exchanges();
    let origin = origin::simple();
    let gateway = gateway::over(&folder, "record")
        .upstream(&origin.url())
        .plugin("own.wasm", &fixture("swap-a"))
        .section("[[plugin]]\nfile = \"own.wasm\"")
        .start();
    // A session is in use after its first request, which puts the cassette aside.
    client::http1(&gateway).ask("HEAD", "/nowhere").send();
    gateway.folder.put_plugin("own.wasm", &fixture("swap-b"));
    assert!(gateway.reload());
    let report = compared(&gateway);
    assert!(report.contains("keys differ"), "{report}");
}

/// A run of `record` that has recorded nothing yet: what it put aside tells the differences.
#[test]
fn a_recording_gateway_compares_on_the_cassette_that_was_put_aside() {
    let folder = two_exchanges();
    let cassette = folder.cassette("default");
    fs::rename(&cassette, cassette.with_extension("jsons.previous")).unwrap();
    fs::write(&cassette, ouli_cassette::HEADER).unwrap();
    let gate = Gate::new();
    let held = gate.clone();
    let slow = move |_: &origin::Seen| origin::parts().wait(&held).part("a");
    let origin = origin::new().route("/slow", slow).start();
    let gateway = gateway::over(&folder, "record")
        .upstream(&origin.url())
        .plugin("own.wasm", &fixture("swap-a"))
        .section("[[plugin]]\nfile = \"own.wasm\"")
        .start();
    std::thread::scope(|scope| {
        let client = client::http1(&gateway);
        scope.spawn(move || client.get("/slow").status);
        until("the request", || (origin.seen().len() == 1).then_some(()));
        gateway.folder.put_plugin("own.wasm", &fixture("swap-b"));
        assert!(gateway.reload());
        let report = compared(&gateway);
        gate.open();
        assert!(report.contains("of 2 recorded exchanges, "), "{report}");
        assert!(report.contains("keys differ"), "{report}");
    });
}
