//! The suffixes of the files and folders of one session. No folder of another session's path ends
//! with one.

/// The suffix of a cassette.
pub(super) const CASSETTE: &str = ".jsons";

/// The suffix of a folder of stored bodies, in the place of the one of the cassette.
pub(super) const BODIES: &str = ".bodies";

/// The last complete cassette. This suffix and the following ones are appended to the cassette's
/// path.
pub(crate) const PREVIOUS: &str = ".previous";

/// The last cassette that was begun and not completed, or that was damaged.
pub(crate) const INCOMPLETE: &str = ".incomplete";

/// Marks a cassette that a run of `record` began.
pub(super) const RECORDING: &str = ".recording";

/// The torn end of a cassette.
pub(crate) const TORN: &str = ".torn";

/// The file that replaces a cassette, while it is written.
pub(crate) const NEW: &str = ".new";

/// What follows the path of a cassette in the names of the files next to it.
pub(super) const BESIDE: [&str; 5] = [PREVIOUS, INCOMPLETE, RECORDING, TORN, NEW];

/// True if a folder of this name could be a file or a folder of a session.
pub(super) fn is_own(folder: &str) -> bool {
    // `.new` alone is a common end of a name.
    let is_new = |folder: &str| {
        let cassette = folder.strip_suffix(NEW);
        cassette.is_some_and(|it| it.ends_with(CASSETTE))
    };
    let others = [CASSETTE, BODIES, PREVIOUS, INCOMPLETE, RECORDING, TORN];
    others.iter().any(|it| folder.ends_with(it)) || is_new(folder)
}
