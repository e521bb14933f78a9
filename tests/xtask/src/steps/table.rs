//! The steps in the order in which CI runs them: those that fail soonest come first.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::command::{run, run_with};
use super::{Step, Workspace, conformance, new_project};
use crate::graph;

/// The workspaces besides the main one, by their folders.
const OTHERS: [&str; 3] = ["plugins", "tests/fuzz", "tests/real/grpc/tonic-peer"];

pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "format",
        about: "every workspace is formatted by rustfmt",
        run: |workspace| {
            run(workspace, ".", "cargo fmt --all --check")?;
            let mut others = OTHERS.iter();
            others.try_for_each(|folder| run(workspace, folder, "cargo fmt --all --check"))
        },
    },
    Step {
        name: "graph",
        about: "crates depend downwards, no import circle between files",
        run: |workspace| {
            let report = graph::check(&workspace.path("."), &graph::Options::default())?;
            anyhow::ensure!(report.passed(), "\n{report}");
            Ok(())
        },
    },
    Step {
        name: "lint",
        about: "clippy finds nothing in the gateway, its tests and benches",
        run: |workspace| {
            run(
                workspace,
                ".",
                "cargo clippy --workspace --all-targets --locked -- -D warnings",
            )
        },
    },
    Step {
        name: "lint-plugins",
        about: "clippy finds nothing in the plugins, for wasm and the host, and in the gRPC peer",
        run: lint_plugins,
    },
    Step {
        name: "docs",
        about: "rustdoc builds without a warning",
        run: |workspace| {
            run_with(
                workspace,
                ".",
                "cargo doc --workspace --no-deps --locked --quiet",
                &[("RUSTDOCFLAGS", Path::new("-Dwarnings"))],
            )
        },
    },
    Step {
        name: "test",
        about: "the suite that needs no other toolchain",
        run: |workspace| run(workspace, ".", "cargo test --locked"),
    },
    Step {
        name: "fuzz",
        about: "every fuzz target runs for some seconds",
        run: |workspace| run(workspace, ".", "tests/fuzz/run.sh 6"),
    },
    Step {
        name: "test-plugins",
        about: "the unit tests of the plugins and their SDK, on the host",
        run: |workspace| {
            let line = format!("cargo test --locked --quiet --target {}", host_target()?);
            run(workspace, "plugins", &line)
        },
    },
    Step {
        name: "examples",
        about: "the example plugins build in Rust, C, JavaScript, Python and Go",
        run: |workspace| {
            conformance::build_rust(workspace)?;
            run(workspace, ".", "make -C examples/c")?;
            run(workspace, ".", "npm run build --prefix examples/javascript")?;
            run(workspace, ".", "examples/python/build.sh")?;
            run(workspace, ".", "make -C examples/go")
        },
    },
    Step {
        name: "conformance",
        about: "the example plugins pass the same cases in every language",
        run: conformance::run,
    },
    Step {
        name: "new-project",
        about: "projects of `plugin new` build and pass their cases in every language",
        run: new_project::run,
    },
    Step {
        name: "real",
        about: "tests with real clients and servers: curl, Chromium, httpx, grpcio, nginx, Node.js",
        run: |workspace| {
            run(
                workspace,
                ".",
                "cargo test --locked --test real -- --ignored --nocapture",
            )
        },
    },
    Step {
        name: "deny",
        about: "licences, bans and sources of all dependencies, by cargo-deny",
        run: deny,
    },
];

fn lint_plugins(workspace: &Workspace) -> anyhow::Result<()> {
    let clippy = "cargo clippy --workspace --all-targets --locked";
    run(workspace, "plugins", &format!("{clippy} -- -D warnings"))?;
    // Parts of a plugin that only its tests use are compiled for the host only.
    let host = host_target()?;
    run(
        workspace,
        "plugins",
        &format!("{clippy} --target {host} -- -D warnings"),
    )?;
    run_with(
        workspace,
        "tests/real/grpc/tonic-peer",
        "cargo clippy --locked -- -D warnings",
        &[("CARGO_TARGET_DIR", &workspace.path("target/real/tonic"))],
    )
}

fn deny(workspace: &Workspace) -> anyhow::Result<()> {
    let checks = "check --hide-inclusion-graph licenses bans sources";
    run(workspace, ".", &format!("cargo deny --locked {checks}"))?;
    run(
        workspace,
        ".",
        &format!(
            "cargo deny --locked --manifest-path plugins/Cargo.toml --config deny.toml {checks}"
        ),
    )
}

/// The default target of rustc.
pub(super) fn host_target() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc names no host")
}
