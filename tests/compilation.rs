//! The compilation of plugins: the cache of compiled code, and the process that compiles.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::cli::{ANY, at};
use crate::support::binary::{Process, Program, program};
use crate::support::folder::Folder;
use crate::support::origin;
use crate::support::plugins::{fixture, slow_to_compile};
use crate::support::until;

/// The program with a compile cache of its own.
fn with_own_cache(folder: &Folder, arguments: &[&str]) -> Program {
    program(folder, arguments).env("XDG_CACHE_HOME", folder.path().join("cache"))
}

/// The files of the cache.
fn cached(folder: &Folder) -> Vec<PathBuf> {
    let entries = folder.path().join("cache/ouli-gateway/compiled").read_dir();
    let paths = entries.unwrap().map(|entry| entry.unwrap().path());
    paths.collect()
}

/// A gateway that replays, once it has started and stopped in order; its log.
fn starts(folder: &Folder) -> String {
    let mut process = with_own_cache(folder, &["replay", "--listen", ANY]).start();
    process.address();
    let ended = process.stop();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    ended.stderr
}

/// A way to damage a file.
type Damage = Box<dyn Fn(&Path)>;

#[test]
fn a_damaged_cache_is_replaced_and_never_stops_a_start() {
    let folder = Folder::new();
    let again = "cannot be used, the plugin is compiled again";
    assert!(!starts(&folder).contains(again));
    let files = cached(&folder);
    assert!(!files.is_empty());
    let flip = |at: fn(usize) -> usize| {
        move |path: &Path| {
            let mut bytes = fs::read(path).unwrap();
            let place = at(bytes.len());
            bytes[place] ^= 1;
            fs::write(path, bytes).unwrap();
        }
    };
    let damages: [(&str, Damage); 6] = [
        ("one byte of the code", Box::new(flip(|size| size / 2))),
        ("the digest", Box::new(flip(|_| 40))),
        (
            "the end",
            Box::new(|path| {
                let bytes = fs::read(path).unwrap();
                fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
            }),
        ),
        ("empty", Box::new(|path| fs::write(path, b"").unwrap())),
        (
            "another program's",
            Box::new(|path| fs::write(path, b"\x7fELF").unwrap()),
        ),
        (
            "a folder",
            Box::new(|path| {
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
            }),
        ),
    ];
    for (what, damage) in damages {
        files.iter().for_each(|path| damage(path));
        let log = starts(&folder);
        assert!(log.contains(again), "{what}: {log}");
        assert!(!starts(&folder).contains(again), "{what} is not replaced");
    }
}

#[test]
fn a_cache_that_others_can_write_is_not_used() {
    let folder = Folder::new();
    let cache = folder.path().join("cache/ouli-gateway/compiled");
    fs::create_dir_all(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    let log = starts(&folder);
    assert!(log.contains("other users can write it"), "{log}");
    assert!(cached(&folder).is_empty());
}

/// The compiler of a gateway, stopped in its work.
struct Compiler(Pid);

impl Compiler {
    fn of(gateway: &Process) -> Self {
        let parent = gateway.id().to_string();
        let found = until("the compiler process", || {
            let output = Command::new("pgrep")
                .args(["-P", &parent])
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            text.lines().next()?.parse().ok()
        });
        let compiler = Self(Pid::from_raw(found).unwrap());
        compiler.signal(Signal::STOP);
        compiler
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.0, signal).unwrap();
    }

    fn is_gone(&self) -> bool {
        let process = self.0.as_raw_nonzero();
        let status = fs::read_to_string(format!("/proc/{process}/status"));
        status.map_or(true, |status| status.contains("State:\tZ"))
    }
}

/// A folder whose compile cache has the built-in plugins.
fn warm() -> Folder {
    let folder = Folder::new();
    starts(&folder);
    folder
}

#[test]
fn a_stop_does_not_wait_for_a_compilation() {
    let folder = warm();
    // During the start.
    folder.put_plugin("slow.wasm", &slow_to_compile());
    let process = with_own_cache(&folder, &["replay", "--listen", ANY]).start();
    let compiler = Compiler::of(&process);
    let ended = process.stop();
    let reason = "stopped before the gateway was ready";
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    until("the compiler to end with the gateway", || {
        compiler.is_gone().then_some(())
    });
    // During a reload, by the watcher and by a signal.
    for signal in [None, Some("HUP")] {
        folder.remove_plugin("slow.wasm");
        let arguments = [
            "replay",
            "--listen",
            ANY,
            "--set",
            "limits.shutdown_timeout=1s",
        ];
        let mut process = with_own_cache(&folder, &arguments).start();
        let address = process.address();
        folder.put_plugin("slow.wasm", &slow_to_compile());
        let compiler = Compiler::of(&process);
        if let Some(signal) = signal {
            process.signal(signal);
        }
        assert_eq!(at(address).get("/hello").status, 404);
        let ended = process.stop();
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("verdict: "), "{}", ended.stderr);
        until("the compiler to end with the gateway", || {
            compiler.is_gone().then_some(())
        });
    }
}

