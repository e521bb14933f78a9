//! Accepts the edits of a cassette: edited exchanges get new digests.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use thiserror::Error;

use super::check::{CheckRejection, WriteCheck};
use super::locked_file::{LockedFile, with_suffix};
use crate::format::{HEADER, LoadedCassette, RecordedExchange, encode};
use crate::store::own_suffixes::NEW;
use crate::store::{CassetteDir, CassetteError, Dir, SessionName};
use ouli_message::Content;

/// Why the edits of a cassette are not accepted. The cassette is unchanged.
#[derive(Debug, Error)]
pub enum AcceptError {
    /// The session has no cassette.
    #[error("the session has no cassette")]
    NoCassette,
    /// Parts of the cassette cannot be read, and would be lost.
    #[error(
        "{0}; correct it, or restore the cassette from version control, and repeat the command"
    )]
    Damaged(String),
    /// An edited exchange has a secret.
    #[error("exchange {ordinal}: {rejection}; remove it from the cassette")]
    Refused {
        /// The number of the exchange.
        ordinal: u64,
        /// Why the check rejects it.
        rejection: CheckRejection,
    },
    /// A stored body of an edited exchange cannot be read.
    #[error("exchange {ordinal}: the stored body {digest}: {source}")]
    Body {
        /// The number of the exchange.
        ordinal: u64,
        /// The digest of the body.
        digest: String,
        /// The error.
        source: io::Error,
    },
    /// The cassette cannot be read or written.
    #[error(transparent)]
    Cassette(#[from] CassetteError),
}

impl CassetteDir {
    /// Gives the edited exchanges of a session new digests and returns their ordinals. An ordinal
    /// that does not increase becomes the next one. `check` sees the exact bytes of each edited
    /// exchange, and the content of its bodies. The cassette is replaced at once, or not at all.
    ///
    /// # Errors
    /// If the cassette is damaged, is being written by a gateway, or cannot be read or written, or
    /// if the check rejects an exchange.
    pub fn accept_edits(
        &self,
        session: &str,
        check: &dyn WriteCheck,
    ) -> Result<Vec<u64>, AcceptError> {
        let name = SessionName::parse(session).map_err(CassetteError::from)?;
        let path = self.cassette_path(&name);
        let mut locked = LockedFile::lock_existing(self, &name)?.ok_or(AcceptError::NoCassette)?;
        let loaded = locked.load(self, &path)?;
        let unread = loaded.damage.first().or(loaded.torn_tail.as_ref());
        if let Some(damage) = unread {
            return Err(AcceptError::Damaged(damage.to_string()));
        }
        if loaded.exchanges.iter().all(|it| !it.edited) {
            return Ok(Vec::new());
        }
        let (text, accepted) = self.accepted_text(&name, loaded, check)?;
        self.replace(&path, &text, &locked)?;
        Ok(accepted)
    }

    /// The text of the whole cassette, and the ordinals of the exchanges that were edited.
    fn accepted_text(
        &self,
        name: &SessionName,
        loaded: LoadedCassette,
        check: &dyn WriteCheck,
    ) -> Result<(Vec<u8>, Vec<u64>), AcceptError> {
        let bodies = self.bodies_path(name);
        let bodies = bodies.file_name().unwrap_or_default().to_string_lossy();
        let mut text = HEADER.as_bytes().to_vec();
        let mut accepted = Vec::new();
        let mut last = 0;
        for mut recorded in loaded.exchanges {
            let ordinal = recorded.ordinal.max(last + 1);
            last = ordinal;
            let start = text.len();
            if recorded.edited {
                // The coded bytes are those of the body before the edit.
                recorded.exchange.response.coded.forget_exact();
                accepted.push(ordinal);
            }
            encode(&mut text, ordinal, &recorded.exchange, &bodies);
            if recorded.edited {
                let refused = |rejection| AcceptError::Refused { ordinal, rejection };
                check.check(&text[start..]).map_err(refused)?;
                self.check_contents(name, &recorded, check)?;
            }
        }
        Ok((text, accepted))
    }

    /// Checks the bodies and messages, which base64 and files hide from a check of the text.
    fn check_contents(
        &self,
        name: &SessionName,
        recorded: &RecordedExchange,
        check: &dyn WriteCheck,
    ) -> Result<(), AcceptError> {
        let ordinal = recorded.ordinal;
        for content in recorded.exchange.contents() {
            let bytes = match content {
                Content::Inline(bytes) => bytes.clone(),
                Content::Stored { digest, .. } => {
                    let body = self.read_body(name.as_str(), digest);
                    body.map_err(|source| AcceptError::Body {
                        ordinal,
                        digest: digest.clone(),
                        source,
                    })?
                }
            };
            let refused = |rejection| AcceptError::Refused { ordinal, rejection };
            check.check(&bytes).map_err(refused)?;
        }
        Ok(())
    }

