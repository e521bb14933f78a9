//! Writes a cassette anew in the order in which its requests began.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::Path;

use super::error::WriteError;
use super::locked_file::{LockedFile, open_parent};
use super::rewriting;
use crate::format::{HEADER, Place, scan, start_order};
use crate::store::{self, CassetteDir, CassetteError, Dir, SessionName};
use ouli_message::error_chain::error_chain;

/// The lines before the number of an exchange, and before the number that it belongs before.
const NUMBER: &[u8] = b"{\n  \"exchange\": ";
const BEFORE: &[u8] = b"  \"before\": ";

/// Writes the cassette at `path` anew, which is open and locked as `file`, and renames it. The text
/// of each exchange stays as it is, with another number. Returns the new file, which is locked.
/// `None` if the order is right, or if there is anything but exchanges as the gateway writes them.
///
/// # Errors
/// If it cannot be written. The cassette is unchanged.
pub(super) fn rewrite(
    dir: &Dir,
    path: &Path,
    file: &File,
    max_size: u64,
) -> io::Result<Option<LockedFile>> {
    let Some(sorted) = sorted_exchanges(file, max_size)? else {
        return Ok(None);
    };
    rewriting::replace((dir, path), file, |target| write(file, target, &sorted))
}

/// Sorts the cassette of a session that no gateway writes.
///
/// # Errors
/// If it is locked, or cannot be read or written.
pub(super) fn sort_closed(folder: &CassetteDir, name: &SessionName) -> Result<(), CassetteError> {
    let path = folder.cassette_path(name);
    let Some(locked) = LockedFile::lock_existing(folder, name)? else {
        return Ok(());
    };
    let dir = open_parent(folder, &path)?;
    let sorted = rewrite(&dir, &path, &locked.0, folder.max_file_size());
    sorted.map(drop).map_err(CassetteError::io("sort", &path))
}

/// Logs that a cassette could not be sorted. Nothing of it is lost.
pub(super) fn report(name: &SessionName, error: &WriteError) {
    tracing::warn!(
        session = name.as_str(),
        "the cassette is not written in the order in which its requests began, and is sorted \
         whenever it is read: {}",
        error_chain(error)
    );
}

/// An exchange with its new number.
struct Renumbered {
    number: u64,
    place: Place,
    range: Range<u64>,
}

/// The exchanges in their new order.
fn sorted_exchanges(file: &File, max_size: u64) -> io::Result<Option<Vec<Renumbered>>> {
    let size = file.metadata()?.len();
    let (mut places, mut ranges) = (Vec::<Place>::new(), Vec::new());
    let is_whole = size <= max_size
        && scan(
            size,
            |range| store::read_range(file, range),
            |recorded, range| {
                places.push(recorded.place);
                ranges.push(range);
            },
        )?;
    if !is_whole || !places.is_sorted_by(|one, next| one.number < next.number) {
        return Ok(None);
    }
    let order = start_order(&places).into_iter().flatten();
    let sorted = order.zip(&places).map(|(at, place)| Renumbered {
        number: place.number,
        place: places[at],
        range: ranges[at].clone(),
    });
    let sorted: Vec<_> = sorted.collect();
    Ok((!sorted.is_empty()).then_some(sorted))
}

/// False if an exchange does not begin as the gateway writes it.
fn write(file: &File, target: &File, sorted: &[Renumbered]) -> io::Result<bool> {
    let mut target = BufWriter::new(target);
    target.write_all(HEADER.as_bytes())?;
    for exchange in sorted {
        let text = store::read_range(file, exchange.range.clone())?;
        let Some(rest) = after_place(text.trim_ascii(), exchange.place) else {
            return Ok(false);
        };
        target.write_all(NUMBER)?;
        writeln!(target, "{},", exchange.number)?;
        target.write_all(rest)?;
        target.write_all(b"\n")?;
    }
    target.flush()?;
    Ok(true)
}