#[test]
fn a_configuration_takes_effect_while_a_plugin_is_compiled() {
    let (one, two) = (
        origin::simple(),
        origin::new().route("/*", |_| origin::text("two")).start(),
    );
    let folder = warm();
    let config = |upstream: &str| {
        format!(
            "plugins = \"plugins\"\n[[endpoint]]\nmode = \"passthrough\"\n\
             listen = \"{ANY}\"\nupstream = \"{upstream}\"\n"
        )
    };
    folder.write_config(&config(&one.url()));
    let mut process = with_own_cache(&folder, &[]).start();
    let client = at(process.address());
    assert_eq!(client.get("/hello").text(), "good morning\n");
    folder.put_plugin("slow.wasm", &slow_to_compile());
    folder.put_plugin("swap.wasm", &fixture("swap-a"));
    let compiler = Compiler::of(&process);
    folder.write_config(&config(&two.url()));
    until("the new upstream", || {
        (client.get("/hello").text() == "two").then_some(())
    });
    let page = || client.get("/__ouli/plugins").text().to_owned();
    assert!(!page().contains("swap.wasm"), "{}", page());
    compiler.signal(Signal::CONT);
    until("the plugins", || page().contains("swap.wasm").then_some(()));
    assert_eq!(client.get("/hello").text(), "two");
}

/// Limits that a compilation exceeds, and what its error names.
const BOUNDS: [(&str, &str); 2] = [
    (
        "limits = { plugin_compile_time = \"1ms\" }",
        "(limits.plugin_compile_time)",
    ),
    (
        "limits = { plugin_compile_memory = \"64MiB\" }",
        "(limits.plugin_compile_memory)",
    ),
];

#[test]
fn a_compilation_is_bounded_in_time_and_memory() {
    for (limit, reason) in BOUNDS {
        let folder = warm();
        folder.put_plugin("slow.wasm", &slow_to_compile());
        let section = format!("[[plugin]]\nfile = \"slow.wasm\"\n{limit}");
        folder.write_config(&format!("plugins = \"plugins\"\n{section}"));
        let ended = with_own_cache(&folder, &["replay", "--listen", ANY]).run();
        assert_eq!(ended.status, Some(2), "{limit}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("slow.wasm") && ended.stderr.contains(reason),
            "{limit}: {}",
            ended.stderr
        );
    }
}

#[test]
fn a_compilation_within_its_limits_follows_one_that_was_ended() {
    let folder = warm();
    let config = |limit: &str| {
        let section = format!("[[plugin]]\nfile = \"slow.wasm\"\n{limit}");
        folder.write_config(&format!("plugins = \"plugins\"\n{section}"));
    };
    config("");
    folder.put_plugin("slow.wasm", &fixture("swap-b"));
    let mut process = with_own_cache(&folder, &["replay", "--listen", ANY]).start();
    let client = at(process.address());
    let page = || client.get("/__ouli/plugins").json();
    for (limit, reason) in BOUNDS {
        config(limit);
        folder.put_plugin("slow.wasm", &slow_to_compile());
        until("the refusal", || {
            let rejected = page()["rejected"][0]["reason"].to_string();
            rejected.contains(reason).then_some(())
        });
        config("");
        folder.put_plugin("slow.wasm", &fixture("swap-a"));
        until("the next version", || {
            let page = page();
            let none = page["rejected"].as_array().is_some_and(Vec::is_empty);
            (none && page["live"][0]["name"] == "slow.wasm").then_some(())
        });
        folder.put_plugin("slow.wasm", &fixture("swap-b"));
    }
    assert_eq!(process.stop().status, Some(0));
}

#[test]
fn a_start_without_a_cache_says_so_once_and_what_to_do() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let file = format!("XDG_CACHE_HOME={}", file.display());
    for (starter, reason) in [
        (
            &["env", "-u", "HOME", "-u", "XDG_CACHE_HOME"][..],
            "HOME is not set; set HOME, or XDG_CACHE_HOME",
        ),
        (&["env", &file], "set XDG_CACHE_HOME to a folder that is"),
    ] {
        let arguments = ["replay", "--listen", "127.0.0.1:0"];
        let mut process = program(&folder, &arguments).under(starter).start();
        process.address();
        let log = process.stop().stderr;
        assert_eq!(log.matches("are not cached").count(), 1, "{log}");
        assert!(log.contains(reason), "{log}");
    }
}
