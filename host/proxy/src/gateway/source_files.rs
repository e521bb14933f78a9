//! Reads what the user edits: the configuration's text and the files in the plugin folders.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// How one file looks from outside: enough to see that it may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileStamp {
    path: PathBuf,
    size: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

/// The files that a gateway depends on, as they look now.
pub(super) fn stamp_files(files: &[PathBuf], folders: &[PathBuf]) -> Vec<FileStamp> {
    let plugins = folders.iter().flat_map(|folder| plugin_files(folder));
    let plugins = plugins.map(|(_, path)| path);
    let mut looks: Vec<_> = files
        .iter()
        .cloned()
        .chain(plugins)
        // A file that is gone by now is seen as gone.
        .filter_map(|path| {
            let metadata = path.metadata().ok()?;
            Some(FileStamp::new(path, &metadata))
        })
        .collect();
    looks.sort_by(|a, b| a.path.cmp(&b.path));
    looks
}

impl FileStamp {
    fn new(path: PathBuf, metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            path,
            size: metadata.len(),
            modified: metadata.modified().ok(),
            inode: metadata.ino(),
        }
    }
}

/// The plugins in some folders: the bytes, or why they cannot be read, by file name. Where two
/// folders have a file of one name, the first one counts.
pub(super) fn plugins(
    folders: &[PathBuf],
    most: usize,
) -> BTreeMap<String, Result<Arc<[u8]>, String>> {
    let mut found = BTreeMap::new();
    for (name, path) in folders.iter().flat_map(|folder| plugin_files(folder)) {
        found
            .entry(name)
            .or_insert_with(|| read_limited(&path, most).map_err(|error| error.to_string()));
    }
    found
}

/// `*.wasm` at the top of a folder; hidden files are an editor's or a copy's business.
fn plugin_files(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = folder.read_dir() else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let fits = name.ends_with(".wasm") && !name.starts_with('.');
            let path = entry.path();
            // Through symbolic links: a switched link is a changed file.
            (fits && path.is_file()).then_some((name, path))
        })
        .collect();
    files.sort();
    files
}

/// Reads at most one byte more than allowed, so that a file without end is refused by its size.
pub(super) fn read_limited(path: &Path, most: usize) -> io::Result<Arc<[u8]>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(most as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes.into())
}
