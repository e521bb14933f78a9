//! Runs one invocation of curl, and reads everything that it saw.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::invocations::Invocation;
use crate::files;

/// What `--write-out` reports. Times, addresses, the number of fields, and how much of a body was
/// sent when an early response came differ between any two runs.
const WRITE_OUT: &str = "%{http_code} HTTP/%{http_version} %{method} %{exitcode} %{num_redirects} \
                         %{size_download} [%{content_type}] [%{redirect_url}] \
                         %{url_effective}\n";

/// What curl saw: heads, bodies, files and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Observation {
    pub(super) exit_status: Option<i32>,
    /// The output of `--write-out`.
    pub(super) written_out: String,
    /// All blocks of fields in order: interim responses, responses, trailer sections.
    pub(super) blocks: Vec<Block>,
    /// The body, and the files that curl wrote.
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

/// A status line with its fields. A trailer section has no status line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) status_line: Option<String>,
    /// Names in lower case, and values.
    pub(super) fields: Vec<(String, Vec<u8>)>,
}

impl Block {
    /// The status code.
    pub(super) fn status(&self) -> Option<&str> {
        self.status_line.as_ref()?.split(' ').nth(1)
    }
}

/// Where an invocation runs.
pub(super) struct Place<'a> {
    /// The URL of the server or of the gateway.
    pub(super) url: &'a str,
    /// The session at the gateway; none for the server.
    pub(super) session: Option<&'a str>,
    /// The files that are sent.
    pub(super) input: &'a Path,
    /// An empty folder for the files that curl writes.
    pub(super) output: &'a Path,
}

pub(super) fn run(invocation: &Invocation, place: &Place<'_>) -> Observation {
    fs::create_dir_all(place.output).unwrap();
    let (head, body) = (place.output.join("head"), place.output.join("body"));
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--noproxy", "*", "--max-time", "30"]);
    curl.args(["--write-out", WRITE_OUT]);
    curl.arg("--dump-header").arg(&head);
    curl.arg("--output").arg(&body);
    if invocation.server.is_h2c() {
        curl.arg("--http2-prior-knowledge");
    }
    if let Some(session) = place.session {
        curl.arg("--header").arg(format!("ouli-session: {session}"));
    }
    for word in invocation.words_in(place) {
        curl.arg(OsStr::from_bytes(&word));
    }
    let stdin = match &invocation.stdin {
        Some(name) => File::open(place.input.join(name)).unwrap().into(),
        None => Stdio::null(),
    };
    let output = curl.stdin(stdin).output().expect("curl was looked for");
    let written_out = String::from_utf8_lossy(&output.stdout).replace(place.url, "URL");
    let heads = fs::read(&head).unwrap_or_default();
    Observation {
        exit_status: output.status.code(),
        written_out,
        blocks: blocks(&heads),
        files: written_files(invocation, place),
    }
}

fn written_files(invocation: &Invocation, place: &Place<'_>) -> BTreeMap<String, Vec<u8>> {
    let paths = files::below(place.output).into_iter();
    let named = paths.map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, fs::read(path).unwrap())
    });
    // With `--head`, curl writes the head to the output too.
    let is_head = invocation.words.iter().any(|word| word == b"--head");
    named
        .filter(|(name, _)| name != "head" && !(is_head && name == "body"))
        .collect()
}

fn blocks(heads: &[u8]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for line in heads.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            is_open = false;
            continue;
        }
        if !is_open {
            blocks.push(Block::default());
            is_open = true;
        }
        let Some(block) = blocks.last_mut() else {
            continue;
        };
        let text = || String::from_utf8_lossy(line).into_owned();
        match memchr::memchr(b':', line) {
            _ if line.starts_with(b"HTTP/") => block.status_line = Some(text()),
            Some(colon) => {
                let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
                block
                    .fields
                    .push((name, line[colon + 1..].trim_ascii().to_vec()));
            }
            None => block.fields.push((text(), Vec::new())),
        }
    }
    blocks
}
