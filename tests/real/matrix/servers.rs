//! The servers of the matrix: nginx and Node.js, each over HTTP/1.1 and over HTTP/2.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use crate::process::Upstream;
use crate::requests::filler;
use crate::tools;

/// A server, by the name that `invocations.txt` uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    Nginx,
    NginxH2c,
    Node,
    NodeH2c,
}

impl Server {
    pub(super) const ALL: [Self; 4] = [Self::Nginx, Self::NginxH2c, Self::Node, Self::NodeH2c];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::NginxH2c => "nginx-h2c",
            Self::Node => "node",
            Self::NodeH2c => "node-h2c",
        }
    }

    /// True if it speaks HTTP/2 by prior knowledge, and no HTTP/1.1.
    pub(super) fn is_h2c(self) -> bool {
        matches!(self, Self::NginxH2c | Self::NodeH2c)
    }

    /// The scheme of the upstream in the gateway's configuration.
    pub(super) fn scheme(self) -> &'static str {
        if self.is_h2c() { "h2c" } else { "http" }
    }

    pub(super) fn start(self, folder: &Path) -> Upstream {
        match self {
            Self::Nginx => nginx(folder, ""),
            Self::NginxH2c => nginx(folder, " http2"),
            Self::Node => node(folder, "http1"),
            Self::NodeH2c => node(folder, "h2c"),
        }
    }
}

fn node(folder: &Path, protocol: &str) -> Upstream {
    let mut command = tools::script("matrix/origin.mjs");
    command.arg(protocol).stdout(Stdio::null());
    let log = folder.join("node.log");
    Upstream::run(command, "listening at http://", None, log)
}

/// nginx with static files and a few locations.
fn nginx(folder: &Path, protocol: &str) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    write_files(folder);
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary
        .map(|name| format!("    {name}_temp_path {name};\n"))
        .concat();
    let config = include_str!("nginx.conf")
        .replace("TEMPORARY", &temporary)
        .replace("LISTEN", &format!("{address}{protocol}"));
    fs::write(folder.join("nginx.conf"), config).unwrap();
    let mut command = tools::command("nginx", "-v");
    command.arg("-p").arg(folder).arg("-c");
    command.arg(folder.join("nginx.conf")).stdout(Stdio::null());
    let log = folder.join("nginx.log");
    Upstream::run(command, "start worker process ", Some(address), log)
}

/// What nginx serves.
fn write_files(folder: &Path) {
    let root = folder.join("root");
    fs::create_dir_all(root.join("folder")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(root.join(name), bytes).unwrap();
    write("index.html", b"<!doctype html><title>index</title>\n");
    write("text.txt", "one line of text\n".repeat(100).as_bytes());
    write("data.bin", &filler(100_000));
    write("empty.txt", b"");
    write("value.json", br#"{"a": [1, 2.50], "b": null}"#);
    write("folder/page.html", b"<p>page</p>\n");
    fs::write(folder.join("users"), "alice:{PLAIN}sesame\n").unwrap();
}
