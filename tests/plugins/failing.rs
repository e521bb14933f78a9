//! Plugins that fail under traffic: no client waits and nothing unredacted is written.

use std::sync::Arc;

use ouli_config::Defect;

use crate::support::binary::program;
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder};
use crate::support::origin;
use crate::support::plugins::fixture;
use crate::support::{random, without_hanging};

fn trapping(builder: Builder, function: &str) -> Builder {
    let settings =
        format!("[[plugin]]\nfile = \"own.wasm\"\nsettings = {{ panic = [\"{function}\"] }}");
    builder
        .plugin("own.wasm", &fixture("trapper"))
        .section(&settings)
}

#[test]
fn after_a_failed_matcher_the_next_one_decides() {
    let folder = gateway::echoed(|client| assert_eq!(client.get("/a?x=1").status, 200));
    let trapper = trapping(gateway::replay(&folder), "identify");
    let own = |name: &str| gateway::replay(&folder).plugin("own.wasm", &fixture(name));
    for (name, builder) in [
        ("trap", trapper),
        ("loop", own("looper")),
        ("memory", own("hog")),
    ] {
        let builder = builder.section("[limits]\nplugin_memory = \"8 MiB\"");
        let gateway = builder.start();
        let client = client::http1(&gateway);
        without_hanging(name, || {
            assert_eq!(client.get("/a?x=1").status, 200, "{name}");
            assert_eq!(client.get("/a?x=2").status, 404, "{name}");
        });
    }
}

#[test]
fn on_error_fail_fails_the_request() {
    let folder = gateway::echoed(|client| assert_eq!(client.get("/a").status, 200));
    let gateway = gateway::replay(&folder)
        .plugin("own.wasm", &fixture("trapper"))
        .section("[[plugin]]\nfile = \"own.wasm\"\non_error = \"fail\"")
        .section("settings = { panic = [\"identify\"] }")
        .start();
    let answer = client::http1(&gateway).get("/a");
    assert_eq!(
        (answer.status, answer.header("ouli-error")),
        (500, "plugin")
    );
    assert!(answer.text().contains("own.wasm"), "{}", answer.text());
}

#[test]
fn a_failed_redactor_or_policy_prevents_the_write() {
    for function in ["redact", "decide"] {
        let origin = origin::simple();
        let gateway = trapping(gateway::record(&origin), function).start();
        assert_eq!(
            client::http1(&gateway).get("/hello").text(),
            "good morning\n",
            "{function}"
        );
        let folder = Arc::clone(&gateway.folder);
        let report = gateway.finish();
        assert_eq!((report.recorded, report.passed), (0, false), "{function}");
        let reason = report
            .counted(Defect::PluginError)
            .into_keys()
            .next()
            .unwrap();
        assert!(reason.contains("own.wasm"), "{function}: {reason}");
        assert!(folder.exchanges("default").is_empty(), "{function}");
    }
}

#[test]
fn a_plugin_is_called_again_after_a_failure() {
    let folder = gateway::echoed(|client| {
        client.get("/a?x=1");
        client.get("/b");
    });
    let gateway = trapping(gateway::replay(&folder), "redact").start();
    let client = client::http1(&gateway);
    for _ in 0..3 {
        let answer = client.get("/a?x=1");
        assert_eq!(
            (answer.status, answer.header("ouli-error")),
            (500, "plugin")
        );
    }
}

#[test]
fn panic_messages_of_plugins_are_not_logged() {
    let folder = Folder::new();
    folder.put_plugin("own.wasm", &fixture("leaky-panic"));
    folder.write_config("[[plugin]]\nfile = \"own.wasm\"\nsettings = { known = true }\n");
    let origin = origin::simple();
    let url = origin.url();
    let arguments = [
        "record",
        "--upstream",
        &url,
        "--listen",
        "127.0.0.1:0",
        "--report",
        "r.json",
    ];
    let mut process = program(&folder, &arguments).start();
    let secret = random();
    let client = client::at(process.address(), http::Version::HTTP_11);
    let answer = client
        .ask("GET", "/hello")
        .header("x-secret", &secret)
        .send();
    assert_eq!(answer.status, 200);
    let ended = process.stop();
    let report = std::fs::read_to_string(folder.path().join("r.json")).unwrap();
    for (name, text) in [
        ("stderr", &ended.stderr),
        ("stdout", &ended.stdout),
        ("report", &report),
    ] {
        assert!(!text.contains(&secret), "the secret is in {name}:\n{text}");
    }
    assert!(ended.stderr.contains("own.wasm"), "{}", ended.stderr);
    assert!(folder.exchanges("default").is_empty());
}
