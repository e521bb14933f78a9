//! `plugin new` in every language: the project builds with the commands of its README, and its
//! component passes its cases.

use std::time::Instant;

use anyhow::Context as _;

use super::Workspace;
use super::command::run as run_command;

/// A language, the commands that build a project, and the component that they make.
const PROJECTS: [(&str, &[&str], &str); 4] = [
    (
        "rust",
        &[
            "cargo build --quiet --locked --release --target wasm32-wasip2",
            "cargo test --quiet --locked",
        ],
        "target/wasm32-wasip2/release/my_rust.wasm",
    ),
    ("c", &["make"], "my-c.wasm"),
    ("js", &["npm run build"], "my-js.wasm"),
    ("python", &["./build.sh"], "my-python.wasm"),
];

pub(super) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let inside = Workspace {
        root: folder.path().to_owned(),
    };
    let manifest = workspace.path("Cargo.toml");
    let gateway = format!(
        "cargo run --quiet --locked --manifest-path {} --",
        manifest.display()
    );
    for (language, build, component) in PROJECTS {
        let start = Instant::now();
        let name = format!("my-{language}");
        run_command(
            &inside,
            ".",
            &format!("{gateway} plugin new {name} --lang {language}"),
        )?;
        for line in build {
            run_command(&inside, &name, line)?;
        }
        run_command(
            &inside,
            &name,
            &format!("{gateway} plugin test {component}"),
        )?;
        super::eprintln_line(&format!("{language}: {} s", start.elapsed().as_secs()));
    }
    Ok(())
}
