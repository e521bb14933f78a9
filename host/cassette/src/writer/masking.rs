//! Writes a cassette anew without secrets that were found after they had been written.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::ops::Range;
use std::path::Path;

use super::check::{WriteCheck, check_all};
use super::error::WriteError;
use super::locked_file::{LockedFile, open_parent};
use super::rewriting;
use crate::format::{HEADER, RecordedExchange, encode, scan};
use crate::store::{self, CassetteDir, CassetteError, Dir, SessionName};
use ouli_message::Content;

/// What became of a cassette.
#[derive(Default)]
pub(super) struct Masked {
    /// The new file, which is locked; none if nothing was to be masked.
    pub(super) file: Option<LockedFile>,
    /// The number of exchanges that still have a secret.
    pub(super) left: u64,
}

/// An exchange, and its new text if it had a secret.
struct Rewritten {
    range: Range<u64>,
    text: Option<Vec<u8>>,
}

/// Writes the cassette at `path` anew, which is open and locked as `file`, if `check` finds secrets
/// in it that it can mask. The numbers of the exchanges stay.
///
/// # Errors
/// If it cannot be read or written. The cassette is unchanged.
pub(super) fn rewrite(
    (dir, path): (&Dir, &Path),
    file: &File,
    (folder, name): (&CassetteDir, &SessionName),
    check: &dyn WriteCheck,
) -> io::Result<Masked> {
    let bodies = store::bodies_of(path);
    let bodies = bodies.file_name().unwrap_or_default().to_string_lossy();
    let (mut exchanges, mut left) = (Vec::new(), 0);
    let mut failure = None;
    let each = |recorded: &RecordedExchange, range: Range<u64>| {
        match masked(file, recorded, (&range, &bodies), check) {
            Ok(Ok(text)) => exchanges.push(Rewritten { range, text }),
            Ok(Err(Unmasked)) => {
                left += 1;
                exchanges.push(Rewritten { range, text: None });
            }
            Err(error) => failure = Some(error),
        }
        left += u64::from(has_secret_in_file(recorded, (folder, name), check));
    };
    let size = file.metadata()?.len();
    let read = |range| store::read_range(file, range);
    let is_whole = size <= folder.max_file_size() && scan(size, read, each)?;
    if let Some(error) = failure {
        return Err(error);
    }
    if !is_whole {
        return Ok(Masked {
            file: None,
            left: 1,
        });
    }
    if exchanges.iter().all(|exchange| exchange.text.is_none()) {
        return Ok(Masked { file: None, left });
    }
    let file = rewriting::replace((dir, path), file, |target| {
        write(file, target, &exchanges).map(|()| true)
    })?;
    Ok(Masked { file, left })
}

/// The same for the cassette of a session that is not open.
///
/// # Errors
/// If it is locked, or cannot be read or written.
pub(super) fn mask_closed(
    folder: &CassetteDir,
    name: &SessionName,
    check: &dyn WriteCheck,
) -> Result<u64, WriteError> {
    let path = folder.cassette_path(name);
    let Some(locked) = LockedFile::lock_existing(folder, name)? else {
        return Ok(0);
    };
    let dir = open_parent(folder, &path)?;
    let masked = rewrite((&dir, &path), &locked.0, (folder, name), check);
    let masked = masked.map_err(CassetteError::io("mask", &path))?;
    Ok(masked.left)
}

/// An exchange of which a secret cannot be masked.
struct Unmasked;

/// The new text of an exchange; none if it stays.
fn masked(
    file: &File,
    recorded: &RecordedExchange,
    (range, bodies): (&Range<u64>, &str),
    check: &dyn WriteCheck,
) -> io::Result<Result<Option<Vec<u8>>, Unmasked>> {
    let text = store::read_range(file, range.clone())?;
    if check_all(check, &text, &[]).is_ok() {
        return Ok(Ok(None));
    }
    // What the user wrote stays.
    let exchange = Some(&recorded.exchange).filter(|_| !recorded.edited);
    let Some(exchange) = exchange.and_then(|exchange| check.mask(exchange)) else {
        return Ok(Err(Unmasked));
    };
    let mut new = Vec::with_capacity(text.len());
    encode(&mut new, recorded.place, &exchange, bodies);
    Ok(match check_all(check, &new, &[]) {
        Ok(()) => Ok(Some(new)),
        Err(_) => Err(Unmasked),
    })
}

/// True if a body or a message that is stored as a file has a secret. It stays as it is.
fn has_secret_in_file(
    recorded: &RecordedExchange,
    (folder, name): (&CassetteDir, &SessionName),
    check: &dyn WriteCheck,
) -> bool {
    let mut contents = recorded.exchange.contents();
    contents.any(|content| match content {
        Content::Inline(_) => false,
        Content::Stored { digest, .. } => folder
            .read_body(name.as_str(), digest)
            .is_ok_and(|bytes| check_all(check, &bytes, &[]).is_err()),
    })
}

fn write(file: &File, target: &File, exchanges: &[Rewritten]) -> io::Result<()> {
    let mut target = BufWriter::new(target);
    target.write_all(HEADER.as_bytes())?;
    for exchange in exchanges {
        match &exchange.text {
            Some(text) => target.write_all(text)?,
            None => {
                let text = store::read_range(file, exchange.range.clone())?;
                target.write_all(text.trim_ascii())?;
                target.write_all(b"\n")?;
            }
        }
    }
    target.flush()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::tempdir;

    use super::*;
    use crate::test_exchanges::{cassette, sample};
    use crate::writer::check::CheckRejection;
    use ouli_message::Exchange;

    /// Masks the target of the second sample.
    #[derive(Debug)]
    struct Second {
        can_mask: bool,
    }

    impl WriteCheck for Second {
        fn check(&self, bytes: &[u8]) -> Result<(), CheckRejection> {
            let is_found = bytes.windows(8).any(|it| it == b"/items/2");
            let rejection = CheckRejection {
                rule: "second".to_owned(),
                reason: "it is the second".to_owned(),
            };
            if is_found { Err(rejection) } else { Ok(()) }
        }

        fn mask(&self, exchange: &Exchange) -> Option<Exchange> {
            let mut masked = exchange.clone();
            masked.request.target = "/masked".to_owned();
            self.can_mask.then_some(masked)
        }
    }

    #[test]
    fn a_secret_that_was_written_is_masked_and_the_rest_stays() {
        let home = tempdir().unwrap();
        let folder = CassetteDir::open(home.path(), 1 << 20).unwrap();
        let (path, name) = (
            home.path().join("x.jsons"),
            SessionName::parse("x").unwrap(),
        );
        let before = cassette(&[sample(1), sample(2), sample(3)]);
        fs::write(&path, &before).unwrap();
        let mask = |can_mask| mask_closed(&folder, &name, &Second { can_mask }).unwrap();
        assert_eq!(mask(false), 1);
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(mask(true), 0);
        let mut second = sample(2);
        second.request.target = "/masked".to_owned();
        let after = cassette(&[sample(1), second, sample(3)]);
        assert_eq!(fs::read(&path).unwrap(), after);
        assert_eq!(mask(true), 0, "nothing is left");
        assert!(!home.path().join("x.jsons.new").exists());
    }
}
