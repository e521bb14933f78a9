//! The commands for plugin authors.

use std::fs;

use crate::support::binary::{Ended, program};
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::plugins::{core_module, fixture, importing};
use crate::support::{tls, within};

fn run(folder: &Folder, arguments: &[&str]) -> Ended {
    program(folder, arguments).run()
}

/// A folder with the component of a fixture and test cases.
fn with_cases(name: &str, cases: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    fs::write(folder.path().join("own.wasm"), fixture(name)).unwrap();
    fs::create_dir(folder.path().join("cases")).unwrap();
    for (file, text) in cases {
        fs::write(folder.path().join("cases").join(file), text).unwrap();
    }
    folder
}

const NONCE: &str = r#"{"description": "the nonce does not count", "role": "matcher",
    "request": {"method": "POST", "target": "/a", "json": {"id": 1, "nonce": "a"}},
    "same": [{"json": {"id": 1, "nonce": "b"}}], "different": [{"json": {"id": 2}}]}"#;

#[test]
fn a_new_project_is_written_for_each_language_and_never_over_another() {
    for (lang, build, files) in [
        (
            "rust",
            "cargo build --release --target wasm32-wasip2",
            "src/lib.rs sdk/src/lib.rs",
        ),
        ("c", "make", "Makefile my_own.c"),
        ("js", "npm run build", "matcher.js package.json"),
        ("python", "./build.sh", "matcher.py build.sh"),
    ] {
        let folder = Folder::new();
        let arguments = ["plugin", "new", "my-own", "--lang", lang];
        let ended = run(&folder, &arguments);
        assert_eq!(ended.status, Some(0), "{lang}: {}", ended.stderr);
        assert!(
            ended.stdout.contains(&format!("  {build}\n")),
            "{}",
            ended.stdout
        );
        let project = folder.path().join("my-own");
        let common = "README.md .gitignore wit/matcher.wit cases/nonce.json";
        for file in files.split(' ').chain(common.split(' ')) {
            let text = fs::read_to_string(project.join(file)).unwrap();
            let templated = !file.starts_with("sdk/");
            assert!(!(templated && text.contains("{{name")), "{lang}: {file}");
        }
        let again = run(&folder, &arguments);
        assert_eq!(again.status, Some(2));
        assert!(again.stderr.contains("already exists"), "{}", again.stderr);
    }
    let folder = Folder::new();
    let ended = run(&folder, &["plugin", "new", "My_Own", "--lang", "c"]);
    assert_eq!(ended.status, Some(2));
    assert!(
        ended.stderr.contains("cannot be the name"),
        "{}",
        ended.stderr
    );
}

#[test]
fn test_cases_pass_or_report_the_difference() {
    let folder = with_cases("declares", &[("nonce.json", NONCE)]);
    let ended = run(&folder, &["plugin", "test", "own.wasm"]);
    assert_eq!(ended.status, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended
            .stdout
            .contains("ok    nonce.json: the nonce does not count")
    );
    assert!(
        ended.stdout.ends_with("1 passed, 0 failed\n"),
        "{}",
        ended.stdout
    );
    // The key of this plugin consists of method and path only.
    let folder = with_cases("swap-a", &[("nonce.json", NONCE)]);
    let ended = run(&folder, &["plugin", "test", "own.wasm"]);
    assert_eq!(ended.status, Some(1));
    for line in [
        "FAIL  nonce.json",
        "different[0] has the key of the request",
    ] {
        assert!(ended.stdout.contains(line), "{}", ended.stdout);
    }
}

