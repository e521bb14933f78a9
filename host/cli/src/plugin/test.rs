//! `plugin test`: golden cases, run with the engine and the limits of production.

use std::path::{Path, PathBuf};

use super::case_runner::{CaseError, CaseRunner};
use crate::exit_status::{EXIT_FAILED, EXIT_OK, usage_error};
use crate::output::outln;

/// Runs all cases of a folder. `bless` writes the results to the cases instead of comparing them.
pub(super) fn test(file: &Path, cases: Option<&Path>, bless: bool) -> u8 {
    let found = find_folder(file, cases).and_then(|folder| Ok((list_cases(&folder)?, folder)));
    let (paths, folder) = match found {
        Ok(found) => found,
        Err(reason) => return usage_error(&reason),
    };
    let mut runner = CaseRunner::new(file);
    let (mut passed, mut failed) = (0, 0);
    for path in paths {
        let name = path.strip_prefix(&folder).unwrap_or(&path).display();
        match runner.run(&path, bless) {
            Ok((description, lines)) if lines.is_empty() => {
                passed += 1;
                outln!("ok    {name}: {description}");
            }
            Ok((description, lines)) => {
                failed += 1;
                outln!("FAIL  {name}: {description}");
                lines.iter().for_each(|line| outln!("        {line}"));
            }
            Err(CaseError::Case(reason)) => {
                failed += 1;
                outln!("FAIL  {name}: {reason}");
            }
            Err(CaseError::Plugin(reason)) => return usage_error(&reason),
        }
    }
    outln!("{passed} passed, {failed} failed");
    if failed == 0 { EXIT_OK } else { EXIT_FAILED }
}

/// The folder of `--cases`, or `cases` in the working directory or beside the plugin.
fn find_folder(file: &Path, named: Option<&Path>) -> Result<PathBuf, String> {
    let beside = file.with_file_name("cases");
    let folders = match named {
        Some(named) => vec![named.to_owned()],
        None => vec![PathBuf::from("cases"), beside],
    };
    let found = folders.iter().find(|folder| folder.is_dir());
    found.cloned().ok_or_else(|| {
        let searched: Vec<_> = folders
            .iter()
            .map(|one| one.display().to_string())
            .collect();
        format!(
            "no folder {}; name the folder of the cases with --cases",
            searched.join(" or ")
        )
    })
}

fn list_cases(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error| format!("cannot read {}: {error}", folder.display());
    let entries = folder.read_dir().map_err(unreadable)?;
    let mut paths: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    paths.sort();
    if paths.is_empty() {
        return Err(format!("no case (*.json) in {}", folder.display()));
    }
    Ok(paths)
}
