//! The files that `plugin new` writes, embedded from `plugins/templates` and `plugins/sdk`.

use crate::args::Lang;

/// A path in the project and the text of the file; both may have placeholders for the name.
pub(super) type TemplateFile = (&'static str, &'static str);

impl Lang {
    /// All languages.
    #[cfg(test)]
    pub(super) const ALL: [Self; 4] = [Self::Rust, Self::C, Self::Js, Self::Python];

    /// The command that builds the component.
    pub(super) fn build(self) -> &'static str {
        match self {
            Self::Rust => "cargo build --release --target wasm32-wasip2",
            Self::C => "make",
            Self::Js => "npm run build",
            Self::Python => "./build.sh",
        }
    }

    /// The component that the build writes.
    pub(super) fn output(self) -> &'static str {
        match self {
            Self::Rust => "target/wasm32-wasip2/release/{{name_snake}}.wasm",
            Self::C | Self::Js | Self::Python => "{{name}}.wasm",
        }
    }
}

/// The files of a project, including the contract.
pub(super) fn files(lang: Lang) -> impl Iterator<Item = TemplateFile> {
    let (template, sdk): (&[TemplateFile], &[TemplateFile]) = match lang {
        Lang::Rust => (RUST, SDK),
        Lang::C => (C, &[]),
        Lang::Js => (JS, &[]),
        Lang::Python => (PYTHON, &[]),
    };
    template.iter().chain(sdk).chain(WIT).copied()
}

macro_rules! files {
    ($from:literal, $to:literal, [$($path:literal),+ $(,)?]) => {
        &[$((
            concat!($to, $path),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../", $from, $path)),
        )),+]
    };
}

const RUST: &[TemplateFile] = files!(
    "plugins/templates/rust/",
    "",
    [
        ".gitignore",
        "Cargo.lock",
        "Cargo.toml",
        "README.md",
        "cases/language.json",
        "cases/nonce.json",
        "cases/tenant.json",
        "rust-toolchain.toml",
        "src/lib.rs",
    ]
);

const C: &[TemplateFile] = files!(
    "plugins/templates/c/",
    "",
    [
        ".gitignore",
        "Makefile",
        "README.md",
        "__name_snake__.c",
        "cases/language.json",
        "cases/nonce.json",
        "cases/tenant.json",
    ]
);

const JS: &[TemplateFile] = files!(
    "plugins/templates/js/",
    "",
    [
        ".gitignore",
        "README.md",
        "cases/language.json",
        "cases/nonce.json",
        "cases/tenant.json",
        "matcher.js",
        "package-lock.json",
        "package.json",
        "prebuild.mjs",
    ]
);

const PYTHON: &[TemplateFile] = files!(
    "plugins/templates/python/",
    "",
    [
        ".gitignore",
        "README.md",
        "build.sh",
        "cases/language.json",
        "cases/nonce.json",
        "cases/tenant.json",
        "matcher.py",
        "requirements.txt",
    ]
);

/// The SDK, with the contract that its bindings are generated from.
const SDK: &[TemplateFile] = files!(
    "plugins/sdk/",
    "sdk/",
    [
        "Cargo.toml",
        "README.md",
        "clippy.toml",
        "src/bindings.rs",
        "src/handle.rs",
        "src/host.rs",
        "src/json.rs",
        "src/lib.rs",
        "src/matcher.rs",
        "src/message.rs",
        "src/policy.rs",
        "src/redactor.rs",
        "src/settings.rs",
        "src/testing/environment.rs",
        "src/testing/matcher.rs",
        "src/testing/mod.rs",
        "src/testing/pointer.rs",
        "src/testing/policy.rs",
        "src/testing/redactor.rs",
        "src/testing/sample.rs",
        "wit/matcher.wit",
        "wit/recording-policy.wit",
        "wit/redactor.wit",
        "wit/traffic.wit",
        "wit/world.wit",
    ]
);

const WIT: &[TemplateFile] = files!(
    "wit/",
    "wit/",
    [
        "matcher.wit",
        "recording-policy.wit",
        "redactor.wit",
        "traffic.wit",
        "world.wit",
    ]
);
