//! Limits of a plugin.

use std::sync::Arc;
use std::time::Duration;

use ouli_config::Defect;

use crate::support::binary::program;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder};
use crate::support::plugins::{fixture, with_memories};
use crate::support::{client, origin};

/// A matcher that fails the request on an error, so that the client sees the reason.
fn failing(name: &str, limits: &str) -> String {
    let gateway = gateway::replay(&Arc::new(Folder::new()))
        .plugin("own.wasm", &fixture(name))
        .section("[[plugin]]\nfile = \"own.wasm\"\non_error = \"fail\"")
        .section(&format!("[limits]\n{limits}"))
        .start();
    let ask = client::http1(&gateway).ask("GET", "/a");
    let answer = ask.header("x-kind", &"x".repeat(2048)).send();
    assert_eq!(
        (answer.status, answer.header("ouli-error")),
        (500, "plugin"),
        "{name}"
    );
    answer.text().to_owned()
}

#[test]
fn a_plugin_call_ends_at_its_limit() {
    let cases = [
        (
            "looper",
            "matcher_cpu_time = \"30ms\"",
            "limits.matcher_cpu_time",
        ),
        (
            "hog",
            "plugin_memory = \"4 MiB\"\nmatcher_cpu_time = \"5s\"",
            "limits.plugin_memory",
        ),
        (
            "asked-matcher",
            "plugin_key_bytes = \"1 KiB\"",
            "limits.plugin_key_bytes",
        ),
    ];
    for (name, limits, named) in cases {
        let text = failing(name, limits);
        assert!(text.contains(named), "{name}: {text}");
    }
}

#[test]
fn an_instance_above_its_limits_does_not_start() {
    for limit in ["plugin_table_elements = 1", "plugin_core_instances = 1"] {
        let gateway = gateway::replay(&Arc::new(Folder::new()))
            .plugin("own.wasm", &fixture("hashy"))
            .section(&format!("[limits]\n{limit}"));
        let refused = gateway
            .try_start()
            .err()
            .expect("the gateway does not start")
            .to_string();
        assert!(refused.contains("own.wasm"), "{limit}: {refused}");
    }
}

#[test]
fn a_component_with_too_many_memories_or_tables_is_refused() {
    let refusal = |limit: &str| {
        let builder = gateway::replay(&Arc::new(Folder::new()))
            .plugin("own.wasm", &with_memories(3))
            .section("[[plugin]]\nfile = \"own.wasm\"")
            .section(&format!("[limits]\n{limit}"));
        builder.try_start().err().unwrap().to_string()
    };
    for (limit, key) in [
        ("plugin_memories = 2", "limits.plugin_memories"),
        ("plugin_tables = 2", "limits.plugin_tables"),
    ] {
        let refused = refusal(limit);
        assert!(refused.contains(key), "{limit}: {refused}");
    }
    // With both limits high enough, loading fails for another reason: the component has no role.
    let refused = refusal("plugin_memories = 3\nplugin_tables = 3");
    assert!(refused.contains("exports no role"), "{refused}");
}

#[test]
fn a_plugin_call_above_plugin_text_bytes_fails() {
    // The plugin logs 8 MiB of text.
    for (limit, expected) in [("7 MiB", "plugin"), ("9 MiB", "miss")] {
        let limits =
            format!("limits = {{ plugin_text_bytes = \"{limit}\", matcher_cpu_time = \"1h\" }}");
        let gateway = gateway::replay(&Arc::new(Folder::new()))
            .plugin("own.wasm", &fixture("abuser"))
            .section("[[plugin]]\nfile = \"own.wasm\"\non_error = \"fail\"")
            .section(&limits)
            .start();
        let answer = client::http1(&gateway).get("/abuse/giant-log");
        let text = answer.text();
        assert_eq!(answer.header("ouli-error"), expected, "{limit}: {text}");
        let is_named = text.contains("limits.plugin_text_bytes");
        assert_eq!(is_named, expected == "plugin", "{limit}: {text}");
    }
}

