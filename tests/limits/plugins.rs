//! What one plugin may take.

use std::sync::Arc;

use crate::support::binary::program;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder};
use crate::support::plugins::fixture;
use crate::support::{client, origin};

/// A matcher that fails the request where it fails, so that the reason can be seen.
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
fn a_call_ends_where_its_limit_is() {
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
fn an_instance_starts_within_its_limits_or_not_at_all() {
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

/// Records one request whose redactor or policy goes beyond these limits; the reason why nothing
/// was written.
fn unwritten(builder: Builder, limits: &str, body: &str) -> String {
    let gateway = builder.section(&format!("[limits]\n{limits}")).start();
    let mut ask = client::http1(&gateway).ask("POST", "/echo");
    for number in 0..95 {
        ask = ask.header("x-mail", &format!("mail-{number}@example.com"));
    }
    let answer = ask
        .header("content-type", "application/json")
        .body(body)
        .send();
    assert_eq!(answer.body.len(), body.len());
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert!(folder.exchanges("default").is_empty(), "{limits}");
    report
        .failed
        .keys()
        .next()
        .unwrap_or_else(|| panic!("{limits}: {report:#?}"))
        .clone()
}

#[test]
fn a_redactor_over_its_limits_keeps_the_exchange_from_the_disk() {
    let origin = origin::simple();
    let redactor = || gateway::record(&origin).plugin("own.wasm", &fixture("asked-redactor"));
    let mail = "{\"mail\": \"ann@example.com\"}";
    let reason = unwritten(redactor(), "plugin_edits = 1", mail);
    assert!(reason.contains("limits.plugin_edits"), "{reason}");
    // So many stand-ins for mail are more than that.
    let reason = unwritten(redactor(), "plugin_edit_bytes = \"1 KiB\"", mail);
    assert!(reason.contains("limits.plugin_edit_bytes"), "{reason}");
    let loops = gateway::record(&origin).plugin("own.wasm", &fixture("looping-redactor"));
    let reason = unwritten(loops, "redactor_cpu_time = \"30ms\"", mail);
    assert!(reason.contains("limits.redactor_cpu_time"), "{reason}");
}

#[test]
fn a_plugin_that_talks_too_much_is_cut_short() {
    let folder = Folder::new();
    folder.put_plugin("own.wasm", &fixture("hashy"));
    folder.write_config("[limits]\nplugin_log_lines_per_second = 3\nplugin_log_line_bytes = 16\n");
    let replay = program(&folder, &["replay", "--listen", "127.0.0.1:0"]);
    let mut process = replay.env("RUST_LOG", "ouli=debug").start();
    let client = client::at(process.address(), http::Version::HTTP_11);
    let start = std::time::Instant::now();
    for number in 0..40 {
        client.get(&format!("/a-long-path-that-is-cut-{number}"));
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
    // `identify /a-long` has sixteen bytes.
    assert!(
        said.iter().all(|line| !line.contains("/a-long-path")),
        "{said:?}"
    );
    assert!(
        ended.stderr.contains("limits.plugin_log_lines_per_second"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_policy_that_takes_too_long_keeps_the_exchange_from_the_disk() {
    let origin = origin::simple();
    let loops = gateway::record(&origin).plugin("own.wasm", &fixture("looping-policy"));
    let reason = unwritten(loops, "policy_cpu_time = \"30ms\"", "{}");
    assert!(reason.contains("limits.policy_cpu_time"), "{reason}");
}

#[test]
fn a_thread_keeps_few_copies_and_starts_more_where_they_are_asked() {
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
