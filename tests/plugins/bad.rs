//! Invalid plugins: the gateway does not start and reports the reason.

use std::sync::Arc;

use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder};
use crate::support::plugins::{core_module, fixture, importing};

fn with(bytes: &[u8]) -> Builder {
    gateway::replay(&Arc::new(Folder::new())).plugin("own.wasm", bytes)
}

fn refusal(builder: &Builder) -> String {
    let refused = builder.try_start().err();
    refused.expect("the gateway does not start").to_string()
}

#[test]
fn every_bad_plugin_is_named_with_its_reason() {
    let swap = fixture("swap-a");
    let cases: [(&str, Vec<u8>, &str); 9] = [
        (
            "a core module",
            core_module(),
            "a core module; build for the target wasm32-wasip2",
        ),
        (
            "garbage",
            b"this is no wasm".to_vec(),
            "not a WebAssembly component",
        ),
        ("nothing", Vec::new(), "not a WebAssembly component"),
        (
            "half a component",
            swap[..swap.len() / 2].to_vec(),
            "does not compile",
        ),
        (
            "an import",
            importing("wasi:http/types@0.2.0"),
            "imports `wasi:http/types@0.2.0`",
        ),
        (
            "another import",
            importing("acme:disk/write"),
            "imports `acme:disk/write`",
        ),
        ("no role", b"\0asm\x0d\0\x01\0".to_vec(), "exports no role"),
        (
            "a refusal",
            fixture("bad-prepare"),
            "this plugin wants what it cannot have",
        ),
        ("no end", fixture("slow-prepare"), "prepare_cpu_time"),
    ];
    for (what, bytes, reason) in cases {
        let builder = with(&bytes).section("[[plugin]]\nfile = \"own.wasm\"");
        let text = refusal(&builder.section("[limits]\nprepare_cpu_time = \"300ms\""));
        assert!(
            text.contains("own.wasm") && text.contains(reason),
            "{what}: {text}"
        );
    }
}

#[test]
fn a_call_that_uses_the_network_ends() {
    let section = "[[plugin]]\nfile = \"own.wasm\"\non_error = \"fail\"";
    let builder = with(&fixture("greedy")).upstream("http://127.0.0.1:9");
    let gateway = builder.section(section).start();
    let answer = client::http1(&gateway).get("/");
    assert_eq!(
        (answer.status, answer.header("ouli-error")),
        (500, "plugin")
    );
    let text = answer.text();
    assert!(
        text.contains("wasi:sockets/") && text.contains("plugins have no network"),
        "{text}"
    );
}

#[test]
fn all_bad_plugins_are_reported_at_once() {
    let named = |file: &str| format!("[[plugin]]\nfile = \"{file}\"\n");
    let builder = with(b"garbage").plugin("other.wasm", &core_module());
    let text = refusal(&builder.section(&(named("missing.wasm") + &named("other.wasm"))));
    for file in ["own.wasm", "other.wasm", "missing.wasm"] {
        assert!(text.contains(file), "{file} not in {text}");
    }
}

#[test]
fn unknown_plugin_settings_are_refused() {
    let settings = "[[plugin]]\nfile = \"own.wasm\"\nsettings = { panics = [] }";
    let text = refusal(&with(&fixture("trapper")).section(settings));
    assert!(
        text.contains("unknown setting `panics`, expected `panic`"),
        "{text}"
    );
    let text = refusal(&with(&fixture("swap-a")).section("[matcher]\nignore_bdy = []"));
    assert!(
        text.contains("ignore_bdy") && text.contains("ignore_body"),
        "{text}"
    );
}

#[test]
fn a_plugin_over_its_limits_is_refused() {
    let text = refusal(&with(&fixture("swap-a")).section("[limits]\nplugin_file = \"1 KiB\""));
    assert!(text.contains("limits.plugin_file"), "{text}");
    let text = refusal(&with(&fixture("swap-a")).section("[limits]\nplugin_key_parts = 2"));
    assert!(text.contains("plugin_key_parts"), "{text}");
    let text = refusal(&with(&fixture("swap-a")).section("[limits]\nplugin_rules = 3"));
    assert!(text.contains("plugin_rules"), "{text}");
}

#[test]
fn a_redactor_with_a_wrong_rule_is_refused() {
    let builder = with(&fixture("swap-a")).section("[redactor]\npatterns = { pin = \"(\" }");
    let text = refusal(&builder);
    assert!(text.contains("pattern.pin"), "{text}");
}

#[test]
fn files_of_other_programs_are_skipped_unless_they_are_named() {
    for bytes in [
        core_module(),
        importing("wasi:http/types@0.2.0"),
        importing("acme:disk/write"),
        b"\0asm\x0d\0\x01\0".to_vec(),
    ] {
        let builder = with(&bytes).plugin("swap.wasm", &fixture("swap-a"));
        let gateway = builder.start();
        let status = gateway.status();
        assert_eq!(status.live[0].name, "swap.wasm");
        assert_eq!(status.rejected[0].name, "own.wasm", "{status:?}");
        // It is not compiled again and again.
        assert!(!gateway.reload());
        let named = builder.section("[[plugin]]\nfile = \"own.wasm\"");
        assert!(refusal(&named).contains("own.wasm: "));
    }
}
