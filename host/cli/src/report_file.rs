//! The file of the verdicts: checked at the start, so that a run does not end without its report.

use std::fs::{self, OpenOptions};
use std::path::Path;

/// Checks that the file can be written. An existing one is not changed, and none is left behind.
///
/// # Errors
/// Why it cannot be written.
pub(crate) fn check_writable(path: &Path) -> Result<(), String> {
    let exists = path.exists();
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map_err(|error| format!("cannot write the report {}: {error}", path.display()))?;
    if !exists {
        // What cannot be removed is overwritten at the end.
        let _ = fs::remove_file(path);
    }
    Ok(())
}
