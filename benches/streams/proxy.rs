//! A proxy in its own process: the gateway or the splice.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::client;
use super::splice::ORIGIN;
use crate::connections::BARE;

/// A running proxy. Dropping it kills the process.
pub(crate) struct Proxy {
    pub(super) name: &'static str,
    pub(crate) address: SocketAddr,
    child: Child,
    /// Kept open, so that the proxy can write.
    _output: BufReader<ChildStdout>,
    folder: tempfile::TempDir,
}

impl Proxy {
    pub(super) fn splice(origin: SocketAddr) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(ORIGIN, origin.to_string());
        Self::start("plain splice", command, tempfile::tempdir().unwrap())
    }

    pub(crate) fn gateway(mode: &'static str, origin: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::gateway_in(mode, Some(origin), folder)
    }

    pub(crate) fn gateway_in(
        mode: &'static str,
        origin: Option<SocketAddr>,
        folder: tempfile::TempDir,
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ouli-gateway"));
        command.args([mode, "--listen", "127.0.0.1:0"]);
        if let Some(origin) = origin {
            command.args(["--upstream", &format!("http://{origin}")]);
        }
        Self::start(mode, command, folder)
    }

    fn start(name: &'static str, mut command: Command, folder: tempfile::TempDir) -> Self {
        let command = command.current_dir(folder.path()).env_remove("RUST_LOG");
        let command = command.stdin(Stdio::null()).stderr(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "{name} ended");
            let rest = line.strip_prefix("listening on ");
            if let Some(rest) = rest.and_then(|rest| rest.split_once("://")) {
                let address = rest
                    .1
                    .split(|end: char| end.is_whitespace() || end == '/')
                    .next();
                break address.unwrap().parse().unwrap();
            }
        };
        Self {
            name,
            address,
            child,
            _output: output,
            folder,
        }
    }

    /// The bare server.
    pub(crate) fn bare(tls: bool) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(BARE, if tls { "tls" } else { "plain" });
        Self::start("bare hyper", command, tempfile::tempdir().unwrap())
    }

    /// A gateway in passthrough mode, with or without TLS.
    pub(crate) fn passing(origin: SocketAddr, tls: bool) -> Self {
        let upstream = format!("upstream = \"http://{origin}\"");
        let folder = tempfile::tempdir().unwrap();
        Self::configured("passthrough", &upstream, tls, folder)
    }

    /// A gateway in replay mode, with or without TLS.
    pub(crate) fn replaying(folder: tempfile::TempDir, tls: bool) -> Self {
        Self::configured("replay", "", tls, folder)
    }

    fn configured(
        mode: &'static str,
        upstream: &str,
        tls: bool,
        folder: tempfile::TempDir,
    ) -> Self {
        let files = if tls {
            let identity = crate::certificates::identity();
            fs::write(folder.path().join("ca.pem"), identity.pem).unwrap();
            fs::write(folder.path().join("key.pem"), identity.key).unwrap();
            "tls = { cert = \"ca.pem\", key = \"key.pem\" }"
        } else {
            ""
        };
        let text = format!(
            "mode = \"{mode}\"\n[[endpoint]]\nname = \"default\"\nlisten = \"127.0.0.1:0\"\n\
             {upstream}\n{files}\n"
        );
        fs::write(folder.path().join("ouli.toml"), text).unwrap();
        let command = Command::new(env!("CARGO_BIN_EXE_ouli-gateway"));
        Self::start(mode, command, folder)
    }

    /// The certificate of a proxy with TLS.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder().join("ca.pem")
    }

    /// The working directory of the proxy.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The CPU time so far in nanoseconds.
    pub(super) fn cpu(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let used = tasks.filter_map(|task| {
            let counted = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            counted.split_whitespace().next()?.parse::<u64>().ok()
        });
        used.sum()
    }

    /// The resident memory in bytes.
    pub(crate) fn memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.unwrap().split_whitespace().next().unwrap();
        kib.parse::<f64>().unwrap() * 1024.0
    }

    /// The number of open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id()))
            .unwrap()
            .count()
    }

    /// The growth of memory for each idle tunnel with both its connections, in bytes.
    pub(super) fn of_one_tunnel(&self, tunnels: usize) -> f64 {
        client::run(async {
            let mut open = vec![client::open(self.address, "idle").await.unwrap()];
            let before = self.memory();
            for _ in 0..tunnels {
                open.push(client::open(self.address, "idle").await.unwrap());
            }
            (self.memory() - before) / tunnels as f64
        })
    }

    /// Stops the proxy with SIGTERM; returns its folder.
    pub(crate) fn stop(mut self) -> tempfile::TempDir {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-INT", &id]).status().unwrap();
        self.child.wait().unwrap();
        let nothing = tempfile::tempdir().unwrap();
        std::mem::replace(&mut self.folder, nothing)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