/// Records one request whose redactor or policy exceeds these limits, and one that it does not see;
/// returns the reason why the first was not written.
fn unwritten(builder: Builder, limits: &str, body: &str) -> String {
    let gateway = builder
        .section("[[plugin]]\nfile = \"own.wasm\"\nroutes = [\"/echo\"]")
        .section(&format!("[limits]\n{limits}"))
        .start();
    let mut ask = client::http1(&gateway).ask("POST", "/echo");
    for number in 0..95 {
        ask = ask.header("x-mail", &format!("mail-{number}@example.com"));
    }
    let answer = ask
        .header("content-type", "application/json")
        .body(body)
        .send();
    assert_eq!(answer.body.len(), body.len());
    client::http1(&gateway).get("/hello");
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    let recorded = folder.exchanges("default");
    assert_eq!(recorded.len(), 1, "{limits}");
    assert_eq!(recorded[0]["request"]["target"], "/hello", "{limits}");
    report
        .counted(Defect::PluginError)
        .into_keys()
        .next()
        .unwrap_or_else(|| panic!("{limits}: {report:#?}"))
}

#[test]
fn a_redactor_above_its_limits_prevents_the_write() {
    let origin = origin::simple();
    let redactor = || gateway::record(&origin).plugin("own.wasm", &fixture("asked-redactor"));
    let mail = "{\"mail\": \"ann@example.com\"}";
    let reason = unwritten(redactor(), "plugin_edits = 1", mail);
    assert!(reason.contains("limits.plugin_edits"), "{reason}");
    // The placeholders for these mail addresses are larger than the limit.
    let reason = unwritten(redactor(), "plugin_edit_bytes = \"1 KiB\"", mail);
    assert!(reason.contains("limits.plugin_edit_bytes"), "{reason}");
    let loops = gateway::record(&origin).plugin("own.wasm", &fixture("looping-redactor"));
    let reason = unwritten(loops, "redactor_cpu_time = \"30ms\"", mail);
    assert!(reason.contains("limits.redactor_cpu_time"), "{reason}");
}

#[test]
fn plugin_logs_are_rate_limited_and_truncated() {
    let folder = Folder::new();
    folder.put_plugin("own.wasm", &fixture("hashy"));
    folder.write_config("[limits]\nplugin_log_lines_per_second = 3\nplugin_log_line_bytes = 16\n");
    let replay = program(&folder, &["replay", "--listen", "127.0.0.1:0"]);
    let mut process = replay.env("RUST_LOG", "ouli=debug").start();
    let client = client::at(process.address(), http::Version::HTTP_11);
    let start = std::time::Instant::now();
    // More than a second, so that lines are logged again after others were dropped.
    let mut number = 0;
    while number < 40 || start.elapsed() < Duration::from_millis(1500) {
        client.get(&format!("/a-long-path-that-is-cut-{number}"));
        number += 1;
    }
    let seconds = start.elapsed().as_secs() + 2;
    let ended = process.stop();
    let said: Vec<_> = ended
        .stderr
        .lines()
        .filter(|line| line.contains("identify /a-"))
        .collect();
    assert!(
        !said.is_empty() && said.len() as u64 <= 3 * seconds,
        "{}",
        ended.stderr
    );
    // `identify /a-long` has 16 bytes, which is the limit.
    assert!(
        said.iter().all(|line| !line.contains("/a-long-path")),
        "{said:?}"
    );
    let dropped = ended
        .stderr
        .split_once("limits.plugin_log_lines_per_second");
    let (_, later) = dropped.expect("lines are dropped");
    assert!(later.contains("identify /a-"), "{}", ended.stderr);
}

#[test]
fn a_policy_above_its_cpu_time_prevents_the_write() {
    let origin = origin::simple();
    let loops = gateway::record(&origin).plugin("own.wasm", &fixture("looping-policy"));
    let reason = unwritten(loops, "policy_cpu_time = \"30ms\"", "{}");
    assert!(reason.contains("limits.policy_cpu_time"), "{reason}");
}

#[test]
fn a_thread_keeps_idle_instances_up_to_the_limit() {
    let gateway = gateway::replay(&Arc::new(Folder::new()))
        .plugin("own.wasm", &fixture("slow-matcher"))
        .section("[limits]\nplugin_idle_instances = 1")
        .start();
    let client = client::http1(&gateway);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5).for_each(|_| assert_eq!(client.get("/a").status, 404)));
        }
    });
}