    /// Writes the text beside the cassette, syncs it, and renames it.
    fn replace(&self, path: &Path, text: &[u8], old: &LockedFile) -> Result<(), CassetteError> {
        let parent = path.parent().unwrap_or(self.root());
        let dir = Dir::open(self.root(), parent).map_err(CassetteError::io("open", parent))?;
        let Some(dir) = dir else {
            let missing = io::Error::from(ErrorKind::NotFound);
            return Err(CassetteError::io("open", parent)(missing));
        };
        let new = with_suffix(path, NEW);
        let written = match dir.remove(&new) {
            // What a killed process left.
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => dir.create_new(&new).and_then(|mut file| {
                file.write_all(text)?;
                file.set_permissions(old.permissions()?)?;
                file.sync_all()
            }),
        };
        written
            .and_then(|()| dir.rename(&new, path))
            .and_then(|()| dir.sync())
            .map_err(CassetteError::io("write", path))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::{TempDir, tempdir};

    use super::*;
    use crate::ChangePolicy;
    use crate::test_exchanges::{cassette, sample};
    use crate::writer::appender::Appender;

    /// Rejects bytes with this text.
    #[derive(Debug)]
    struct Reject(&'static str);

    impl WriteCheck for Reject {
        fn check(&self, bytes: &[u8]) -> Result<(), CheckRejection> {
            let found = memchr::memmem::find(bytes, self.0.as_bytes());
            found.map_or(Ok(()), |_| {
                Err(CheckRejection {
                    rule: "rule".to_owned(),
                    reason: "a secret".to_owned(),
                })
            })
        }
    }

    /// A folder whose session `x` has two exchanges with edits.
    fn edited(edit: impl Fn(&str) -> String) -> (TempDir, CassetteDir) {
        let home = tempdir().unwrap();
        let folder = CassetteDir::open(home.path(), 1 << 20).unwrap();
        let text = String::from_utf8(cassette(&[sample(1), sample(2)])).unwrap();
        fs::write(home.path().join("x.jsons"), edit(&text)).unwrap();
        (home, folder)
    }

    fn edit_target(text: &str) -> String {
        let edited = text.replacen("\"target\": \"/", "\"target\": \"/edited", 1);
        assert_ne!(edited, text);
        edited
    }

    #[test]
    fn edited_exchanges_get_new_digests() {
        let (home, folder) = edited(edit_target);
        let path = home.path().join("x.jsons");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(home.path().join("x.jsons.new"), "of a killed process").unwrap();
        let before = fs::read_to_string(&path).unwrap();
        assert_eq!(folder.accept_edits("x", &Reject("nothing")).unwrap(), [1]);
        let loaded = folder.load("x", ChangePolicy::Refuse).unwrap().unwrap();
        assert!(
            loaded.exchanges[0]
                .exchange
                .request
                .target
                .starts_with("/edited")
        );
        // Nothing but the digest of the first exchange is other than before.
        let after = fs::read_to_string(&path).unwrap();
        let pairs = before.lines().zip(after.lines());
        let changed: Vec<_> = pairs.filter(|(before, after)| before != after).collect();
        assert_eq!(before.lines().count(), after.lines().count());
        assert!(
            changed.len() == 1 && changed[0].0.contains("\"digest\""),
            "{changed:?}"
        );
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        assert!(
            folder
                .accept_edits("x", &Reject("edited"))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_copied_exchange_gets_the_next_number() {
        let (_home, folder) = edited(|text| {
            let header = text.find("{\n  \"exchange\"").unwrap();
            format!("{text}{}", &text[header..])
        });
        assert_eq!(
            folder.accept_edits("x", &Reject("nothing")).unwrap(),
            [3, 4]
        );
        let loaded = folder.load("x", ChangePolicy::Refuse).unwrap().unwrap();
        let ordinals: Vec<_> = loaded.exchanges.iter().map(|it| it.ordinal).collect();
        assert_eq!(ordinals, [1, 2, 3, 4]);
    }

    /// Damages the text of a cassette.
    type Damage = fn(&str) -> String;

    #[test]
    fn what_cannot_be_accepted_leaves_the_cassette_as_it_is() {
        let cases: [(Damage, &str); 2] = [
            (edit_target, "exchange 1: a secret; remove it"),
            (
                |text| text.replacen("\"status\"", "\"state\"", 1),
                "unknown field",
            ),
        ];
        for (edit, reason) in cases {
            let (home, folder) = edited(edit);
            let before = fs::read(home.path().join("x.jsons")).unwrap();
            let error = folder.accept_edits("x", &Reject("edited")).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
            assert_eq!(fs::read(home.path().join("x.jsons")).unwrap(), before);
        }
        let (_home, folder) = edited(str::to_owned);
        let error = folder.accept_edits("y", &Reject("edited")).unwrap_err();
        assert!(matches!(error, AcceptError::NoCassette));
    }

    #[test]
    fn a_cassette_that_a_gateway_writes_is_refused() {
        let (_home, folder) = edited(edit_target);
        let name = SessionName::parse("x").unwrap();
        let _writer = Appender::open(&folder, &name).unwrap();
        let error = folder.accept_edits("x", &Reject("nothing")).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("being written by another gateway"),
            "{error}"
        );
    }
}
