//! The path that earlier versions gave to a simple name. A cassette that is there is used there.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::own_suffixes;

/// True if a cassette with this path, below `root`, or a file next to it exists.
pub(super) fn has_files(root: &Path, cassette: &Path) -> bool {
    [""].iter().chain(&own_suffixes::BESIDE).any(|suffix| {
        let mut name = cassette.as_os_str().to_owned();
        name.push(suffix);
        let below = PathBuf::from(name);
        root.join(&below).symlink_metadata().is_ok() && is_spelled(root, &below)
    })
}

/// True unless the file system ignores case and the files have another spelling: then they belong
/// to another session.
fn is_spelled(root: &Path, below: &Path) -> bool {
    let mut folder = root.to_owned();
    below.iter().all(|name| {
        let lower = name.to_ascii_lowercase();
        let is_spelled = lower == name
            || !is_same_file(&folder.join(name), &folder.join(&lower))
            || is_listed(&folder, name);
        folder.push(name);
        is_spelled
    })
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let stat = |path: &Path| {
        let metadata = path.symlink_metadata().ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    stat(one).is_some_and(|it| Some(it) == stat(other))
}

fn is_listed(folder: &Path, name: &OsStr) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.flatten().any(|entry| entry.file_name() == name)
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    #[test]
    fn files_are_found_by_their_own_spelling() {
        let home = tempdir().unwrap();
        let root = home.path();
        let has = |cassette: &str| has_files(root, Path::new(cassette));
        fs::create_dir(root.join("A")).unwrap();
        assert!(!has("A/x.jsons"));
        fs::write(root.join("A/x.jsons.previous"), "").unwrap();
        assert!(has("A/x.jsons") && !has("A/y.jsons"));
        // Both spellings exist, as one file.
        fs::write(root.join("B.jsons"), "").unwrap();
        fs::hard_link(root.join("B.jsons"), root.join("b.jsons")).unwrap();
        assert!(has("B.jsons"));
        // The file has the other spelling alone, as a file system that ignores case finds it.
        assert!(!is_listed(root, OsStr::new("C.jsons")));
        assert!(is_same_file(&root.join("B.jsons"), &root.join("b.jsons")));
    }
}
