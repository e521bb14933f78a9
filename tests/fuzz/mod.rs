//! Checks the properties on the seeds of the fuzz targets and on each input that broke one before.

mod properties;

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use crate::cost::allocation;
use properties::TARGETS;

/// The inputs of a target in `corpus` or `regressions`; empty if the folder does not exist.
fn inputs(kind: &str, target: &str) -> Vec<PathBuf> {
    let folder = folder(kind).join(target);
    let Ok(entries) = folder.read_dir() else {
        return Vec::new();
    };
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz")
        .join(kind)
}

#[test]
fn every_input_keeps_the_properties() {
    let mut broken = Vec::new();
    for target in TARGETS {
        let seeds = inputs("corpus", target.name);
        assert!(seeds.len() >= 3, "{} has too few seeds", target.name);
        for path in seeds.into_iter().chain(inputs("regressions", target.name)) {
            let input = std::fs::read(&path).unwrap();
            if catch_unwind(|| target.run(&input)).is_err() {
                broken.push(path.display().to_string());
            }
        }
    }
    assert!(
        broken.is_empty(),
        "inputs that break a property:\n{}",
        broken.join("\n")
    );
}

#[test]
fn every_folder_of_inputs_and_every_fuzz_target_has_its_property() {
    let names = ["corpus", "regressions", "fuzz_targets"]
        .into_iter()
        .flat_map(|kind| folder(kind).read_dir().unwrap())
        .map(|entry| entry.unwrap().path());
    for path in names {
        let name = path.file_stem().unwrap();
        let target = TARGETS.iter().find(|target| name == target.name);
        assert!(target.is_some(), "no property has the name {name:?}");
    }
    for target in TARGETS {
        let source = folder("fuzz_targets").join(target.name);
        assert!(source.with_extension("rs").is_file(), "{}", target.name);
    }
}