#[test]
fn an_invalid_test_case_is_not_reported_as_a_plugin_failure() {
    let cases = [
        (
            "a.json",
            "{\"description\": \"x\", \"role\": \"matchr\", \"request\": {}}",
        ),
        ("b.json", "not JSON"),
    ];
    let folder = with_cases("declares", &cases);
    let ended = run(&folder, &["plugin", "test", "own.wasm"]);
    assert_eq!(ended.status, Some(1));
    assert!(
        ended.stdout.contains("unknown variant `matchr`"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("0 passed, 2 failed"));
    fs::write(folder.path().join("own.wasm"), core_module()).unwrap();
    fs::write(folder.path().join("cases/a.json"), NONCE).unwrap();
    let ended = run(&folder, &["plugin", "test", "own.wasm"]);
    assert_eq!(ended.status, Some(2));
    assert!(ended.stderr.contains("a core module"), "{}", ended.stderr);
    let nowhere = run(
        &folder,
        &["plugin", "test", "own.wasm", "--cases", "nowhere"],
    );
    assert!(
        nowhere.stderr.contains("no folder nowhere"),
        "{}",
        nowhere.stderr
    );
}

#[test]
fn a_case_may_expect_that_prepare_rejects_its_settings() {
    let case = |expect: &str| {
        format!(
            "{{\"description\": \"settings\", \"role\": \"matcher\", \"settings\": {{\"a\": 1}}, \
             \"request\": {{}}, \"expect\": {expect}}}"
        )
    };
    let (error, other) = (
        case("{\"error\": \"prepare\"}"),
        case("{\"error\": \"other\"}"),
    );
    let unexpected = case("{\"parts\": []}");
    let cases = [
        ("1.json", &*error),
        ("2.json", &*other),
        ("3.json", &*unexpected),
    ];
    let folder = with_cases("bad-prepare", &cases);
    let ended = run(&folder, &["plugin", "test", "own.wasm"]);
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    for line in [
        "ok    1.json: settings",
        "FAIL  2.json: settings",
        "FAIL  3.json: settings",
        "1 passed, 2 failed",
    ] {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.stdout);
    }
    let bless = run(&folder, &["plugin", "test", "own.wasm", "--bless"]);
    assert_eq!(bless.status, Some(0), "{}", bless.stderr);
    let again = run(&folder, &["plugin", "test", "own.wasm"]);
    assert!(
        again.stdout.contains("3 passed, 0 failed"),
        "{}",
        again.stdout
    );
}

