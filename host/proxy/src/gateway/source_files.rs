//! Reads the files that the user edits: the configuration and the plugins.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Metadata of a file that shows whether it may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileStamp {
    path: PathBuf,
    size: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

/// The stamps of the files that a gateway depends on.
pub(super) fn stamp_files(files: &[PathBuf], folders: &[PathBuf]) -> Vec<FileStamp> {
    let plugins = folders.iter().flat_map(|folder| plugin_files(folder));
    let plugins = plugins.map(|(_, path)| path);
    let mut stamps: Vec<_> = files
        .iter()
        .cloned()
        .chain(plugins)
        // A missing file has no stamp.
        .filter_map(|path| {
            let metadata = path.metadata().ok()?;
            Some(FileStamp::new(path, &metadata))
        })
        .collect();
    stamps.sort_by(|a, b| a.path.cmp(&b.path));
    stamps
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

/// Why a file in a plugin folder is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnreadableFile {
    pub(super) reason: String,
    /// It is a regular file with a size, and not one that the kernel makes up: it may be a plugin.
    pub(super) may_be_plugin: bool,
}

/// The plugins in the folders, by file name: the bytes, or why they cannot be read. If two folders
/// have a file of the same name, the first one is used. A file that vanished meanwhile is left out.
pub(super) fn plugins(
    folders: &[PathBuf],
    max_size: usize,
) -> BTreeMap<String, Result<Arc<[u8]>, UnreadableFile>> {
    let mut found = BTreeMap::new();
    for (name, path) in folders.iter().flat_map(|folder| plugin_files(folder)) {
        if found.contains_key(&name) {
            continue;
        }
        let unreadable = |reason: String, may_be_plugin| {
            let reason = format!("cannot be read: {reason}");
            Err(UnreadableFile {
                reason,
                may_be_plugin,
            })
        };
        let read = match ouli_files::read(&path, max_size) {
            Ok(_) if ouli_files::is_of_kernel(&path) => {
                unreadable("the kernel makes it up".to_owned(), false)
            }
            Ok(bytes) => Ok(bytes.into()),
            Err(error) => match error.kind() {
                ErrorKind::NotFound if path.is_symlink() => unreadable(
                    "it is a link to a file that does not exist".to_owned(),
                    false,
                ),
                ErrorKind::NotFound => continue,
                ErrorKind::FileTooLarge => {
                    let reason = format!("{error} (limits.plugin_file)");
                    unreadable(reason, may_be_plugin(&path))
                }
                ErrorKind::PermissionDenied => unreadable(error.to_string(), false),
                _ => unreadable(error.to_string(), may_be_plugin(&path)),
            },
        };
        found.insert(name, read);
    }
    found
}

fn may_be_plugin(path: &Path) -> bool {
    let metadata = path.metadata();
    let has_size = metadata.is_ok_and(|it| it.is_file() && it.len() > 0);
    has_size && !ouli_files::is_of_kernel(path)
}

/// `*.wasm` directly in a folder. Hidden files are temporary files of editors and copy tools.
fn plugin_files(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = folder.read_dir() else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let is_plugin = name.ends_with(".wasm") && !name.starts_with('.');
            is_plugin.then(|| (name, entry.path()))
        })
        .collect();
    files.sort();
    files
}
