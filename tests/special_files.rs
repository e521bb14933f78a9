//! Files that are no regular files: nothing waits for a FIFO, and nothing reads a device.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::cli::ANY;
use crate::support::binary::program;
use crate::support::folder::Folder;
use crate::support::plugins::fixture;
use crate::support::{client, gateway, within};

/// What stands in place of a file, and the word for it in the error.
const SPECIAL: [(&str, &str); 3] = [
    ("fifo", "a FIFO"),
    ("zero", "a device"),
    ("dir", "a folder"),
];

/// Puts a FIFO, a link to an endless device or a folder in the place of a file.
fn put(kind: &str, path: &Path) {
    let _ = fs::remove_file(path);
    let _ = fs::remove_dir(path);
    match kind {
        "fifo" => mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap(),
        "zero" => symlink("/dev/zero", path).unwrap(),
        _ => fs::create_dir(path).unwrap(),
    }
}

/// A file that a configuration names, and the configuration.
fn named_files() -> [(&'static str, &'static str); 7] {
    let with = |lines: &str| -> &'static str {
        format!("[[endpoint]]\nlisten = \"127.0.0.1:0\"\nmode = \"replay\"\n{lines}").leak()
    };
    [
        ("ouli.toml", ""),
        ("types.binpb", "proto_descriptors = [\"types.binpb\"]"),
        (
            "plugins/own.wasm",
            "plugins = \"plugins\"\n[[plugin]]\nfile = \"own.wasm\"",
        ),
        (
            "own.pem",
            with("tls = { cert = \"own.pem\", key = \"own.pem\" }"),
        ),
        (
            "roots.pem",
            "[[endpoint]]\nmode = \"passthrough\"\nlisten = \"127.0.0.1:0\"\n\
             upstream = \"https://localhost:1\"\nupstream_ca = \"roots.pem\"",
        ),
        (
            "clients.pem",
            with("tls = \"self-signed\"\nclient_auth = \"required\"\nclient_ca = \"clients.pem\""),
        ),
        ("data/ouli-gateway/ca/ca.key", with("tls = \"self-signed\"")),
    ]
}

#[test]
fn every_file_that_is_read_at_the_start_must_be_a_regular_file() {
    for (file, config) in named_files() {
        for (kind, word) in SPECIAL {
            if file.ends_with("ca.key") && kind != "fifo" {
                // Rejected before, for its permissions.
                continue;
            }
            let folder = Folder::new();
            let ca = folder.path().join("data/ouli-gateway/ca");
            fs::create_dir_all(&ca).unwrap();
            folder.write_config(config);
            put(kind, &folder.path().join(file));
            let ended = program(&folder, &[]).run();
            assert_eq!(ended.status, Some(2), "{file}: {}", ended.stderr);
            let name = file.rsplit('/').next().unwrap();
            assert!(
                ended.stderr.contains(word) && ended.stderr.contains(name),
                "{file} is {word}: {}",
                ended.stderr
            );
        }
    }
}

#[test]
fn a_plugin_that_nobody_named_and_that_is_no_file_is_skipped() {
    let folder = Folder::new();
    let at = |name: &str| folder.plugins().join(name);
    for (kind, _) in SPECIAL {
        put(kind, &at(&format!("{kind}.wasm")));
    }
    std::os::unix::net::UnixListener::bind(at("socket.wasm")).unwrap();
    symlink("nowhere", at("dangling.wasm")).unwrap();
    // Regular files without a size, of which one cannot be read and one does not end.
    symlink("/proc/self/mem", at("mem.wasm")).unwrap();
    symlink("/proc/self/pagemap", at("pagemap.wasm")).unwrap();
    // One with a size that cannot be read either, and one that is text.
    symlink("/sys/class/net/lo/speed", at("speed.wasm")).unwrap();
    symlink("/sys/class/net/lo/mtu", at("mtu.wasm")).unwrap();
    folder.write_config("plugins = \"plugins\"");
    let mut process = program(&folder, &["replay", "--listen", ANY]).start();
    process.address();
    let log = process.stop().stderr;
    for (name, word) in SPECIAL.into_iter().chain([
        ("socket", "a socket"),
        ("dangling", "a link to a file that does not exist"),
        ("mem", "Input/output error"),
        ("pagemap", "cannot be read: "),
        ("speed", "cannot be read: "),
        ("mtu", "the kernel makes it up"),
    ]) {
        let skipped = format!("{name}.wasm in the plugins folder is skipped: it cannot be read");
        let mut lines = log.lines();
        let is_told = lines.any(|line| line.contains(&skipped) && line.contains(word));
        assert!(is_told, "{name}: {log}");
    }
}

