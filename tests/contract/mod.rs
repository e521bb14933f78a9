//! Components that were compiled with the frozen contract work unchanged.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::binary::program;
use crate::support::folder::Folder;

/// All frozen versions, the latest last.
const VERSIONS: [&str; 2] = ["0.1.0", "0.1.1"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The components of a version that are small enough to be stored uncompressed.
fn components(version: &str) -> Vec<PathBuf> {
    let folder = root().join("tests/contract").join(version);
    let entries = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut components: Vec<_> = entries
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "wasm")
        })
        .collect();
    components.sort();
    components
}

#[test]
fn components_of_earlier_builds_load_and_run() {
    for version in VERSIONS {
        let components = components(version);
        assert!(components.len() >= 10, "{version} has {}", components.len());
        for component in components {
            let name = component.file_stem().unwrap().to_str().unwrap();
            let (_, plugin) = name.split_once('-').unwrap();
            let folder = Folder::new();
            let file = component.to_str().unwrap();
            let ended = program(&folder, &["plugin", "check", file]).run();
            assert_eq!(ended.status, Some(0), "{name}: {}", ended.stderr);
            for cases in cases(version, plugin) {
                let arguments = ["plugin", "test", file, "--cases", cases.to_str().unwrap()];
                let ended = program(&folder, &arguments).run();
                assert_eq!(ended.status, Some(0), "{name}: {}", ended.stdout);
            }
        }
    }
}

/// The folders with the cases of a plugin that components of a version pass.
fn cases(version: &str, plugin: &str) -> Vec<PathBuf> {
    let all = root().join("examples/conformance").join(plugin);
    let until = VERSIONS.iter().position(|one| *one == version).unwrap();
    let since = VERSIONS[..=until].iter();
    let since = since.map(|version| all.join(format!("since-{version}")));
    let folders = [all.clone()].into_iter().chain(since);
    folders.filter(|folder| folder.is_dir()).collect()
}

#[test]
fn a_function_that_the_gateway_does_not_have_is_named() {
    let component = root().join("tests/contract/0.1.1/c-ignore-nonce.wasm");
    let mut bytes = fs::read(component).unwrap();
    let (known, unknown) = (b"[method]key.vary", b"[method]key.late");
    let mut replaced = 0;
    for start in 0..bytes.len() - known.len() {
        if bytes[start..].starts_with(known) {
            bytes[start..start + known.len()].copy_from_slice(unknown);
            replaced += 1;
        }
    }
    assert!(replaced > 0);
    let folder = Folder::new();
    let file = folder.path().join("newer.wasm");
    fs::write(&file, bytes).unwrap();
    let ended = program(&folder, &["plugin", "check", "newer.wasm"]).run();
    assert_eq!(ended.status, Some(2), "{}", ended.stdout);
    for part in ["`[method]key.late`", "update the gateway"] {
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
}

/// The package without comments and white space.
fn bare(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""));
    let words: Vec<_> = lines.flat_map(str::split_whitespace).collect();
    words.join(" ")
}

fn frozen(version: &str) -> PathBuf {
    root().join("tests/contract").join(version).join("wit")
}

fn wit_files(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".wit")).collect();
    names.sort();
    names
}

#[test]
fn the_wit_package_is_the_frozen_one() {
    let frozen = frozen(VERSIONS[VERSIONS.len() - 1]);
    let now = root().join("wit");
    assert_eq!(wit_files(&now), wit_files(&frozen));
    for name in wit_files(&now) {
        let read = |folder: &Path| fs::read_to_string(folder.join(&name)).unwrap();
        assert_eq!(
            bare(&read(&now)),
            bare(&read(&frozen)),
            "{name} changed; wit/README.md describes the allowed changes"
        );
    }
}

#[test]
fn a_version_has_all_items_of_those_before() {
    for pair in VERSIONS.windows(2) {
        let [before, after] = [pair[0], pair[1]].map(frozen);
        for name in wit_files(&before) {
            let items = |folder: &Path, version: &str| -> Vec<String> {
                let text = bare(&fs::read_to_string(folder.join(&name)).unwrap());
                let items = text.split_inclusive([';', '{', '}']);
                items
                    .map(|item| item.trim().replace(version, "VERSION"))
                    .collect()
            };
            let (before, after) = (items(&before, pair[0]), items(&after, pair[1]));
            let mut rest = after.iter();
            for item in &before {
                assert!(
                    rest.any(|other| other == item),
                    "{name} of {}: `{item}`",
                    pair[1]
                );
            }
        }
    }
}

#[test]
fn the_wit_package_has_no_closed_types() {
    for entry in root().join("wit").read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "wit") {
            continue;
        }
        let text = bare(&fs::read_to_string(&path).unwrap());
        for word in ["record", "variant", "enum", "flags"] {
            let found = text.split(' ').any(|own| own == word);
            assert!(
                !found,
                "{} has a {word}: a new case would break every plugin",
                path.display()
            );
        }
    }
}
