//! Reloads of configuration and plugins under traffic.

mod proof;
mod swap;

use std::fs;
use std::sync::Arc;

use crate::support::binary::program;
use crate::support::client::{self, Answer, Ask, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin;
use crate::support::plugins::{core_module, fixture};
use crate::support::until;

/// A gateway that replays two exchanges and watches its files.
fn replaying() -> Running {
    let folder = two_exchanges();
    // The code is cached, so a swap needs no compilation.
    for name in [ONE, TWO] {
        gateway::replay(&Arc::new(Folder::new()))
            .plugin("warm.wasm", &fixture(name))
            .start();
    }
    gateway::replay(&folder).watched().start()
}

/// The matcher that finds exchange `one` for [`ask`]: it compares the header `x-kind` and `/id`
/// of the body.
const ONE: &str = "asked-matcher";

/// The matcher that finds exchange `two`: it abstains, and the built-in matcher compares query
/// and body.
const TWO: &str = "abstainer";

fn two_exchanges() -> Arc<Folder> {
    let echo = |seen: &origin::Seen| {
        let kind = seen.headers["x-kind"].to_str().unwrap();
        origin::text(kind).header("x-kind", kind)
    };
    let origin = origin::new().route("/ask", echo).start();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    for kind in ["one", "two"] {
        question(&client, kind, kind).send();
    }
    let folder = Arc::clone(&gateway.folder);
    assert_eq!(gateway.finish().recorded, 2);
    folder
}

fn question(client: &Client, kind: &str, rest: &str) -> Ask {
    let ask = client
        .ask("POST", &format!("/ask?rest={rest}"))
        .header("x-kind", kind);
    let body = format!("{{\"id\": 7, \"rest\": \"{rest}\"}}");
    ask.header("content-type", "application/json").body(body)
}

/// A request for which the two matchers find different exchanges.
fn ask(client: &Client) -> Ask {
    question(client, "one", "two")
}

/// The exchange that the response belongs to; fails if it is a mixture.
fn answered(answer: &Answer) -> String {
    assert_eq!(
        (answer.status, answer.header("x-kind")),
        (200, answer.text()),
        "{answer:?}"
    );
    answer.text().to_owned()
}

fn now(client: &Client) -> String {
    answered(&ask(client).send())
}

fn soon(what: &str, expected: &str, client: &Client) {
    until(what, || (now(client) == expected).then_some(()));
}

#[test]
fn a_plugin_is_added_changed_and_removed() {
    let gateway = replaying();
    let client = client::http1(&gateway);
    assert_eq!(now(&client), "two");
    gateway.folder.put_plugin("own.wasm", &fixture(ONE));
    soon("the new plugin", "one", &client);
    gateway.folder.put_plugin("own.wasm", &fixture(TWO));
    soon("the changed plugin", "two", &client);
    gateway.folder.put_plugin("own.wasm", &fixture(ONE));
    soon("the plugin that was there before", "one", &client);
    gateway.folder.remove_plugin("own.wasm");
    soon("the plugin to be gone", "two", &client);
}

#[test]
fn a_plugin_may_be_written_in_place() {
    let gateway = replaying();
    let client = client::http1(&gateway);
    let (path, bytes) = (gateway.folder.plugins().join("own.wasm"), fixture(ONE));
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    gateway.reload();
    assert_eq!(now(&client), "two");
    fs::write(&path, &bytes).unwrap();
    soon("the whole plugin", "one", &client);
}

#[test]
fn the_configuration_takes_effect() {
    let gateway = replaying();
    let client = client::http1(&gateway);
    let other = || client.get("/nowhere").header("ouli-error").to_owned();
    let config = fs::read_to_string(gateway.folder.config()).unwrap();
    let matcher = "[matcher]\nignore_query = [\"rest\"]\nignore_body = [\"/rest\"]";
    let ignoring = format!("{config}\n{matcher}\n");
    gateway.folder.write_config(&ignoring);
    let first = || question(&client, "any", "other").send().status == 200;
    until("the new setting", || first().then_some(()));
    gateway.folder.write_config(&config);
    until("the old setting", || (!first()).then_some(()));
    assert_eq!(other(), "miss");
}

#[test]
fn a_broken_plugin_keeps_the_last_good_version() {
    let gateway = replaying();
    let client = client::http1(&gateway);
    gateway.folder.put_plugin("own.wasm", &fixture(ONE));
    soon("the plugin", "one", &client);
    let config = fs::read_to_string(gateway.folder.config()).unwrap();
    for broken in [
        core_module(),
        b"garbage".to_vec(),
        Vec::new(),
        fixture("bad-prepare"),
    ] {
        gateway.folder.put_plugin("own.wasm", &broken);
        gateway.reload();
        assert_eq!(now(&client), "one");
    }
    fs::write(gateway.folder.config(), "mode = \"repla").unwrap();
    gateway.reload();
    assert_eq!(now(&client), "one");
    // The configuration is valid again and takes effect.
    fs::write(gateway.folder.config(), config).unwrap();
    gateway.folder.put_plugin("own.wasm", &fixture(TWO));
    soon("the mended plugin", "two", &client);
}

#[test]
fn temporary_files_of_editors_are_ignored() {
    let gateway = replaying();
    let client = client::http1(&gateway);
    let before = gateway.generation();
    for name in [
        ".own.wasm.swp",
        "own.wasm~",
        ".#own.wasm",
        "own.wasm.tmp",
        "4913",
        ".hidden.wasm",
    ] {
        fs::write(gateway.folder.plugins().join(name), fixture(ONE)).unwrap();
    }
    for name in [".ouli.toml.swp", "ouli.toml~"] {
        fs::write(gateway.folder.path().join(name), "broken").unwrap();
    }
    assert!(!gateway.reload());
    assert_eq!(now(&client), "two");
    assert_eq!(gateway.generation(), before);
}

#[test]
fn the_same_content_is_no_change() {
    let gateway = replaying();
    gateway.folder.put_plugin("own.wasm", &fixture(ONE));
    until("the plugin", || (gateway.generation() > 1).then_some(()));
    let before = gateway.generation();
    gateway.folder.put_plugin("own.wasm", &fixture(ONE));
    assert!(!gateway.reload());
    assert_eq!(gateway.generation(), before);
}

#[test]
fn a_symlink_can_be_switched() {
    let gateway = replaying();
    let client = client::http1(&gateway);
    let versions = gateway.folder.path().join("versions");
    fs::create_dir(&versions).unwrap();
    fs::write(versions.join("a"), fixture(ONE)).unwrap();
    fs::write(versions.join("b"), fixture(TWO)).unwrap();
    let link = |version: &str| {
        let next = gateway.folder.plugins().join(".next");
        std::os::unix::fs::symlink(versions.join(version), &next).unwrap();
        fs::rename(&next, gateway.folder.plugins().join("own.wasm")).unwrap();
    };
    link("a");
    soon("version a", "one", &client);
    link("b");
    soon("version b", "two", &client);
}

#[test]
fn the_plugin_folder_may_be_a_symlink() {
    let gateway = replaying();
    let client = client::http1(&gateway);
    let folder = &gateway.folder;
    let release = |name: &str, plugin: Option<&str>| {
        let release = folder.path().join(name);
        fs::create_dir(&release).unwrap();
        if let Some(plugin) = plugin {
            fs::write(release.join("own.wasm"), fixture(plugin)).unwrap();
        }
        let next = folder.path().join("next");
        std::os::unix::fs::symlink(&release, &next).unwrap();
        if folder.plugins().is_dir() && !folder.plugins().is_symlink() {
            fs::remove_dir(folder.plugins()).unwrap();
        }
        fs::rename(&next, folder.plugins()).unwrap();
    };
    release("first", Some(ONE));
    soon("the first release", "one", &client);
    release("second", None);
    soon("the second release", "two", &client);
}

#[test]
fn an_endpoint_is_added_and_removed() {
    let gateway = replaying();
    let config = fs::read_to_string(gateway.folder.config()).unwrap();
    let more = "[[endpoint]]\nname = \"more\"\nlisten = \"127.0.0.1:0\"\n";
    gateway.folder.write_config(&format!("{config}\n{more}"));
    let address = until("the new endpoint", || {
        let listening = gateway.listening().into_iter();
        listening
            .filter(|one| one.endpoint == "more")
            .map(|one| one.address)
            .next()
    });
    let more = client::at(address, http::Version::HTTP_11);
    assert_eq!(more.get("/").header("ouli-error"), "miss");
    let client = client::http1(&gateway);
    assert_eq!(now(&client), "two");
    gateway.folder.write_config(&config);
    until("the endpoint to be gone", || {
        more.ask("GET", "/").try_send().err()
    });
    assert_eq!(now(&client), "two");
}

/// The log of a program to which each of these configurations was given.
fn log_of(configs: &[&str]) -> String {
    let folder = Folder::new();
    let config = |rest: &str| format!("mode = \"replay\"\n{rest}\n{ENDPOINT}");
    folder.write_config(&config(""));
    let mut process = program(&folder, &[]).start();
    process.address();
    for text in configs {
        // One is in force, or the last good one stays in force.
        let outcomes = || process.stderr().matches(" in force").count();
        let before = outcomes();
        match *text {
            "" => fs::write(folder.config(), "").unwrap(),
            rest => folder.write_config(&config(rest)),
        }
        process.signal("HUP");
        until("the reload", || (outcomes() > before).then_some(()));
    }
    process.stop().stderr
}

const ENDPOINT: &str = "[[endpoint]]\nname = \"api\"\nlisten = \"127.0.0.1:0\"";

#[test]
fn each_error_of_a_reload_has_a_line() {
    let log = log_of(&["strict = 1\nfsync = \"never\"\n"]);
    assert!(!log.contains("\\n"), "{log}");
    for key in ["strict:", "fsync:"] {
        let lines = log.lines().filter(|line| line.contains(key));
        assert_eq!(lines.count(), 1, "{log}");
    }
}

#[test]
fn an_emptied_configuration_is_told_once() {
    let log = log_of(&[""]);
    let told = log
        .matches("the configuration is empty or was removed")
        .count();
    assert_eq!(told, 1, "{log}");
    assert!(
        log.contains("the last good configuration stays in force"),
        "{log}"
    );
}

#[test]
fn a_setting_that_needs_a_restart_is_told_when_it_changes() {
    let other = "cassettes = \"other\"\n";
    let more = "cassettes = \"other\"\non_exhausted = \"miss\"\n";
    let log = log_of(&[other, more, "on_exhausted = \"miss\""]);
    let told = log.matches("`cassettes` changed: restart").count();
    assert_eq!(told, 1, "{log}");
}