/// The text of an exchange after its place.
fn after_place(text: &[u8], place: Place) -> Option<&[u8]> {
    let rest = after_number(text.strip_prefix(NUMBER)?)?;
    match place.before {
        Some(_) => after_number(rest.strip_prefix(BEFORE)?),
        None => Some(rest),
    }
}

/// The text after a number, a comma and the end of the line.
fn after_number(text: &[u8]) -> Option<&[u8]> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text[digits..].strip_prefix(b",\n")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::{TempDir, tempdir};

    use super::*;
    use crate::test_exchanges::{cassette, sample};
    use crate::{ChangePolicy, encode};

    /// The samples 2, 3, 1 as they were appended, in the cassette of `x`.
    fn appended() -> (TempDir, CassetteDir) {
        let home = tempdir().unwrap();
        let folder = CassetteDir::open(home.path(), 1 << 20).unwrap();
        let mut text = HEADER.as_bytes().to_vec();
        for (number, before, exchange) in [(1, None, 2), (2, None, 3), (3, Some(1), 1)] {
            let place = Place { number, before };
            encode(&mut text, place, &sample(exchange), "x.bodies");
        }
        fs::write(home.path().join("x.jsons"), text).unwrap();
        (home, folder)
    }

    fn rewrite_x(folder: &CassetteDir) -> bool {
        let name = SessionName::parse("x").unwrap();
        let locked = LockedFile::lock_existing(folder, &name).unwrap().unwrap();
        let dir = Dir::open(folder.root(), folder.root()).unwrap().unwrap();
        let path = folder.cassette_path(&name);
        let new = rewrite(&dir, &path, &locked.0, 1 << 20).unwrap();
        assert!(!folder.root().join("x.jsons.new").exists());
        new.is_some()
    }

    #[test]
    fn a_cassette_is_written_as_if_its_exchanges_had_ended_in_order() {
        let (home, folder) = appended();
        let path = home.path().join("x.jsons");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(home.path().join("x.jsons.new"), "of a killed process").unwrap();
        let before = folder.load("x", ChangePolicy::Refuse).unwrap().unwrap();
        assert!(rewrite_x(&folder));
        let sorted = cassette(&[sample(1), sample(2), sample(3)]);
        assert_eq!(fs::read(&path).unwrap(), sorted);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        // A reader saw these numbers before too.
        let after = folder.load("x", ChangePolicy::Refuse).unwrap().unwrap();
        let seen = |it: &crate::RecordedExchange| (it.ordinal, it.edited, it.exchange.clone());
        let (before, after) = (before.exchanges.iter(), after.exchanges.iter());
        assert!(before.map(seen).eq(after.map(seen)));
        assert!(!rewrite_x(&folder), "it is in order");
    }

    #[test]
    fn a_file_that_was_changed_stays() {
        for (from, to) in [
            ("  \"before\": 1,\n", "  \"before\": 9,\n"),
            ("  \"before\": 1,\n", "  \"before\":1,\n"),
            ("\"status\": 200", "\"state\": 200"),
            ("{\n  \"exchange\": 2", "{\n  \"exchange\": 7"),
        ] {
            let (home, folder) = appended();
            let path = home.path().join("x.jsons");
            let text = fs::read_to_string(&path).unwrap();
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            fs::write(&path, &changed).unwrap();
            assert!(!rewrite_x(&folder), "{to}");
            assert_eq!(fs::read_to_string(&path).unwrap(), changed, "{to}");
        }
    }

    #[test]
    fn an_edit_stays_an_edit() {
        let (home, folder) = appended();
        let path = home.path().join("x.jsons");
        let text = fs::read_to_string(&path).unwrap();
        let edited = text.replacen("/items/3", "/items/33", 1);
        fs::write(&path, &edited).unwrap();
        assert!(rewrite_x(&folder));
        let loaded = folder.load("x", ChangePolicy::Mark).unwrap().unwrap();
        let edited = loaded.exchanges.iter().map(|it| it.edited);
        assert!(edited.eq([false, false, true]));
    }
}