#[test]
fn a_dangling_link_that_the_configuration_names_is_an_error() {
    let folder = Folder::new();
    symlink("nowhere", folder.plugins().join("own.wasm")).unwrap();
    folder.write_config("plugins = \"plugins\"\n[[plugin]]\nfile = \"own.wasm\"");
    let ended = program(&folder, &["replay", "--listen", ANY]).run();
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    let reason = "own.wasm: cannot be read: it is a link to a file that does not exist";
    assert!(ended.stderr.contains(reason), "{}", ended.stderr);
}

#[test]
fn a_reload_and_a_stop_wait_for_no_fifo() {
    for (kind, word) in SPECIAL {
        let folder = Folder::new();
        let cassettes = folder.cassettes();
        fs::create_dir(&cassettes).unwrap();
        folder.write_config("plugins = \"plugins\"\nproto_descriptors = [\"types.binpb\"]");
        fs::write(folder.path().join("types.binpb"), b"").unwrap();
        let mut process = program(&folder, &["replay", "--listen", ANY]).start();
        let client = client::at(process.address(), http::Version::HTTP_11);
        let files = ["plugins/own.wasm", "types.binpb", "ouli.toml"];
        for file in files {
            put(kind, &folder.path().join(file));
            let reported = || {
                let log = process.stderr();
                let name = file.rsplit('/').next().unwrap();
                let mut lines = log.lines();
                lines
                    .any(|line| line.contains(name) && line.contains(word))
                    .then_some(())
            };
            within(crate::support::PATIENCE, file, reported);
        }
        assert_eq!(client.get("/hello").status, 404);
        assert_eq!(process.stop().status, Some(0));
    }
}

#[test]
fn a_file_that_is_regular_again_takes_effect() {
    let folder = Arc::new(Folder::new());
    let gateway = gateway::replay(&folder).start();
    let path = folder.plugins().join("own.wasm");
    put("fifo", &path);
    gateway.reload();
    let config = fs::read_to_string(folder.config()).unwrap();
    put("zero", &folder.config());
    gateway.reload();
    fs::remove_file(&path).unwrap();
    folder.put_plugin("own.wasm", &fixture("swap-a"));
    fs::remove_file(folder.config()).unwrap();
    folder.write_config(&config);
    assert!(gateway.reload());
    let status = gateway.status();
    assert!(format!("{status:?}").contains("own.wasm"), "{status:?}");
}

#[test]
fn a_report_waits_for_no_reader() {
    let folder = Folder::new();
    put("fifo", &folder.path().join("report.json"));
    let arguments = ["replay", "--listen", ANY, "--report", "report.json"];
    let mut process = program(&folder, &arguments).start();
    process.address();
    let ended = process.stop();
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    let reason = "it is a FIFO that no program reads";
    assert!(ended.stderr.contains(reason), "{}", ended.stderr);
}

#[test]
fn check_and_list_name_a_cassette_that_is_no_regular_file() {
    for kind in ["fifo", "zero", "dir", "link"] {
        let folder = Folder::new();
        fs::create_dir(folder.cassettes()).unwrap();
        folder.write_config("mode = \"replay\"");
        let path = folder.cassette("odd");
        match kind {
            "link" => symlink("nothing", &path).unwrap(),
            kind => put(kind, &path),
        }
        let reason = match kind {
            "link" => "a symbolic link to nothing",
            _ => "not a regular file",
        };
        let ended = program(&folder, &["check"]).run();
        assert_eq!(ended.status, Some(2), "{kind}: {}", ended.stderr);
        let told = |text: &str| text.contains("odd") && text.contains(reason);
        assert!(told(&ended.stderr), "{kind}: {}", ended.stderr);
        let ended = program(&folder, &["cassette", "list"]).run();
        assert_eq!(ended.status, Some(1), "{kind}: {}", ended.stderr);
        assert!(told(&ended.stderr), "{kind}: {}", ended.stderr);
    }
}

#[test]
fn a_file_in_the_place_of_a_folder_is_named() {
    for (arguments, name) in [
        (["replay", "--cassettes", "file"], "cassette folder"),
        (["record", "--cassettes", "file"], ""),
        (["replay", "--plugins", "file"], "plugin folder"),
    ] {
        let folder = Folder::new();
        fs::write(folder.path().join("file"), "").unwrap();
        let upstream = ["--listen", ANY, "--upstream", "http://127.0.0.1:1"];
        let ended = program(&folder, &[&arguments[..], &upstream].concat()).run();
        assert_eq!(ended.status, Some(2), "{arguments:?}: {}", ended.stderr);
        let told = ended.stderr.contains("is a file; name a folder");
        assert!(told && ended.stderr.contains(name), "{}", ended.stderr);
    }
}
