//! What the fuzzer found and what it starts from is shown to the same properties in every run of
//! the tests.

mod properties;

use std::panic::catch_unwind;
use std::path::Path;

use properties::TARGETS;

#[test]
fn every_kept_input_keeps_the_properties() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut broken = Vec::new();
    for target in TARGETS {
        let folder = corpora.join(target.name);
        let inputs: Vec<_> = folder
            .read_dir()
            .unwrap()
            .map(|it| it.unwrap().path())
            .collect();
        assert!(inputs.len() >= 3, "{} has too few inputs", target.name);
        for path in inputs {
            let input = std::fs::read(&path).unwrap();
            if catch_unwind(|| (target.check)(&input)).is_err() {
                broken.push(path.display().to_string());
            }
        }
    }
    assert!(
        broken.is_empty(),
        "these break a property:\n{}",
        broken.join("\n")
    );
}

#[test]
fn every_folder_of_inputs_has_its_properties() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for folder in corpora.read_dir().unwrap() {
        let name = folder.unwrap().file_name();
        let target = TARGETS.iter().find(|target| name == target.name);
        assert!(target.is_some(), "nothing reads the inputs in {name:?}");
    }
}
