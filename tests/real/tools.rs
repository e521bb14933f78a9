//! Paths of the programs that the tests run.

use std::path::PathBuf;
use std::process::Command;

/// A program of the Python environment that `.ci/run --tools` makes.
pub(crate) fn python(program: &str) -> Command {
    let path = root().join("target/real/venv/bin").join(program);
    assert!(
        path.exists(),
        "{} is missing; run: .ci/run --tools",
        path.display()
    );
    Command::new(path)
}

/// A program of the system.
pub(crate) fn system(program: &str) -> Command {
    command(program, "--version")
}

/// A program of the system that exits successfully with this argument.
pub(crate) fn command(program: &str, nothing: &str) -> Command {
    let runs = Command::new(program).arg(nothing).output();
    assert!(
        runs.is_ok_and(|output| output.status.success()),
        "{program} does not run; install it, or run: .ci/run --tools"
    );
    Command::new(program)
}

/// A script of these tests, run with Python or Node.
pub(crate) fn script(name: &str) -> Command {
    let mut command = if name.ends_with(".mjs") {
        let modules = root().join("target/real/node/node_modules");
        assert!(
            modules.exists(),
            "{} is missing; run: .ci/run --tools",
            modules.display()
        );
        system("node")
    } else {
        python("python")
    };
    // Proxy settings of the system must not affect connections to this machine.
    command.arg(file(name)).env("NO_PROXY", "127.0.0.1");
    // Keeps compiled Python modules out of the source tree.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// A file of these tests.
pub(crate) fn file(name: &str) -> PathBuf {
    root().join("tests/real").join(name)
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
