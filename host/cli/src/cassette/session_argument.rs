//! The session of a command: its name, or the path of its cassette.

use std::path::{Path, PathBuf};

use ouli_cassette::SessionName;
use ouli_proxy::gateway::{self, Options};

/// The name of the session. A path to a `.jsons` file stands for the session of this cassette.
///
/// # Errors
/// If the configuration cannot be read, or the file is not in the cassettes folder.
pub(super) fn session_name(options: &Options, argument: &str) -> Result<String, String> {
    if !argument.ends_with(SUFFIX) {
        return Ok(argument.to_owned());
    }
    let config = gateway::load_config(options).map_err(|error| error.to_string())?;
    let folder = &config.cassettes;
    // A session may have such a name too.
    let is_session = SessionName::parse(argument)
        .is_ok_and(|name| folder.join(format!("{}{SUFFIX}", name.path())).is_file());
    if is_session {
        return Ok(argument.to_owned());
    }
    let path = options.base_dir.join(argument);
    let found = canonical(folder).zip(canonical_file(&path));
    let below = found.and_then(|(folder, path)| Some(path.strip_prefix(folder).ok()?.to_owned()));
    let name = below.as_deref().and_then(|below| below.to_str());
    let name = name.and_then(|path| SessionName::from_path(path.strip_suffix(SUFFIX)?));
    name.map(|name| name.as_str().to_owned()).ok_or_else(|| {
        format!(
            "{argument} is not a cassette in {}; write the name of its session, which \
             `ouli-gateway cassette list` prints, or set --cassettes to its folder",
            folder.display()
        )
    })
}

const SUFFIX: &str = ".jsons";

fn canonical(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

/// The path with its folder resolved. The file itself may be a link.
fn canonical_file(path: &Path) -> Option<PathBuf> {
    path.is_file().then_some(())?;
    Some(canonical(path.parent()?)?.join(path.file_name()?))
}
