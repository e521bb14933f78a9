//! The folder of one test: its configuration, plugins and cassettes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A temporary folder that contains `cassettes` and `plugins`.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::create_dir(folder.plugins()).unwrap();
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("ouli.toml")
    }

    pub(crate) fn plugins(&self) -> PathBuf {
        self.path().join("plugins")
    }

    pub(crate) fn cassettes(&self) -> PathBuf {
        self.path().join("cassettes")
    }

    pub(crate) fn cassette(&self, session: &str) -> PathBuf {
        self.cassettes().join(format!("{session}.jsons"))
    }

    /// The text of a session's cassette.
    pub(crate) fn text(&self, session: &str) -> String {
        let path = self.cassette(session);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The exchanges of a session's cassette; empty if there is no cassette.
    pub(crate) fn exchanges(&self, session: &str) -> Vec<Value> {
        if !self.cassette(session).exists() {
            return Vec::new();
        }
        let text = self.text(session);
        let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
        values
            .map(Result::unwrap)
            .filter(|value| value.get("exchange").is_some())
            .collect()
    }

    /// Every file of the folder with its content.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        files(self.path())
    }

    pub(crate) fn write_config(&self, text: &str) {
        replace(&self.config(), text.as_bytes());
    }

    pub(crate) fn put_plugin(&self, name: &str, bytes: &[u8]) {
        replace(&self.plugins().join(name), bytes);
    }

    pub(crate) fn remove_plugin(&self, name: &str) {
        fs::remove_file(self.plugins().join(name)).unwrap();
    }
}

/// Every file below a folder with its content, sorted by path.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if let Ok(bytes) = fs::read(&path) {
                found.push((path, bytes));
            }
        }
    }
    found.sort();
    found
}

/// Writes a temporary file and renames it over the target, as editors do.
fn replace(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("new");
    fs::write(&beside, bytes).unwrap();
    fs::rename(&beside, path).unwrap();
}
