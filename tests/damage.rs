//! Cassettes that are damaged, edited, converted by git or mounted as links.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use ouli_config::Defect;

use crate::support::binary::{Ended, program};
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder};
use crate::support::origin;

/// JSON of several lines, as a server with pretty-printing sends it.
const PRETTY: &str = "{\n  \"a\": 1,\n  \"b\": [2, 3]\n}\n";

/// JSON with CRLF line ends.
const CRLF: &str = "{\r\n  \"a\": 1\r\n}\r\n";

/// A cassette with four exchanges; the last body is in a separate file.
pub(crate) fn recorded() -> Arc<Folder> {
    let large = |_: &origin::Seen| origin::text(&"a line\n".repeat(400));
    let origin = origin::new()
        .route("/pretty", |_| origin::json(PRETTY))
        .route("/crlf", |_| origin::json(CRLF))
        .route("/large", large)
        .route("/*", |seen| origin::text(&seen.target))
        .start();
    let gateway = gateway::record(&origin)
        .section("[limits]\ninline_body = \"1 KiB\"")
        .start();
    for target in TARGETS {
        client::http1(&gateway).get(target);
    }
    let folder = Arc::clone(&gateway.folder);
    assert_eq!(gateway.finish().recorded, 4);
    folder
}

const TARGETS: [&str; 4] = ["/pretty", "/crlf", "/text", "/large"];

pub(crate) fn run(folder: &Folder, arguments: &[&str]) -> Ended {
    folder.write_config("mode = \"replay\"\nplugins = \"plugins\"\n");
    program(folder, arguments).run()
}

#[test]
fn damage_fails_the_verdict_the_check_and_show() {
    let folder = recorded();
    let good = folder.text("default");
    let third = good.find("{\n  \"exchange\": 3").unwrap();
    let conflict = format!(
        "{}<<<<<<< HEAD\n{}=======\n>>>>>>> topic\n",
        &good[..third],
        &good[third..]
    );
    let torn = &good[..good.len() - 30];
    let lost = good.replacen("\"status\"", "\"state\"", 1);
    for (text, line, reason) in [
        (
            &*conflict,
            good[..third].matches('\n').count() + 1,
            "conflict marker of git",
        ),
        (torn, torn.matches('\n').count() + 1, "EOF while parsing"),
        (
            &lost,
            good[..good.find("\"status\"").unwrap()]
                .matches('\n')
                .count()
                + 1,
            "unknown field",
        ),
    ] {
        fs::write(folder.cassette("default"), text).unwrap();
        let line = format!("line {line}, ");
        let report = gateway::replay(&folder).start().finish();
        assert!(!report.passed, "{reason}");
        assert!(
            report.failures[0]
                .text
                .contains("(restore the cassette from version control"),
            "{report:?}"
        );
        let told = |text: &str| text.contains(&line) && text.contains(reason);
        assert!(
            report.damage.iter().any(|it| told(it)),
            "{line}: {report:?}"
        );
        let check = run(&folder, &["check"]);
        assert_eq!(check.status, Some(2));
        assert!(check.stderr.lines().any(told), "{line}: {}", check.stderr);
        assert!(check.stderr.contains("restore it from version control"));
        let show = run(&folder, &["cassette", "show", "default"]);
        assert_eq!(show.status, Some(1), "{}", show.stderr);
        assert!(told(&show.stderr), "{}", show.stderr);
        assert_eq!(run(&folder, &["cassette", "list"]).status, Some(1));
    }
    fs::write(folder.cassette("default"), &good).unwrap();
    assert!(gateway::replay(&folder).start().finish().passed);
    assert_eq!(
        run(&folder, &["cassette", "show", "default"]).status,
        Some(0)
    );
}

/// The response for a session that cannot be used, and whether the verdict passed.
fn refused(builder: &Builder) -> (u16, String, bool) {
    let gateway = builder.start();
    let ask = client::http1(&gateway).ask("GET", "/text");
    let answer = ask.header("ouli-session", "other").send();
    assert_eq!(answer.header("ouli-error"), "cassette", "{}", answer.text());
    let text = answer.text().to_owned();
    (answer.status, text, gateway.stop().passed)
}

