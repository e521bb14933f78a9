//! Session names and planted files stay within the cassette folder.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::support::binary::program;
use crate::support::client::{self, raw};
use crate::support::folder::{Folder, files};
use crate::support::gateway;
use crate::support::origin::{self, Origin};

/// Responses of 2 KiB: with `inline_body = "1KiB"` they are stored in separate files.
fn origin() -> Origin {
    let answer = |seen: &origin::Seen| origin::text(&seen.target.repeat(2048));
    origin::new().route("/*", answer).start()
}

const SMALL: &str = "[limits]\ninline_body = \"1 KiB\"";

/// Names that would lead out of the folder if they were paths, in one spelling or another.
const HOSTILE: [&str; 21] = [
    "..",
    "../out",
    "a/../../out",
    "/etc/out",
    "./a",
    "a/./b",
    "a//b",
    "a/",
    ".a",
    "a/.b",
    "%2e%2e/out",
    "..%2fout",
    "%252e%252e%252fout",
    "a%00b",
    "..\\out",
    "~/out",
    "a:b",
    "a.bodies/b",
    "caf\u{e9}",
    "a.jsons/b",
    "con",
];

/// Names that no session has.
fn invalid_names() -> Vec<String> {
    let names = ["", "a\tb", "a\u{85}b"].map(str::to_owned).into_iter();
    names.chain(["x".repeat(1025), "x/".repeat(2048)]).collect()
}

