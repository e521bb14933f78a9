//! Settings as users write them: errors with their lines, single values, variables, and files that
//! are created later.

use crate::cli::{ANY, at, recorded, run};
use crate::support::binary::program;
use crate::support::folder::Folder;
use crate::support::plugins::fixture;
use crate::support::{origin, until};

#[test]
fn check_reports_each_error_of_a_built_in_plugin_with_its_line() {
    let folder = Folder::new();
    folder.write_config(
        "[matcher]\nignore_body = [\"/ok\", \"nonce\", \"other\"]\nheaders = \"x-*\"\n[redactor]\n\
         header = [\"a\"]\njson_pointers = [\"card\"]\n[redactor.patterns]\nid = \"(\"\n\
         [redaction]\ndisabled_rules = [\"no.such\"]\n",
    );
    let ended = run(&folder, &["check", "--set", "policy.skip=[\"/x\"]"]);
    assert_eq!(ended.status, Some(2), "{}", ended.stdout);
    for expected in [
        "ouli.toml:2: matcher.ignore_body[1]: \"nonce\" is not a JSON pointer",
        "ouli.toml:2: matcher.ignore_body[2]: \"other\" is not a JSON pointer",
        "ouli.toml:3: matcher.headers: ",
        "ouli.toml:5: redactor.header: ",
        "ouli.toml:6: redactor.json_pointers[0]: ",
        "ouli.toml:8: redactor.patterns: ",
        "configuration: policy.skip: ",
    ] {
        assert!(
            ended.stderr.contains(expected),
            "{expected}: {}",
            ended.stderr
        );
    }
    // The other rules are known if the redactor is loaded.
    folder
        .write_config("[matcher]\nheaders = \"x-*\"\n[redaction]\ndisabled_rules = \"no.such\"\n");
    let ended = run(&folder, &["check"]);
    assert!(
        ended.stderr.contains("there is no rule `no.such`"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("ouli.toml:2: matcher.headers: "),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_single_value_is_a_list_of_one_in_every_section() {
    let folder = Folder::new();
    folder.write_config(
        "[matcher]\nignore_query = \"page\"\nignore_body = \"/x\"\nheaders = \"*\"\n\
         ignore_headers = \"x-a\"\n[redactor]\njson = \"pin\"\njson_pointers = \"/pin\"\n\
         volatile_headers = \"x-b\"\n[policy]\nskip_paths = \"/x\"\nskip_methods = \"OPTIONS\"\n\
         skip_status = 404\n",
    );
    let set = [
        "check",
        "--set",
        "redactor.query=key",
        "--set",
        "matcher.ignore_query=page",
    ];
    for arguments in [&set[..1], &set] {
        let ended = run(&folder, arguments);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    }
    let origin = origin::simple();
    let folder = recorded(&origin);
    let arguments = [
        "replay",
        "--listen",
        ANY,
        "--set",
        "matcher.ignore_query=page",
    ];
    let mut process = program(&folder, &arguments).start();
    assert_eq!(at(process.address()).get("/hello?page=2").status, 200);
}

#[test]
fn variables_with_secrets_must_be_set_to_record() {
    let origin = origin::simple();
    let folder = recorded(&origin);
    folder.write_config("[redaction]\nenv = [\"MY_TYPO_KEY\", \"OULI_SHORT\"]\n");
    let with_short = |arguments: &[&str]| program(&folder, arguments).env("OULI_SHORT", "abc");
    let url = origin.url();
    for arguments in [
        &["check"][..],
        &["record", "--upstream", &url, "--listen", ANY],
        &["auto", "--upstream", &url, "--listen", ANY],
    ] {
        let ended = with_short(arguments).run();
        assert_eq!(ended.status, Some(2), "{arguments:?}: {}", ended.stdout);
        assert!(
            ended
                .stderr
                .contains("redaction.env: MY_TYPO_KEY is not set")
                && ended
                    .stderr
                    .contains("redaction.env: the value of OULI_SHORT is too short"),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
    // A replay writes nothing, and has no keys in CI.
    let mut process = with_short(&["replay", "--listen", ANY]).start();
    assert_eq!(at(process.address()).get("/hello").status, 200);
    let ended = process.stop();
    assert!(
        ended.stderr.contains("MY_TYPO_KEY is not set"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_configuration_that_is_created_later_takes_effect() {
    let origin = origin::simple();
    let folder = recorded(&origin);
    let mut process = program(&folder, &["replay", "--listen", ANY]).start();
    let client = at(process.address());
    assert_eq!(client.get("/hello?page=2").status, 404);
    folder.write_config("[matcher]\nignore_query = [\"page\"]\n");
    until("the new configuration", || {
        (client.get("/hello?page=2").status == 200).then_some(())
    });
}

#[test]
fn a_cassette_is_shown_by_its_path() {
    let origin = origin::simple();
    let folder = recorded(&origin);
    let ended = run(&folder, &["cassette", "show", "cassettes/default.jsons"]);
    assert!(ended.stdout.contains("GET /hello  200"), "{}", ended.stderr);
    std::fs::copy(
        folder.cassette("default"),
        folder.path().join("other.jsons"),
    )
    .unwrap();
    let ended = run(&folder, &["cassette", "show", "other.jsons"]);
    assert_eq!(ended.status, Some(2));
    let reason = "write the name of its session, which `ouli-gateway cassette list` prints";
    assert!(ended.stderr.contains(reason), "{}", ended.stderr);
}

#[test]
fn a_torn_end_that_is_moved_is_logged() {
    let origin = origin::simple();
    let folder = recorded(&origin);
    let text = folder.text("default");
    std::fs::write(folder.cassette("default"), &text[..text.len() - 40]).unwrap();
    let url = origin.url();
    let arguments = ["auto", "--upstream", &url, "--listen", ANY];
    let mut process = program(&folder, &arguments).start();
    assert_eq!(at(process.address()).get("/hello").status, 200);
    let log = process.stop().stderr;
    let line = log
        .lines()
        .find(|line| line.contains("the torn end of the cassette was moved to"));
    assert!(
        line.unwrap_or(&log).contains("default.jsons.torn: "),
        "{log}"
    );
}

#[test]
fn an_empty_default_session_is_no_warning_if_others_are_recorded() {
    let origin = origin::simple();
    let folder = recorded(&origin);
    let warning = |folder: &Folder, arguments: &[&str]| {
        let arguments = [&["replay", "--listen", ANY], arguments].concat();
        let mut process = program(folder, &arguments).start();
        process.address();
        process.stop().stderr.contains("has no recorded exchange")
    };
    std::fs::rename(folder.cassette("default"), folder.cassette("other")).unwrap();
    assert!(!warning(&folder, &[]));
    assert!(warning(&folder, &["--session", "third"]));
    assert!(warning(&Folder::new(), &[]));
}

#[test]
fn a_gateway_on_a_free_port_is_run_again_by_the_tests() {
    let origin = origin::simple();
    let folder = recorded(&origin);
    let mut process = program(&folder, &["replay", "--listen", ANY]).start();
    let ask = at(process.address()).ask("GET", "/other");
    let problem = ask.header("ouli-session", "tests/a.py::t").send().json();
    let detail = problem["detail"].as_str().unwrap();
    let advice = "To record it, run the tests again with this gateway: \
                  ouli-gateway record --listen 127.0.0.1:0 --upstream URL";
    assert!(detail.ends_with(advice), "{detail}");
}

#[test]
fn the_compilation_of_a_large_plugin_is_announced() {
    let folder = Folder::new();
    // A custom section of 5 MiB does nothing but take space.
    let mut plugin = fixture("asked-matcher");
    let size = 5_u32 << 20;
    plugin.push(0);
    let mut rest = size;
    while rest >= 0x80 {
        plugin.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    plugin.push(rest as u8);
    plugin.push(1);
    plugin.extend(vec![b'x'; size as usize - 1]);
    std::fs::write(folder.path().join("large.wasm"), plugin).unwrap();
    let ended = run(&folder, &["plugin", "check", "large.wasm"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("compiling large.wasm (5 MiB)"),
        "{}",
        ended.stderr
    );
}