#[test]
fn a_session_that_cannot_be_replayed_gets_the_reason() {
    let folder = recorded();
    let good = folder.text("default");
    let third = good.find("{\n  \"exchange\": 3").unwrap();
    let header = good.split_inclusive('\n').next().unwrap();
    let only = format!(
        "{header}{}",
        &good[third..good.find("{\n  \"exchange\": 4").unwrap()]
    );
    let edited = only.replace("\"/text\"", "\"/edited\"");
    let damaged = only.replacen("\"status\"", "\"state\"", 1);
    for (text, set, reason) in [
        ("no cassette", "", "other.jsons: not a cassette: line 1"),
        (
            "{ \"ouli-cassette\": 9 }\n",
            "",
            "format 9 is newer than ouli-gateway",
        ),
        (
            &*edited,
            "strict = true",
            "exchanges [3] were edited (strict; `ouli-gateway cassette accept` accepts edits)",
        ),
        (&*damaged, "", "unknown field `state`"),
    ] {
        fs::write(folder.cassette("other"), text).unwrap();
        let (status, body, passed) = refused(&gateway::replay(&folder).set(set));
        assert_eq!((status, passed), (500, false), "{reason}");
        assert!(body.contains(reason), "{reason}: {body}");
    }
    // If the cassette of the endpoint's default session is invalid, the start fails with the same
    // reason.
    fs::write(folder.cassette("default"), "no cassette").unwrap();
    let error = gateway::replay(&folder)
        .try_start()
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("default.jsons: not a cassette: line 1"),
        "{error}"
    );
}

#[test]
fn a_stored_body_that_is_lost_fails_the_verdict_and_the_check() {
    let folder = recorded();
    let bodies = folder.cassettes().join("default.bodies");
    let stored = fs::read_dir(bodies)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let whole = fs::read(&stored).unwrap();
    for damaged in [Some(whole[1..].to_vec()), None] {
        match damaged {
            Some(bytes) => fs::write(&stored, bytes).unwrap(),
            None => fs::remove_file(&stored).unwrap(),
        }
        let gateway = gateway::replay(&folder).start();
        let answer = client::http1(&gateway).get("/large");
        assert_eq!(
            (answer.status, answer.header("ouli-error")),
            (500, "cassette")
        );
        let report = gateway.finish();
        assert_eq!((report.hits, report.misses, report.passed), (0, 0, false));
        let [failure] = &report.failures[..] else {
            panic!("{:?}", report.failures);
        };
        let told = "DAMAGED: 1 (a stored body cannot be read: default.bodies/";
        assert!(failure.text.starts_with(told), "{failure:?}");
        let check = run(&folder, &["check"]);
        assert_eq!(check.status, Some(2));
        assert!(
            check.stderr.contains("exchange 4: the stored body"),
            "{}",
            check.stderr
        );
    }
}

/// The responses of a replay to each target.
fn replayed(folder: &Arc<Folder>) -> Vec<String> {
    let gateway = gateway::replay(folder).start();
    let client = client::http1(&gateway);
    let bodies = TARGETS.map(|target| client.get(target).text().to_owned());
    let report = gateway.finish();
    assert!(report.passed && report.edited.is_empty(), "{report:?}");
    bodies.to_vec()
}

/// Converts the line ends of each file in the cassettes folder, as git does.
fn convert(folder: &Folder, convert: impl Fn(&str) -> String) {
    for (path, bytes) in crate::support::folder::files(&folder.cassettes()) {
        let text = String::from_utf8(bytes).unwrap();
        fs::write(path, convert(&text.replace("\r\n", "\n"))).unwrap();
    }
}

#[test]
fn converted_line_ends_change_no_body() {
    let folder = recorded();
    let expected = [PRETTY, CRLF, "/text", &"a line\n".repeat(400)].map(str::to_owned);
    assert_eq!(replayed(&folder), expected);
    convert(&folder, |text| text.replace('\n', "\r\n"));
    assert_eq!(replayed(&folder), expected);
    assert_eq!(run(&folder, &["check", "--strict"]).status, Some(0));
    // Exchanges that are appended to a converted file are read too.
    let origin = origin::simple();
    let gateway = gateway::over(&folder, "auto")
        .upstream(&origin.url())
        .start();
    client::http1(&gateway).get("/hello");
    assert_eq!(gateway.finish().recorded, 1);
    assert_eq!(replayed(&folder), expected);
    convert(&folder, str::to_owned);
    assert_eq!(replayed(&folder), expected);
}

