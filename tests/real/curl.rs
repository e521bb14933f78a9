//! curl with one process for each request.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value};

use crate::client::{Protocol, Seen, Task};
use crate::requests::{Body, Request, filler};
use crate::tools;

/// The files of a session's requests; each request reuses them.
struct Files {
    /// The request body.
    sent: PathBuf,
    heads: PathBuf,
    body: PathBuf,
}

pub(crate) fn send(protocol: Protocol, task: &Task<'_>) -> Vec<Seen> {
    drop(tools::system("curl"));
    let folder = task.folder.join(format!("curl-{}", task.session));
    fs::create_dir_all(&folder).expect("the folder of the test is writable");
    let files = Files {
        sent: folder.join("sent"),
        heads: folder.join("heads"),
        body: folder.join("body"),
    };
    let requests = task.requests.iter();
    requests
        .map(|request| one(protocol, task, request, &files))
        .collect()
}

fn one(protocol: Protocol, task: &Task<'_>, request: &Request, files: &Files) -> Seen {
    // curl does not write the file if there is no body.
    fs::write(&files.body, "").expect("the folder of the test is writable");
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--globoff",
        "--path-as-is",
        "--max-time",
        "30",
    ]);
    curl.args([
        "--noproxy",
        "*",
        "--write-out",
        "%{http_code} %{http_version}",
    ]);
    curl.arg("--dump-header")
        .arg(&files.heads)
        .arg("--output")
        .arg(&files.body);
    curl.arg(match protocol {
        Protocol::Http1 => "--http1.1",
        Protocol::Http2 => "--http2-prior-knowledge",
    });
    curl.args(["--header", &format!("ouli-session: {}", task.session)]);
    for (name, value) in &request.headers {
        curl.args(["--header", &format!("{name}: {value}")]);
    }
    match request.method.as_str() {
        "HEAD" => curl.arg("--head"),
        method => curl.args(["--request", method]),
    };
    with_body(&mut curl, request, &files.sent);
    let further = request.curl.iter().flatten();
    curl.args(further)
        .arg(format!("{}{}", task.base, request.target));
    seen(&mut curl, request, files)
}

fn with_body(curl: &mut Command, request: &Request, sent: &Path) {
    let write = |bytes: &[u8]| fs::write(sent, bytes).expect("the folder of the test is writable");
    let from_file = format!("@{}", sent.display());
    match &request.body {
        None => {}
        Some(Body::Items { .. }) => unreachable!("it was turned into JSON"),
        Some(Body::Json { value }) => {
            write(value.to_string().as_bytes());
            curl.args(["--header", "content-type: application/json"]);
            curl.args(["--data-binary", &from_file]);
        }
        Some(Body::Text { media_type, text }) => {
            write(text.as_bytes());
            curl.args(["--header", &format!("content-type: {media_type}")]);
            curl.args(["--data-binary", &from_file]);
        }
        Some(Body::Bytes { length }) if request.method == "PUT" => {
            write(&filler(*length));
            curl.arg("--upload-file").arg(sent);
        }
        Some(Body::Bytes { length }) => {
            write(&filler(*length));
            curl.args(["--header", "content-type: application/octet-stream"]);
            curl.args(["--data-binary", &from_file]);
        }
        Some(Body::Chunked { length }) => {
            write(&filler(*length));
            curl.args(["--upload-file", "-"]);
        }
        Some(Body::Form { fields }) => each(curl, "--data-urlencode", fields),
        Some(Body::Multipart { fields, length }) => {
            write(&filler(*length));
            each(curl, "--form", fields);
            let file = format!("file={from_file};filename=picture.bin");
            curl.args(["--form", &file]);
        }
    }
}

fn each(curl: &mut Command, argument: &str, fields: &Map<String, Value>) {
    for (name, value) in fields {
        let value = value.as_str().expect("fields are texts");
        curl.args([argument, &format!("{name}={value}")]);
    }
}

fn seen(curl: &mut Command, request: &Request, files: &Files) -> Seen {
    let stdin = match &request.body {
        Some(Body::Chunked { .. }) => fs::File::open(&files.sent).expect("it was written").into(),
        Some(_) | None => Stdio::null(),
    };
    let output = curl.stdin(stdin).output().expect("curl was found before");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error} {said}", request.name);
    let (status, version) = said.split_once(' ').expect("--write-out has a space");
    let heads = fs::read(&files.heads).expect("curl wrote it");
    let is_head = request.method == "HEAD";
    // For HEAD, curl writes the head to the output file.
    let came = if is_head {
        Vec::new()
    } else {
        fs::read(&files.body).expect("the file was created before")
    };
    let mut seen = Seen {
        name: request.name.clone(),
        status: status.parse().expect("curl prints a number"),
        version: Some(version.to_owned()),
        headers: headers(&String::from_utf8_lossy(&heads)),
        raw: None,
        body: None,
    };
    let further = request.curl.iter().flatten();
    if further.into_iter().any(|one| one == "--compressed") {
        seen.body = Some(came);
    } else {
        seen.body = Some(decoded(&came, seen.coding()));
        seen.raw = (!is_head).then_some(came);
    }
    seen
}

/// Decodes the body, because curl runs without `--compressed`.
fn decoded(bytes: &[u8], coding: Option<&str>) -> Vec<u8> {
    let mut decoded = Vec::new();
    let read = match coding {
        Some("gzip") => flate2::read::GzDecoder::new(bytes).read_to_end(&mut decoded),
        Some("deflate") => flate2::read::ZlibDecoder::new(bytes).read_to_end(&mut decoded),
        Some("br") => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut decoded),
        Some(_) | None => return bytes.to_owned(),
    };
    read.unwrap_or_else(|error| panic!("{coding:?}: {error}"));
    decoded
}

/// The fields of the last head; heads of 1xx responses and rejected attempts precede it.
fn headers(heads: &str) -> Vec<(String, String)> {
    let last = heads
        .trim_end()
        .rsplit("\r\n\r\n")
        .next()
        .unwrap_or_default();
    let fields = last.lines().filter_map(|line| line.split_once(':'));
    fields
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect()
}
