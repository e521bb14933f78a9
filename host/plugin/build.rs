//! Builds the built-in plugins and an example for wasm32-wasip2. The crate embeds the components.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const TARGET: &str = "wasm32-wasip2";

/// Crates whose components are embedded, and their folders: the built-in plugins, and the example
/// that the demo swaps in.
const EMBEDDED: [(&str, &str); 4] = [
    ("builtin-matcher", "plugins/builtin-matcher"),
    ("builtin-redactor", "plugins/builtin-redactor"),
    ("builtin-policy", "plugins/builtin-policy"),
    ("ignore-nonce", "examples/rust/ignore-nonce"),
];

fn main() {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("../..");
    let out = PathBuf::from(variable("OUT_DIR"));
    println!("cargo::rerun-if-changed={}", root.join("wit").display());
    watch(&root);
    if let Err(reason) = ensure_target().and_then(|()| build(&root.join("plugins"), &out)) {
        println!("cargo::error={reason}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo passes values to build scripts in environment variables"
)]
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}

/// Rebuilds when a source of an embedded plugin changes. The `target` folder is not watched,
/// because every build changes it.
fn watch(root: &Path) {
    let plugins = root.join("plugins");
    for file in ["Cargo.toml", "Cargo.lock", ".cargo/config.toml", "sdk"] {
        println!("cargo::rerun-if-changed={}", plugins.join(file).display());
    }
    for (_, folder) in EMBEDDED {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
    }
}

/// Installs the standard library for the plugins' target if it is missing.
fn ensure_target() -> Result<(), String> {
    let rustc = variable("RUSTC");
    let library = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|error| format!("cannot run rustc: {error}"))?;
    let library = PathBuf::from(String::from_utf8_lossy(&library.stdout).trim());
    if library.is_dir() {
        return Ok(());
    }
    let added = Command::new("rustup")
        .args(["target", "add", TARGET])
        .status();
    if added.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(format!(
        "the target {TARGET} is missing and cannot be installed; run: rustup target add {TARGET}"
    ))
}

fn build(plugins: &Path, out: &Path) -> Result<(), String> {
    let target = out.join("plugins");
    let mut cargo = Command::new(variable("CARGO"));
    cargo
        .current_dir(plugins)
        .args(["build", "--release", "--locked", "--target", TARGET])
        .args(EMBEDDED.iter().flat_map(|(name, _)| ["--package", name]))
        .arg("--target-dir")
        .arg(&target);
    // Settings of the host's build do not apply to guests.
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_PROFILE_RELEASE_LTO",
        "CARGO_MAKEFLAGS",
    ] {
        cargo.env_remove(name);
    }
    let status = cargo
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !status.success() {
        return Err(
            "the built-in plugins in plugins/ do not build; see the errors above".to_owned(),
        );
    }
    for (name, _) in EMBEDDED {
        let file = format!("{}.wasm", name.replace('-', "_"));
        let built = target.join(TARGET).join("release").join(&file);
        fs::copy(&built, out.join(&file))
            .map_err(|error| format!("{}: {error}", built.display()))?;
    }
    Ok(())
}