#[test]
fn expected_answers_are_text_and_bless_rewrites_them() {
    let redacted = r#"{"description": "the pin goes", "role": "redactor",
        "request": {"method": "POST", "json": {"pin": "4711", "name": "ann"}},
        "expect": {"request": {"json": {"pin": "<pin-1>", "name": "bob"}}}}"#;
    let folder = with_cases("asked-redactor", &[("pin.json", redacted)]);
    let ended = run(&folder, &["plugin", "test", "own.wasm"]);
    assert_eq!(ended.status, Some(1));
    let expected = "at expect/request/json/name\n        - \"bob\"\n        + \"ann\"";
    assert!(ended.stdout.contains(expected), "{}", ended.stdout);
    let ended = run(&folder, &["plugin", "test", "own.wasm", "--bless"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let text = fs::read_to_string(folder.path().join("cases/pin.json")).unwrap();
    assert!(
        text.contains("\"name\": \"ann\"") && text.contains("<pin-1>"),
        "{text}"
    );
    let ended = run(&folder, &["plugin", "test", "own.wasm"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stdout);
}

#[test]
fn plugin_check_describes_a_component() {
    let folder = with_cases("hashy", &[]);
    let ended = run(&folder, &["plugin", "check", "own.wasm"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    for word in [
        "ouli:gateway/traffic@0.1.1                 plugin contract",
        "stub without access to the host",
        "matcher: method, path, called per message",
        "plugin_memory",
        "compile",
        "prepare   once",
        "none found",
    ] {
        assert!(ended.stdout.contains(word), "{word}:\n{}", ended.stdout);
    }
    let refused = importing("wasi:http/types@0.2.0");
    fs::write(folder.path().join("own.wasm"), refused).unwrap();
    let ended = run(&folder, &["plugin", "check", "own.wasm"]);
    assert_eq!(ended.status, Some(2));
    for word in ["validate", "`wasi:http/types@0.2.0`", "build without it"] {
        assert!(ended.stderr.contains(word), "{}", ended.stderr);
    }
}

#[test]
fn plugin_check_names_the_limits_a_component_needs() {
    let folder = with_cases("many-rules", &[]);
    let ended = run(&folder, &["plugin", "check", "own.wasm"]);
    assert_eq!(ended.status, Some(2));
    assert!(
        ended.stderr.contains("limits.plugin_rules"),
        "{}",
        ended.stderr
    );
    assert!(
        ended
            .stderr
            .contains("with higher limits the component loads"),
        "{}",
        ended.stderr
    );
}

#[test]
fn plugin_bench_measures_each_function() {
    let recorded = gateway::echoed(|client| {
        for number in 0..10 {
            client.get(&format!("/{number}"));
        }
    });
    let cassette = recorded.cassette("default");
    let folder = with_cases("asked-matcher", &[]);
    let file = cassette.to_str().unwrap();
    let ended = run(
        &folder,
        &["plugin", "bench", "own.wasm", "--cassette", file],
    );
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    for word in [
        "own.wasm on 10 exchanges",
        "p99",
        "matcher ",
        "3.0 per call",
        "memory: ",
    ] {
        assert!(ended.stdout.contains(word), "{word}:\n{}", ended.stdout);
    }
    let ended = run(
        &folder,
        &["plugin", "bench", "own.wasm", "--cassette", "no.jsons"],
    );
    assert_eq!(ended.status, Some(2));
    assert!(ended.stderr.contains("no such file"), "{}", ended.stderr);
}

#[test]
fn plugin_list_shows_a_running_gateway() {
    let folder = Folder::new();
    let port = free_port();
    let endpoint = format!("[[endpoint]]\nname = \"api\"\nlisten = \"127.0.0.1:{port}\"\n");
    folder.write_config(&format!("{endpoint}[[plugin]]\nfile = \"own.wasm\"\n"));
    folder.put_plugin("own.wasm", &fixture("one-part"));
    let ended = run(&folder, &["plugin", "list"]);
    assert!(
        ended
            .stdout
            .contains("no gateway runs with this configuration"),
        "{}",
        ended.stdout
    );
    let mut process = program(&folder, &["replay"]).start();
    let client = client::at(process.address(), http::Version::HTTP_11);
    assert_eq!(client.get("/a").status, 404);
    let at = format!("127.0.0.1:{port}");
    let elsewhere = Folder::new();
    let ended = run(&elsewhere, &["plugin", "list", "--address", &at]);
    assert!(
        ended.stdout.starts_with("live, generation 1"),
        "{}",
        ended.stdout
    );
    let listen = format!("endpoint.listen={at}");
    let ended = run(&elsewhere, &["plugin", "list", "--set", &listen]);
    assert!(
        ended
            .stdout
            .contains("no gateway runs with this configuration"),
        "{}",
        ended.stdout
    );
    let listed = || run(&folder, &["plugin", "list"]).stdout;
    let text = listed();
    for word in [
        "gateway at 127.0.0.1:",
        "live, generation 1",
        "own.wasm  sha256:",
        "3.0 host calls each",
    ] {
        assert!(text.contains(word), "{word}:\n{text}");
    }
    folder.put_plugin("own.wasm", &core_module());
    let text = within(super::support::PATIENCE, "the rejection", || {
        Some(listed()).filter(|text| text.contains("rejected"))
    });
    assert!(
        text.contains("own.wasm (validate): not a WebAssembly component"),
        "{text}"
    );
    assert!(text.contains("live, generation 2"), "{text}");
}

/// A port that is free at the moment.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn plugin_list_queries_a_gateway_over_tls() {
    let folder = Folder::new();
    let port = free_port();
    let endpoint = format!("[[endpoint]]\nname = \"api\"\nlisten = \"127.0.0.1:{port}\"\n");
    folder.write_config(&format!("{endpoint}tls = \"self-signed\"\n"));
    let mut process = program(&folder, &["replay"]).start();
    process.address();
    let elsewhere = Folder::new();
    let ca = run(&folder, &["ca"]).stdout;
    let (plain, secure) = (
        format!("127.0.0.1:{port}"),
        format!("https://127.0.0.1:{port}"),
    );
    let list = |folder: &Folder, address: &str, more: &[&str]| {
        run(
            folder,
            &[&["plugin", "list", "--address", address], more].concat(),
        )
    };
    for ended in [
        list(&folder, &secure, &[]),
        list(&folder, &plain, &[]),
        list(&elsewhere, &secure, &["--ca", ca.trim()]),
    ] {
        assert!(ended.stdout.starts_with("live, generation 1"), "{ended:?}");
    }
    let ended = list(&elsewhere, &plain, &[]);
    let advice = format!("https:// instead of http://, as in --address {secure}");
    assert_eq!(ended.status, Some(2));
    assert!(ended.stderr.contains(&advice), "{}", ended.stderr);
    let other = elsewhere.path().join("other.pem");
    fs::write(&other, tls::identity().pem).unwrap();
    let ended = list(&elsewhere, &secure, &["--ca", other.to_str().unwrap()]);
    assert_eq!(ended.status, Some(2));
    assert!(ended.stderr.contains("--ca FILE"), "{}", ended.stderr);
    process.stop();
}
