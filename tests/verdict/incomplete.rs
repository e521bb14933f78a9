//! Recordings that broke off.

use super::kinds::with_cassette;
use super::{Trial, get};
use crate::support::binary::program;
use crate::support::folder::Folder;
use crate::support::origin;

#[test]
fn a_cassette_that_is_not_complete() {
    let broken_off = |folder: &Folder| {
        with_cassette(folder);
        std::fs::write(folder.cassettes().join("default.jsons.recording"), "").unwrap();
    };
    let told = "(the recording is not complete: it broke off, or another gateway is at it; record \
                it again, or remove default.jsons.recording to keep it as it is) [incomplete]";
    let trial = Trial::new("replay", "", &get).prepare(&broken_off);
    let given = trial.run(&[]);
    assert_eq!(
        (given.status, given.kinds()),
        (Some(0), vec![]),
        "{given:#?}"
    );
    let note = format!("  incomplete: 1 {told}");
    assert!(given.stderr.contains(&note), "{given:#?}");
    let given = trial.run(&["--strict"]);
    assert_eq!((given.status, given.kinds()), (Some(1), vec!["incomplete"]));
    assert!(
        given.stderr.contains(&format!("  INCOMPLETE: 1 {told}")),
        "{given:#?}"
    );
    // `auto` appends to it, and tells it too.
    let origin = origin::simple();
    let trial = Trial::new("auto", &origin.url(), &get).prepare(&broken_off);
    let given = trial.run(&[]);
    assert!(given.stderr.contains(&note), "{given:#?}");
    assert_eq!(trial.run(&["--strict"]).kinds(), ["incomplete"]);
    // `record` replaces it.
    let trial = Trial::new("record", &origin.url(), &get).prepare(&broken_off);
    let given = trial.run(&["--strict"]);
    assert_eq!(
        (given.status, given.kinds()),
        (Some(0), vec![]),
        "{given:#?}"
    );
}

#[test]
fn check_names_a_recording_that_broke_off() {
    let folder = Folder::new();
    with_cassette(&folder);
    folder.write_config("mode = \"replay\"\nplugins = \"plugins\"\n");
    assert_eq!(program(&folder, &["check"]).run().status, Some(0));
    std::fs::write(folder.cassettes().join("default.jsons.recording"), "").unwrap();
    let ended = program(&folder, &["check"]).run();
    assert_eq!(ended.status, Some(2));
    let line = "cassette default: the recording is not complete: it broke off, or another gateway \
                is at it; record it again, or remove default.jsons.recording to keep it as it is";
    assert!(ended.stderr.contains(line), "{}", ended.stderr);
}