/// The percent-encoded name.
fn encoded(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// The heads of requests that name a session.
fn heads(name: &str) -> Vec<String> {
    let twice = encoded(&encoded(name));
    let prefixes = [encoded(name), twice].into_iter();
    let paths = prefixes.map(|prefix| format!("GET /__ouli/session/{prefix}/x HTTP/1.1\r\n"));
    let fields = ["ouli-session", "test-name"].into_iter();
    let fields = fields.map(|field| format!("GET /x HTTP/1.1\r\n{field}: {name}\r\n"));
    fields.chain(paths).collect()
}

fn answer(gateway: &gateway::Running, head: &str) -> String {
    let request = format!("{head}host: x\r\nconnection: close\r\n\r\n");
    raw(gateway.address, request).rest()
}

#[test]
fn no_session_name_leaves_the_cassette_folder() {
    let origin = origin();
    let gateway = gateway::record(&origin).section(SMALL).start();
    let before = paths(gateway.folder.path());
    for name in HOSTILE {
        for head in heads(name) {
            let answer = answer(&gateway, &head);
            assert!(answer.starts_with("HTTP/1.1 200 "), "{name:?}: {answer}");
        }
    }
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let new = paths(folder.path()).into_iter();
    let new: Vec<_> = new.filter(|path| !before.contains(path)).collect();
    assert!(
        new.len() > 2 * HOSTILE.len(),
        "cassettes and bodies: {new:?}"
    );
    for path in new {
        let below = path.strip_prefix(folder.cassettes()).unwrap();
        let is_plain = |part: &std::ffi::OsStr| part.len() < 255 && part != "..";
        assert!(below.iter().all(is_plain), "{}", below.display());
    }
}

#[test]
fn invalid_session_names_leave_nothing() {
    let origin = origin();
    let gateway = gateway::record(&origin).start();
    let before = paths(gateway.folder.path());
    for name in invalid_names() {
        // Encoded twice, it is another name. Longer than any path may be, it is refused as such.
        let heads = heads(&name).into_iter().take(3);
        for head in heads.filter(|head| head.len() < 7000) {
            let answer = answer(&gateway, &head);
            assert!(answer.starts_with("HTTP/1.1 400 "), "{name:?}: {answer}");
        }
    }
    assert!(origin.seen().is_empty());
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    assert_eq!(paths(folder.path()), before);
}

#[test]
fn no_configured_session_name_is_invalid() {
    let folder = Folder::new();
    let before = paths(folder.path());
    for name in invalid_names() {
        let runs = [
            vec!["replay", "--listen", "127.0.0.1:0", "--session", &name],
            vec![
                "check",
                "--set",
                "endpoint.upstream=http://x",
                "--session",
                &name,
            ],
            vec!["cassette", "show", &name],
        ];
        for arguments in runs {
            let ended = program(&folder, &arguments).run();
            assert_eq!(ended.status, Some(2), "{arguments:?}: {}", ended.stderr);
        }
    }
    assert_eq!(paths(folder.path()), before);
}

#[test]
fn one_cassette_is_one_session_and_case_counts() {
    let origin = origin();
    let gateway = gateway::auto(&origin).start();
    let client = client::http1(&gateway);
    let first = client.get("/__ouli/session/two%20words/a");
    let mark = client.ask("POST", "/__ouli/sessions/two%20words/mark");
    assert_eq!(mark.send().status, 200);
    assert_eq!(client.get("/__ouli/session/two_words/a"), first);
    assert_eq!(
        origin.seen().len(),
        1,
        "it is recorded under one of the spellings"
    );
    for name in ["Case", "case"] {
        client.ask("GET", "/a").header("ouli-session", name).send();
    }
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    for name in ["two_words", "+Case", "case"] {
        assert_eq!(folder.exchanges(name).len(), 1, "{name}");
    }
}

/// A file or link in the place of a session's file, and whether the session can be recorded then.
struct Planted {
    what: &'static str,
    name: &'static str,
    plant: fn(&Path, &Path),
    recorded: bool,
}

const PLANTED: &[Planted] = &[
    planted("a link to a file", "default.jsons", false, |at, out| {
        symlink(out.join("file"), at).unwrap();
    }),
    planted("a link to nothing", "default.jsons", false, |at, out| {
        symlink(out.join("new"), at).unwrap();
    }),
    planted("a hard link", "default.jsons", false, |at, out| {
        fs::hard_link(out.join("empty"), at).unwrap();
    }),
    planted("a FIFO", "default.jsons", false, |at, _| fifo(at)),
    planted("a folder", "default.jsons", false, |at, _| {
        fs::create_dir(at).unwrap();
    }),
    planted("a link to a device", "default.jsons", false, |at, _| {
        symlink("/dev/full", at).unwrap();
    }),
    planted("a link", "default.bodies", false, |at, out| {
        symlink(out, at).unwrap();
    }),
    planted("a file", "default.bodies", false, |at, _| {
        fs::write(at, "in the way").unwrap();
    }),
    planted("a FIFO", "default.bodies", false, |at, _| fifo(at)),
    planted("a link", "default.jsons.previous", true, |at, out| {
        symlink(out.join("file"), at).unwrap();
    }),
    planted("a folder", "default.jsons.previous", false, |at, _| {
        fs::create_dir(at).unwrap();
    }),
    planted("a link", "default.jsons.torn", false, |at, out| {
        symlink(out.join("file"), at).unwrap();
    }),
    planted("a FIFO", "default.jsons.torn", false, |at, _| fifo(at)),
];

const fn planted(
    what: &'static str,
    name: &'static str,
    recorded: bool,
    plant: fn(&Path, &Path),
) -> Planted {
    Planted {
        what,
        name,
        plant,
        recorded,
    }
}

fn fifo(at: &Path) {
    let made = Command::new("mkfifo").arg(at).status();
    assert!(made.unwrap().success());
}

#[test]
fn planted_links_and_pipes_are_not_followed() {
    let origin = origin();
    for case in PLANTED {
        let (outside, folder) = (Folder::new(), Arc::new(Folder::new()));
        fs::write(outside.path().join("file"), "not to be touched").unwrap();
        fs::write(outside.path().join("empty"), "").unwrap();
        let before = files(outside.path());
        fs::create_dir(folder.cassettes()).unwrap();
        let mut mode = "auto";
        if case.name.contains(".jsons.") {
            // A torn end or a complete cassette, which the gateway renames.
            if case.name.ends_with("previous") {
                mode = "record";
                let gateway = gateway::over(&folder, mode).upstream(&origin.url());
                let gateway = gateway.start();
                client::http1(&gateway).get("/before");
                gateway.stop();
            } else {
                let text = "{ \"ouli-cassette\": 1 }\n{\n  \"exchange\": 1,\n";
                fs::write(folder.cassette("default"), text).unwrap();
            }
        }
        (case.plant)(&folder.cassettes().join(case.name), outside.path());
        let builder = gateway::over(&folder, mode).upstream(&origin.url());
        let what = format!("{} at {}", case.what, case.name);
        let gateway = match builder.section(SMALL).try_start() {
            Ok(gateway) => gateway,
            Err(error) => {
                // A file that is not a cassette is reported at the start.
                assert!(
                    error.to_string().contains("default.jsons"),
                    "{what}: {error}"
                );
                assert_eq!(files(outside.path()), before, "{what}");
                continue;
            }
        };
        assert_eq!(client::http1(&gateway).get("/x").status, 200, "{what}");
        let report = gateway.finish();
        assert_eq!(report.recorded == 1, case.recorded, "{what}: {report:?}");
        let is_whole = report.damage.is_empty();
        assert_eq!(
            report.passed,
            case.recorded && is_whole,
            "{what}: {report:?}"
        );
        assert_eq!(files(outside.path()), before, "{what}");
    }
}

#[test]
fn files_are_private_whatever_the_umask() {
    let origin = origin();
    for umask in ["0000", "0022", "0277", "0777"] {
        let folder = Folder::new();
        folder.write_config(&format!("plugins = \"plugins\"\n{SMALL}\n"));
        let url = origin.url();
        let arguments = [
            "--config",
            "ouli.toml",
            "--listen",
            "127.0.0.1:0",
            "--upstream",
            &url,
        ];
        let start = format!("umask {umask} && exec \"$0\" \"$@\"");
        let record = [&["record", "--session", "in/a/folder"][..], &arguments].concat();
        for round in 0..2 {
            let started = program(&folder, &record).under(&["sh", "-c", &start]);
            let mut process = started.start();
            let client = client::at(process.address(), http::Version::HTTP_11);
            assert_eq!(client.get("/x").status, 200);
            let ended = process.stop();
            assert_eq!(
                ended.status,
                Some(0),
                "umask {umask}, round {round}: {}",
                ended.stderr
            );
        }
        let found = paths(&folder.cassettes());
        assert_eq!(
            found.len(),
            4,
            "cassette, body, previous, attributes: {found:?}"
        );
        for path in found {
            let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&path), 0o600, "umask {umask}: {}", path.display());
            let above = path.ancestors().skip(1);
            for above in above.take_while(|above| above.starts_with(folder.cassettes())) {
                assert_eq!(mode(above), 0o700, "umask {umask}: {}", above.display());
            }
        }
    }
}

fn paths(folder: &Path) -> Vec<PathBuf> {
    files(folder).into_iter().map(|(path, _)| path).collect()
}
