//! The program as users run it.

use serde_json::Value;

use crate::help::COMMANDS;
use crate::support::binary::{Ended, program};
use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::origin::{self, Gate, Origin};
use crate::support::plugins::fixture;
use crate::support::until;

pub(crate) const ANY: &str = "127.0.0.1:0";

pub(crate) fn run(folder: &Folder, arguments: &[&str]) -> Ended {
    program(folder, arguments).run()
}

pub(crate) fn at(address: std::net::SocketAddr) -> Client {
    client::at(address, http::Version::HTTP_11)
}

/// A folder with one recorded exchange, `GET /hello`.
pub(crate) fn recorded(origin: &Origin) -> Folder {
    let folder = Folder::new();
    let url = origin.url();
    let mut process = program(&folder, &["record", "--upstream", &url, "--listen", ANY]).start();
    assert_eq!(at(process.address()).get("/hello").status, 200);
    let ended = process.stop();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(folder.exchanges("default").len(), 1);
    folder
}

#[test]
fn every_command_has_help_with_examples() {
    let folder = Folder::new();
    for command in COMMANDS {
        let mut arguments: Vec<_> = command.split_whitespace().collect();
        arguments.push("--help");
        let ended = run(&folder, &arguments);
        assert_eq!(ended.status, Some(0), "{command}");
        assert!(
            ended.stdout.contains("Examples:\n  ouli-gateway"),
            "{command}:\n{}",
            ended.stdout
        );
    }
}

#[test]
fn one_line_prints_the_listening_address() {
    let folder = Folder::new();
    let mut process = program(&folder, &["replay", "--listen", ANY]).start();
    let (line, address) = (process.listening(), process.address());
    assert_eq!(
        line,
        format!("listening on http://{address} endpoint=default mode=replay")
    );
    assert_ne!(address.port(), 0);
    assert_eq!(at(address).get("/").header("ouli-error"), "miss");
    let ended = process.stop();
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
}

#[test]
fn without_a_command_it_replays_and_prints_a_hint() {
    let origin = origin::simple();
    let folder = recorded(&origin);
    let plugins = folder.plugins().display().to_string();
    let set = format!("endpoint.listen={ANY}");
    let mut process = program(&folder, &["--plugins", &plugins, "--set", &set]).start();
    assert!(process.listening().ends_with("mode=replay"));
    assert_eq!(at(process.address()).get("/hello").text(), "good morning\n");
    let ended = process.stop();
    assert!(
        ended.stderr.contains("ouli-gateway record --upstream"),
        "{}",
        ended.stderr
    );
}

#[test]
fn usage_and_configuration_errors_exit_with_2() {
    let folder = Folder::new();
    let origin = origin::simple();
    let taken = origin.address.to_string();
    let cases: [(&[&str], &str); 8] = [
        (&["recrod"], "record"),
        (&["replay", "--no-such-flag"], "--no-such-flag"),
        (&["record", "--listen", ANY], "--upstream"),
        (
            &["replay", "--listen", "nowhere"],
            "\"nowhere\" is not an IP address with a port",
        ),
        (
            &["replay", "--listen", &taken],
            "is taken by another program",
        ),
        (&["replay", "--config", "missing.toml"], "missing.toml"),
        (&["replay", "--plugins", "missing-folder"], "missing-folder"),
        (&["replay", "--set", "limits.conections=1"], "connections"),
    ];
    for (arguments, part) in cases {
        let ended = run(&folder, arguments);
        assert_eq!(ended.status, Some(2), "{arguments:?}:\n{}", ended.stderr);
        assert!(
            ended.stderr.contains(part),
            "{arguments:?}:\n{}",
            ended.stderr
        );
        assert!(
            !ended.stderr.contains("panicked"),
            "{arguments:?}:\n{}",
            ended.stderr
        );
    }
}

