//! The help of every command and the usage errors, compared as a whole with snapshots.

use crate::support::binary::{Ended, program};
use crate::support::folder::Folder;
use crate::support::snapshot::{assert_snapshot, normalized};

/// All commands; the empty one is the program without a command.
pub(crate) const COMMANDS: [&str; 18] = [
    "",
    "record",
    "replay",
    "auto",
    "passthrough",
    "check",
    "demo",
    "ca",
    "plugin",
    "plugin new",
    "plugin check",
    "plugin test",
    "plugin bench",
    "plugin list",
    "cassette",
    "cassette list",
    "cassette show",
    "cassette accept",
];

const USAGE_ERRORS: [&str; 19] = [
    "recrod",
    "replay --no-such-flag",
    "replay --log-format xml",
    "replay --port 9000",
    "replay --set limits",
    "--session a replay",
    "replay --config missing.toml",
    "replay --plugins missing-folder",
    "cassette show",
    "cassette show default --cassettes missing-folder",
    "cassette show missing --cassettes data",
    "cassette accept missing --cassettes data",
    "plugin new my-matcher --lang go",
    "plugin new My_Matcher --lang rust",
    "plugin new data --lang rust",
    "plugin check missing.wasm",
    "plugin test missing.wasm --cases missing-folder",
    "plugin bench missing.wasm --cassette missing.jsons",
    "plugin list --address 127.0.0.1:1",
];

fn run(folder: &Folder, command: &str) -> Ended {
    let arguments: Vec<_> = command.split_whitespace().collect();
    program(folder, &arguments).run()
}

#[test]
fn every_command_has_its_help() {
    let folder = Folder::new();
    for command in COMMANDS {
        let ended = run(&folder, &format!("{command} --help"));
        assert_eq!(ended.status, Some(0), "{command}: {}", ended.stderr);
        assert_eq!(ended.stderr, "", "{command}");
        let name = format!("help {command}");
        let name = name.trim_end().replace(' ', "-");
        assert_snapshot(&name, &ended.stdout);
    }
}

#[test]
fn usage_errors_name_the_cause_and_the_remedy() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path().join("data")).unwrap();
    let mut text = String::new();
    for command in USAGE_ERRORS {
        let ended = run(&folder, command);
        assert_eq!(ended.status, Some(2), "{command}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{command}");
        text += &format!("$ ouli-gateway {command}\n{}\n", ended.stderr);
    }
    assert_snapshot("usage-errors", &normalized(&text, folder.path()));
}
