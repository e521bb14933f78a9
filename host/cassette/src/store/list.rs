//! Lists the sessions in a cassettes folder.

use std::fs;
use std::path::Path;

use super::cassette_dir::CassetteDir;
use super::error::CassetteError;
use super::session_name::{BODIES_SUFFIX, CASSETTE_SUFFIX, SessionName};

/// A session that has a cassette.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CassetteInfo {
    /// Name of the session.
    pub session: SessionName,
    /// Size of its cassette, in bytes.
    pub bytes: u64,
    /// Size of its stored bodies, in bytes.
    pub stored_bytes: u64,
}

impl CassetteDir {
    /// The sessions that have a cassette, sorted by name. Files without a valid session name, and
    /// symbolic links, are skipped.
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub fn list(&self) -> Result<Vec<CassetteInfo>, CassetteError> {
        let mut sessions = Vec::new();
        self.list_in("", &mut sessions)?;
        sessions.sort();
        Ok(sessions)
    }

    /// Recurses into folders. The maximum length of a session name limits the depth.
    fn list_in(&self, prefix: &str, sessions: &mut Vec<CassetteInfo>) -> Result<(), CassetteError> {
        let path = self.root().join(prefix);
        for (name, kind) in entries(&path).map_err(CassetteError::io("list", &path))? {
            let name = format!("{prefix}{name}");
            if kind.is_dir() {
                if !name.ends_with(BODIES_SUFFIX) && SessionName::parse(&name).is_ok() {
                    self.list_in(&format!("{name}/"), sessions)?;
                }
                continue;
            }
            let session = name.strip_suffix(CASSETTE_SUFFIX).map(SessionName::parse);
            let Some(Ok(session)) = session.filter(|_| kind.is_file()) else {
                continue;
            };
            let path = self.cassette_path(&session);
            let metadata = path.symlink_metadata();
            sessions.push(CassetteInfo {
                bytes: metadata.map_err(CassetteError::io("read", &path))?.len(),
                stored_bytes: size_of_files(&self.bodies_path(&session)),
                session,
            });
        }
        Ok(())
    }
}

fn entries(path: &Path) -> std::io::Result<Vec<(String, fs::FileType)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string() {
            entries.push((name, entry.file_type()?));
        }
    }
    Ok(entries)
}

/// The total size of the files in a folder. Symbolic links are not followed.
fn size_of_files(path: &Path) -> u64 {
    let is_folder = path
        .symlink_metadata()
        .is_ok_and(|metadata| metadata.is_dir());
    let Some(entries) = is_folder.then(|| fs::read_dir(path).ok()).flatten() else {
        return 0;
    };
    let sizes = entries.flatten().filter_map(|entry| entry.metadata().ok());
    sizes
        .filter(fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum()
}