#[test]
fn a_failed_verdict_exits_with_1_with_strict_or_ci() {
    let origin = origin::simple();
    let folder = recorded(&origin);
    let replay = |arguments: &[&str], ci: Option<&str>, path: &str| {
        let arguments = [&["replay", "--listen", ANY], arguments].concat();
        let mut program = program(&folder, &arguments);
        if let Some(value) = ci {
            program = program.env("CI", value);
        }
        let mut process = program.start();
        at(process.address()).get(path);
        process.stop().status
    };
    assert_eq!(replay(&[], None, "/unknown"), Some(0));
    assert_eq!(replay(&["--strict"], None, "/unknown"), Some(1));
    assert_eq!(replay(&[], Some("true"), "/unknown"), Some(1));
    assert_eq!(replay(&["--strict"], None, "/hello"), Some(0));
    assert_eq!(replay(&[], Some("true"), "/hello"), Some(0));
    for value in ["false", "0", "no", "", "FALSE"] {
        assert_eq!(replay(&[], Some(value), "/unknown"), Some(0), "{value}");
    }
    for value in ["woodpecker", "1", "yes"] {
        assert_eq!(replay(&[], Some(value), "/unknown"), Some(1), "{value}");
    }
    let unused = ["--set", "verdict.fail_on=unused", "--strict"];
    assert_eq!(replay(&unused, None, "/hello"), Some(0));
}

