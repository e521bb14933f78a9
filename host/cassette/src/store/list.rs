//! Lists the sessions in a cassettes folder.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::cassette_dir::CassetteDir;
use super::error::CassetteError;
use super::own_suffixes;
use super::session_name::SessionName;

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
    /// The sessions that have a cassette, sorted by name, also where it is no regular file and so
    /// cannot be read. Symbolic links are followed. Files whose path is not that of a session are
    /// skipped.
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub fn list(&self) -> Result<Vec<CassetteInfo>, CassetteError> {
        let mut sessions = Vec::new();
        self.list_in("", &mut Vec::new(), &mut sessions)?;
        sessions.sort();
        Ok(sessions)
    }

    /// Recurses into folders. The maximum length of a path limits the depth; a link to a folder in
    /// `outer` is a circle.
    fn list_in(
        &self,
        prefix: &str,
        outer: &mut Vec<(u64, u64)>,
        sessions: &mut Vec<CassetteInfo>,
    ) -> Result<(), CassetteError> {
        let path = self.root().join(prefix);
        let failed = || CassetteError::io("list", &path);
        let own = path.metadata().map_err(failed())?;
        let own = (own.dev(), own.ino());
        if outer.contains(&own) {
            return Ok(());
        }
        outer.push(own);
        for (name, metadata) in entries(&path).map_err(failed())? {
            let name = format!("{prefix}{name}");
            if metadata.is_dir() {
                let before = sessions.len();
                if may_hold_sessions(&name) {
                    self.list_in(&format!("{name}/"), outer, sessions)?;
                }
                // It may be the folder of other sessions.
                if sessions.len() > before {
                    continue;
                }
            }
            let path = name.strip_suffix(own_suffixes::CASSETTE);
            let session = path.and_then(SessionName::from_path);
            // Not a former path of a session that has another one now.
            let is_used =
                |session: &SessionName| self.cassette_path(session) == self.root().join(&name);
            let Some(session) = session.filter(is_used) else {
                continue;
            };
            sessions.push(CassetteInfo {
                bytes: if metadata.is_file() {
                    metadata.len()
                } else {
                    0
                },
                stored_bytes: size_of_files(&self.bodies_path(&session)),
                session,
            });
        }
        outer.pop();
        Ok(())
    }
}

/// True if the folder may be one of a session's path: it is not hidden, and has no stored bodies.
fn may_hold_sessions(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    path.len() <= MAX_FOLDERS && !last.starts_with('.') && !last.ends_with(own_suffixes::BODIES)
}

/// Maximum length in bytes of the folders of a path. No session has longer ones.
const MAX_FOLDERS: usize = 4096;

/// The entries whose names are valid UTF-8, with the metadata of what they are or link to.
fn entries(path: &Path) -> std::io::Result<Vec<(String, fs::Metadata)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // A link to nothing stands for itself. A file that was just removed is skipped.
        let path = entry.path();
        if let Ok(metadata) = path.metadata().or_else(|_| path.symlink_metadata()) {
            entries.push((name, metadata));
        }
    }
    Ok(entries)
}

/// The total size of the files in a folder.
fn size_of_files(path: &Path) -> u64 {
    let entries = entries(path).unwrap_or_default();
    let files = entries.iter().map(|(_, metadata)| metadata);
    files.filter(|it| it.is_file()).map(fs::Metadata::len).sum()
}