#[test]
fn a_recording_gateway_keeps_git_from_converting_line_ends() {
    let folder = recorded();
    let path = folder.cassettes().join(".gitattributes");
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "*.jsons -text\n*.bodies/** -text\n"
    );
    fs::write(&path, "*.png binary\n").unwrap();
    let origin = origin::simple();
    let url = origin.url();
    let record = ["record", "--upstream", &url, "--listen", "127.0.0.1:0"];
    let mut process = program(&folder, &record).start();
    process.address();
    let ended = process.stop();
    assert!(
        ended.stderr.contains("does not keep git from converting"),
        "{}",
        ended.stderr
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "*.png binary\n");
    let replay = Arc::new(Folder::new());
    gateway::replay(&replay).start().stop();
    assert!(!replay.cassettes().join(".gitattributes").exists());
}

/// Creates a folder with links to the cassettes, as Kubernetes mounts a ConfigMap.
fn mount(from: &Path, to: &Path, version: &str) {
    fs::create_dir_all(to.join(version)).unwrap();
    for name in ["default.jsons", "default.bodies"] {
        let target = to.join(version).join(name);
        symlink(from.join(name), &target).unwrap();
        if !to.join(name).exists() {
            symlink(Path::new("..data").join(name), to.join(name)).unwrap();
        }
    }
    let next = to.join("..data_tmp");
    symlink(version, &next).unwrap();
    fs::rename(next, to.join("..data")).unwrap();
}

#[test]
fn a_mounted_cassette_is_replayed_and_not_written() {
    let (source, folder) = (recorded(), Arc::new(Folder::new()));
    let other = recorded();
    let text = other
        .text("default")
        .replace("\"text\": \"/text\"", "\"text\": \"newer\"");
    fs::write(other.cassette("default"), text).unwrap();
    mount(&source.cassettes(), &folder.cassettes(), "..2026_1");
    assert_eq!(replayed(&folder)[3], "a line\n".repeat(400));
    let gateway = gateway::replay(&folder).start();
    let client = client::http1(&gateway);
    assert_eq!(client.get("/text").text(), "/text");
    mount(&other.cassettes(), &folder.cassettes(), "..2026_2");
    assert!(gateway.reload(), "the link was changed");
    assert_eq!(client.get("/text").text(), "newer");
    drop(gateway);
    let before = source.files();
    let origin = origin::simple();
    for mode in ["auto", "record"] {
        let gateway = gateway::over(&folder, mode).upstream(&origin.url()).start();
        assert_eq!(client::http1(&gateway).get("/hello").status, 200);
        let report = gateway.finish();
        assert!(!report.passed);
        let reason = report
            .counted(Defect::NotWritten)
            .into_keys()
            .next()
            .unwrap();
        assert!(reason.contains("a symbolic link"), "{reason}");
        assert!(reason.contains("replace it by a copy"), "{reason}");
    }
    assert_eq!(source.files(), before);
}

#[test]
fn check_names_faults_of_every_kind_at_once() {
    let folder = recorded();
    let text = folder.text("default");
    fs::write(folder.cassette("default"), &text[..text.len() - 30]).unwrap();
    folder.write_config(
        "mode = \"replai\"\nplugins = \"plugins\"\n[matcher]\nignore_bdy = [\"/a\"]\n",
    );
    folder.put_plugin("garbage.wasm", b"garbage");
    let ended = program(&folder, &["check"]).run();
    for part in ["replai", "ignore_bdy", "garbage.wasm", "cassette default: "] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    assert_eq!(ended.status, Some(2));
}

#[test]
fn what_the_user_typed_is_named() {
    let folder = Folder::new();
    for (arguments, expected) in [
        (&["check", "--cassettes", "missing"][..], "cassette folder "),
        (
            &[
                "replay",
                "--cassettes",
                "missing",
                "--listen",
                "127.0.0.1:0",
            ],
            "cassette folder ",
        ),
        (
            &["record", "--upstream", "ftp://x"],
            "--upstream: unknown URL scheme",
        ),
        (&["replay", "--listen", "nowhere"], "--listen: \"nowhere\""),
        (
            &[
                "replay",
                "--listen",
                "127.0.0.1:0",
                "--report",
                "no/report.json",
            ],
            "cannot write the report",
        ),
    ] {
        let ended = program(&folder, arguments).run();
        assert_eq!(ended.status, Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(expected),
            "{arguments:?}: {}",
            ended.stderr
        );
        assert!(!ended.stderr.contains("endpoint["), "{}", ended.stderr);
    }
    let arguments = [
        "replay",
        "--listen",
        "127.0.0.1:0",
        "--report",
        "report.json",
    ];
    let mut process = program(&folder, &arguments).start();
    process.address();
    assert!(!folder.path().join("report.json").exists());
    assert_eq!(process.stop().status, Some(0));
    assert!(folder.path().join("report.json").exists());
}
