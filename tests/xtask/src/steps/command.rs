//! A program that a step runs.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use super::Workspace;

/// Arguments as one text, split at spaces: no argument of a step has one.
fn command(workspace: &Workspace, folder: &str, line: &str) -> anyhow::Result<Command> {
    let mut words = line.split_whitespace();
    let program = words.next().context("an empty command line")?;
    let mut command = Command::new(program);
    command
        .args(words)
        .current_dir(workspace.path(folder))
        .stdin(Stdio::null());
    // Cargo sets these for this command's own build; another workspace must not see them.
    for name in ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "RUSTC"] {
        command.env_remove(name);
    }
    Ok(command)
}

/// Runs a command line in a folder of the checkout and passes its output on.
pub(super) fn run(workspace: &Workspace, folder: &str, line: &str) -> anyhow::Result<()> {
    run_with(workspace, folder, line, &[])
}

/// The same with environment variables.
pub(super) fn run_with(
    workspace: &Workspace,
    folder: &str,
    line: &str,
    environment: &[(&str, &Path)],
) -> anyhow::Result<()> {
    let status = command(workspace, folder, line)?
        .envs(environment.iter().copied())
        .status()
        .with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` in {folder}/ ended with {status}");
    }
    Ok(())
}

/// What a command line prints on stdout and stderr, and whether it succeeded.
pub(super) fn output(
    workspace: &Workspace,
    folder: &str,
    line: &str,
) -> anyhow::Result<(String, bool)> {
    let output = command(workspace, folder, line)?
        .output()
        .with_context(|| format!("cannot run `{line}`"))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text += &String::from_utf8_lossy(&output.stderr);
    Ok((text, output.status.success()))
}
