//! The file `.gitattributes` of the cassettes folder, which keeps git from converting line ends.

use std::io::{ErrorKind, Read as _, Result, Write as _};

use super::cassette_dir::CassetteDir;
use super::linked_open;
use super::secure_open::Dir;

/// The lines that keep git from changing recorded bytes.
pub const GIT_ATTRIBUTES: &str = "*.jsons -text\n*.bodies/** -text\n";

/// A longer file is not read.
const MAX_SIZE: u64 = 1 << 20;

impl CassetteDir {
    /// Writes `.gitattributes`, unless there is one. Returns false if there is one that does not
    /// keep git from converting the line ends of cassettes.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn ensure_git_attributes(&self) -> Result<bool> {
        let path = self.root().join(".gitattributes");
        let dir = Dir::create(self.root(), self.root())?;
        match dir.create_new(&path) {
            Ok(mut file) => return file.write_all(GIT_ATTRIBUTES.as_bytes()).map(|()| true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let mut text = String::new();
        if let Some(file) = linked_open::open(&path)? {
            file.take(MAX_SIZE).read_to_string(&mut text)?;
        }
        Ok(text.lines().any(keeps_line_ends))
    }
}

/// True for a line such as `*.jsons -text` or `* binary`.
fn keeps_line_ends(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let covers = |pattern: &str| pattern == "*" || pattern.ends_with(".jsons");
    words.next().is_some_and(covers) && words.any(|word| matches!(word, "-text" | "binary"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::tempdir;

    use super::*;

    #[test]
    fn a_file_of_the_user_is_judged_and_not_changed() {
        let home = tempdir().unwrap();
        let folder = CassetteDir::open(home.path(), 1 << 20).unwrap();
        let path = home.path().join(".gitattributes");
        for _ in 0..2 {
            assert!(folder.ensure_git_attributes().unwrap());
            assert_eq!(fs::read_to_string(&path).unwrap(), GIT_ATTRIBUTES);
        }
        for (text, expected) in [
            ("", false),
            ("*.png binary\n", false),
            ("*.jsons text eol=lf\n", false),
            ("# *.jsons -text\n", false),
            ("*.jsons -text diff=x\n", true),
            ("* -text\n", true),
            ("x\ncassettes/*.jsons binary\n", true),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(folder.ensure_git_attributes().unwrap(), expected, "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
