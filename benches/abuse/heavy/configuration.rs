//! Files in the place of the configuration that are none.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::super::harness::Harness;
use super::bodies::{expect, get};

/// A file: what it is, and how it is made.
type Odd = (&'static str, fn(&Path));

const ODD: [Odd; 9] = [
    ("empty", |path| fs::write(path, "").unwrap()),
    ("no UTF-8", |path| fs::write(path, [0xff; 4096]).unwrap()),
    ("zeros", |path| fs::write(path, [0; 1 << 20]).unwrap()),
    ("100 MB", |path| {
        fs::write(path, vec![b'#'; 100 << 20]).unwrap()
    }),
    ("nested", |path| {
        fs::write(path, format!("a = {}", "[".repeat(1_000_000))).unwrap()
    }),
    ("a million keys", |path| {
        let keys: String = (0..1_000_000).map(|key| format!("k{key} = 1\n")).collect();
        fs::write(path, keys).unwrap();
    }),
    ("a folder", |path| fs::create_dir(path).unwrap()),
    ("a FIFO", |path| {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success())
    }),
    ("/dev/zero", |path| symlink("/dev/zero", path).unwrap()),
];

pub(super) fn odd(harness: &Harness) -> Vec<String> {
    let path = harness.folder().join("ouli.toml");
    let good = fs::read(&path).unwrap();
    let mut faults = Vec::new();
    for (name, make) in ODD {
        remove(&path);
        make(&path);
        harness.signal("HUP");
        std::thread::sleep(Duration::from_millis(300));
        let found = expect(harness, "record", &get("/x", ""), &[200]);
        faults.extend(found.into_iter().map(|fault| format!("{name}: {fault}")));
    }
    remove(&path);
    fs::write(&path, good).unwrap();
    harness.signal("HUP");
    faults
}

fn remove(path: &Path) {
    if fs::remove_file(path).is_err() {
        fs::remove_dir(path).unwrap();
    }
}
