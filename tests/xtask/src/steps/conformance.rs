//! The conformance kit: the same plugins in five languages pass the same cases.

use anyhow::bail;

use super::Workspace;
use super::command::{output, run as run_command};

const PLUGINS: [&str; 3] = ["ignore-nonce", "mask-email", "skip-errors"];

/// The folders of the cases of each plugin. Cases of a function that a version of the contract
/// added have a folder of their own: components of earlier versions do not pass them.
const CASES: [(&str, &str); 4] = [
    ("ignore-nonce", "ignore-nonce"),
    ("ignore-nonce", "ignore-nonce/since-0.1.1"),
    ("mask-email", "mask-email"),
    ("skip-errors", "skip-errors"),
];

const LANGUAGES: [&str; 5] = ["c", "javascript", "python", "go", "rust"];

/// The command line of the gateway that is checked.
pub(super) const GATEWAY: &str = "cargo run --quiet --locked --";

pub(super) fn build_rust(workspace: &Workspace) -> anyhow::Result<()> {
    let packages = PLUGINS.map(|plugin| format!("--package {plugin}"));
    let line = format!("cargo build --locked --release {}", packages.join(" "));
    run_command(workspace, "plugins", &line)
}

pub(super) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for (plugin, cases) in CASES {
        for language in LANGUAGES {
            let file = component(plugin, language);
            let line = format!("{GATEWAY} plugin test {file} --cases examples/conformance/{cases}");
            let (text, passed) = output(workspace, ".", &line)?;
            let verdict = text.trim_end().lines().next_back().unwrap_or_default();
            super::eprintln_line(&format!("{plugin:12} {language:10} {verdict}"));
            if !passed {
                super::eprintln_line(&text);
                failed.push(format!("{cases} in {language}"));
            }
        }
    }
    if !failed.is_empty() {
        bail!("cases fail: {}", failed.join(", "));
    }
    Ok(())
}

fn component(plugin: &str, language: &str) -> String {
    match language {
        "rust" => format!(
            "plugins/target/wasm32-wasip2/release/{}.wasm",
            plugin.replace('-', "_")
        ),
        _ => format!("examples/{language}/build/{plugin}.wasm"),
    }
}
