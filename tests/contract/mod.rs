//! Components that were compiled with the frozen contract work unchanged.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::binary::program;
use crate::support::folder::Folder;

/// All frozen versions.
const VERSIONS: [&str; 1] = ["0.1.0"];

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
            let cases = root().join("examples/conformance").join(plugin);
            if !cases.is_dir() {
                continue;
            }
            let arguments = ["plugin", "test", file, "--cases", cases.to_str().unwrap()];
            let ended = program(&folder, &arguments).run();
            assert_eq!(ended.status, Some(0), "{name}: {}", ended.stdout);
        }
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

#[test]
fn the_wit_package_is_the_frozen_one() {
    let frozen = root().join("tests/contract/0.1.0/wit");
    let names = |folder: &Path| -> Vec<String> {
        let entries = folder.read_dir().unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.ends_with(".wit")).collect();
        names.sort();
        names
    };
    let now = root().join("wit");
    assert_eq!(names(&now), names(&frozen));
    for name in names(&now) {
        let read = |folder: &Path| fs::read_to_string(folder.join(&name)).unwrap();
        assert_eq!(
            bare(&read(&now)),
            bare(&read(&frozen)),
            "{name} changed; wit/README.md describes the allowed changes"
        );
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