#[test]
fn the_report_has_a_verdict_for_each_session() {
    let origin = origin::simple();
    let folder = recorded(&origin);
    let arguments = ["replay", "--listen", ANY, "--report", "out.json"];
    let mut process = program(&folder, &arguments).start();
    let client = at(process.address());
    client.get("/hello");
    client.get("/unknown");
    let ended = process.stop();
    let text = std::fs::read_to_string(folder.path().join("out.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["passed"], false);
    let session = &report["sessions"][0];
    assert_eq!(session["session"], "default");
    assert_eq!(
        (&session["hits"], &session["misses"]),
        (&1.into(), &1.into())
    );
    assert_eq!(session["unused"], serde_json::json!([]));
    assert!(
        ended
            .stderr
            .contains("session default: failed; 1 hits, 1 misses"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_signal_lets_requests_in_flight_finish() {
    for signal in ["TERM", "INT"] {
        let gate = Gate::new();
        let held = gate.clone();
        let handler =
            move |_: &origin::Seen| origin::parts().part("first").wait(&held).part("last");
        let origin = origin::new().route("/slow", handler).start();
        let folder = Folder::new();
        let url = origin.url();
        let mut process =
            program(&folder, &["record", "--upstream", &url, "--listen", ANY]).start();
        let address = process.address();
        let mut opened = at(address).ask("GET", "/slow").open();
        assert_eq!(opened.next().unwrap().unwrap(), "first");
        process.signal(signal);
        until("the listener to close", || {
            std::net::TcpStream::connect(address).err()
        });
        assert!(process.is_running());
        gate.open();
        assert_eq!(opened.next().unwrap().unwrap(), "last");
        drop(opened);
        assert_eq!(process.ended().status, Some(0));
        assert_eq!(
            folder.exchanges("default").len(),
            1,
            "{signal}: what was under way is recorded"
        );
    }
}

#[test]
fn a_second_signal_exits_at_once() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().part("first").wait(&held);
    let origin = origin::new().route("/slow", handler).start();
    let folder = Folder::new();
    let url = origin.url();
    let mut process = program(
        &folder,
        &["passthrough", "--upstream", &url, "--listen", ANY],
    )
    .start();
    let address = process.address();
    let mut opened = at(address).ask("GET", "/slow").open();
    assert_eq!(opened.next().unwrap().unwrap(), "first");
    process.signal("TERM");
    until("the first signal to be taken", || {
        process.stderr().contains("second signal").then_some(())
    });
    process.stop_again("TERM");
    let ended = process.ended();
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
}

#[test]
fn an_idle_connection_does_not_delay_the_exit() {
    let folder = Folder::new();
    // Longer than a test waits for the exit of a program.
    let set = "limits.shutdown_timeout=\"1h\"";
    let arguments = ["replay", "--listen", ANY, "--set", set];
    let mut process = program(&folder, &arguments).start();
    let mut raw = client::raw(process.address(), "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(raw.head().starts_with("HTTP/1.1 404"));
    assert_eq!(process.stop().status, Some(0));
}

#[test]
fn ca_prints_the_path_of_the_certificate() {
    let folder = Folder::new();
    let ended = run(&folder, &["ca"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let path = std::path::Path::new(ended.stdout.trim_end());
    let pem = std::fs::read_to_string(path).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(run(&folder, &["ca"]).stdout, ended.stdout);
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        pem,
        "a second call creates no other"
    );
}

#[test]
fn check_reports_all_errors() {
    let origin = origin::simple();
    let folder = recorded(&origin);
    let ended = run(&folder, &["check"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    folder.put_plugin("one.wasm", b"garbage");
    folder.put_plugin("two.wasm", &fixture("bad-prepare"));
    let ended = run(&folder, &["check"]);
    assert_eq!(ended.status, Some(2));
    assert!(
        ended.stderr.contains("one.wasm") && ended.stderr.contains("two.wasm"),
        "{}",
        ended.stderr
    );
    folder.remove_plugin("one.wasm");
    folder.remove_plugin("two.wasm");
    let text = folder.text("default");
    std::fs::write(folder.cassette("default"), &text[..text.len() - 40]).unwrap();
    let ended = run(&folder, &["check"]);
    assert_eq!(ended.status, Some(2));
    assert!(
        ended.stderr.contains("cassette default"),
        "{}",
        ended.stderr
    );
}

#[test]
fn check_prints_the_limits_in_force() {
    let folder = Folder::new();
    let ended = run(
        &folder,
        &["check", "--limits", "--set", "limits.streams=77"],
    );
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(
        ended.stdout.contains("\nstreams = 77\n"),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stdout.contains("# default 8192: "),
        "{}",
        ended.stdout
    );
    // The output is a valid configuration.
    std::fs::write(folder.path().join("ouli.toml"), &ended.stdout).unwrap();
    let again = run(&folder, &["check", "--limits"]);
    assert_eq!(again.stdout, ended.stdout, "{}", again.stderr);
    let ended = run(&folder, &["check", "--limits", "--set", "limits.streams=0"]);
    assert_eq!(ended.status, Some(2), "{}", ended.stdout);
}

#[test]
fn plugin_list_shows_the_order_of_plugins() {
    let folder = Folder::new();
    folder.put_plugin("own.wasm", &fixture("asked-matcher"));
    let ended = run(&folder, &["plugin", "list"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let place = |name: &str| {
        ended
            .stdout
            .find(name)
            .unwrap_or_else(|| panic!("{name}: {ended:?}"))
    };
    assert!(place("own.wasm") < place("builtin:matcher"));
    assert!(place("builtin:matcher") < place("builtin:redactor"));
    assert!(
        ended
            .stdout
            .contains("matcher: method, path, called per message")
    );
}

#[test]
fn cassettes_are_listed_and_shown() {
    let origin = origin::simple();
    let folder = recorded(&origin);
    let ended = run(&folder, &["cassette", "list"]);
    assert_eq!(ended.status, Some(0));
    assert!(
        ended.stdout.starts_with("default  1 exchanges, "),
        "{}",
        ended.stdout
    );
    let ended = run(&folder, &["cassette", "show", "default"]);
    assert!(ended.stdout.contains("GET /hello  200"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("good morning"));
    let ended = run(&folder, &["cassette", "show", "default", "--body"]);
    assert!(ended.stdout.contains("< good morning"), "{}", ended.stdout);
    let ended = run(&folder, &["cassette", "show", "nobody"]);
    assert_eq!(ended.status, Some(2));
    assert!(ended.stderr.contains("cassette list"), "{}", ended.stderr);
}

#[test]
fn the_demo_passes() {
    let folder = Folder::new();
    let ended = run(&folder, &["demo"]);
    assert_eq!(ended.status, Some(0), "{}\n{}", ended.stdout, ended.stderr);
}

#[test]
fn logs_can_be_json() {
    let folder = Folder::new();
    let arguments = ["replay", "--listen", ANY, "--log-format", "json"];
    let mut process = program(&folder, &arguments).start();
    at(process.address()).get("/unknown");
    let ended = process.stop();
    let logged = ended.stderr.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<Value> = logged
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines.iter().any(|line| line["level"] == "WARN"),
        "{}",
        ended.stderr
    );
}
