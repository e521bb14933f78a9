//! The peers: servers and clients of ouli.test in grpcio and tonic.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::tools;

/// The timeout for the start of a server.
const PATIENCE: Duration = Duration::from_secs(30);

/// The library of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Grpcio,
    Tonic,
}

/// The arguments of a client.
#[derive(Clone, Copy)]
pub(super) struct Task<'a> {
    /// Host and port.
    pub(super) target: &'a str,
    pub(super) secret: &'a str,
    pub(super) cases: &'a [&'a str],
    /// Further arguments.
    pub(super) further: &'a [&'a str],
}

/// A server on a free port.
pub(super) struct Origin {
    child: Child,
    /// Host and port.
    pub(super) address: String,
}

impl Peer {
    pub(super) const ALL: [Self; 2] = [Self::Grpcio, Self::Tonic];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Grpcio => "grpcio",
            Self::Tonic => "tonic",
        }
    }

    fn command(self, side: &str) -> Command {
        match self {
            Self::Grpcio => python(&format!("{side}.py")),
            Self::Tonic => {
                let mut command = Command::new(tonic_peer());
                command.arg(side);
                command
            }
        }
    }

    /// Starts a server; its log is a file in `folder`.
    pub(super) fn serve(self, secret: &str, folder: &Path) -> Origin {
        let log = folder.join("server.log");
        let file = File::create(&log).unwrap();
        let mut command = self.command("server");
        command.args(["--secret", secret]).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(file);
        let mut child = command.spawn().unwrap();
        let end = Instant::now() + PATIENCE;
        loop {
            let said = fs::read_to_string(&log).unwrap();
            let mut lines = said.split_inclusive('\n').filter(|it| it.ends_with('\n'));
            if let Some(address) = lines.find_map(|line| line.strip_prefix("listening on ")) {
                let address = address.trim().to_owned();
                return Origin { child, address };
            }
            let ended = child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < end,
                "{self:?} does not serve: {ended:?}\n{said}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes the calls of all cases; returns the results by the name of the case. A client exits
    /// within a minute.
    pub(super) fn call(self, task: Task<'_>) -> Value {
        let mut command = self.command("client");
        command.args(["--target", task.target, "--secret", task.secret]);
        command.args(["--cases", &task.cases.join(",")]);
        command.args(task.further).stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "the {self:?} client exited with {}:\n{said}",
            output.status
        );
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes the descriptors of the messages.
pub(super) fn write_descriptors(to: &Path) {
    let status = python("schema.py").arg(to).status().unwrap();
    assert!(status.success(), "{status}");
}

/// A Python script of the peers.
fn python(script: &str) -> Command {
    let mut command = tools::python("python");
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg(tools::file("grpc").join(script));
    command
}

/// The tonic program, built once.
fn tonic_peer() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/real/tonic");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--locked", "--quiet", "--manifest-path"]);
        cargo.arg(tools::file("grpc/tonic-peer/Cargo.toml"));
        cargo.arg("--target-dir").arg(&target);
        let status = cargo.status().unwrap();
        assert!(status.success(), "the tonic peer does not build");
        target.join("debug/tonic-peer")
    })
}
