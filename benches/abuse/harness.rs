//! A gateway in its own process under attack: its memory, and the latency of a well-behaved client.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::honest::{self, Honest};
use super::origin;

/// The duration of the measurement without an attack, and the minimum with one.
const CALM: Duration = Duration::from_secs(2);

/// A latency up to this one is accepted, in seconds.
const UNNOTICED: f64 = 0.01;
/// The accepted ratio of p99 during an attack to p99 without it.
const SLOWER: f64 = 5.0;

/// How often the memory is read, half a second apart, until it has settled.
const SETTLING: usize = 20;

/// The lowest scheduling priority (setpriority(2)).
const LEAST: i32 = 19;

/// A running gateway. Dropping it kills the process.
pub(super) struct Harness {
    /// The address of the first endpoint.
    pub(super) address: SocketAddr,
    /// The endpoints by name.
    endpoints: Vec<(String, SocketAddr)>,
    folder: tempfile::TempDir,
    child: Child,
    /// Kept open, so that the gateway can write.
    _output: BufReader<ChildStdout>,
}

/// The measurements of an attack.
pub(super) struct Measured {
    /// p99 of the latency without an attack, in seconds.
    pub(super) calm: f64,
    /// p99 during the attack.
    pub(super) during: f64,
    /// p99 during the attack for a client that bypasses the gateway: the load of the machine by the
    /// attackers and other processes.
    pub(super) beside: f64,
    /// Requests without a response.
    pub(super) failed: usize,
    /// The growth of memory in bytes.
    pub(super) grown: u64,
    /// The peak of memory in bytes.
    pub(super) peak: u64,
}

impl Measured {
    /// True if honest requests are slower than the load of the machine explains.
    pub(super) fn is_slow(&self) -> bool {
        self.during > UNNOTICED && self.during > SLOWER * self.calm.max(self.beside)
    }

    /// Checks the measurements; `most` is the limit of memory growth in MiB.
    pub(super) fn check(&self, most: u64) -> Result<(), String> {
        if self.failed > 0 {
            return Err(format!(
                "{} requests of the well-behaved client got no response",
                self.failed
            ));
        }
        if self.is_slow() {
            return Err(format!("p99 is more than {SLOWER} times as long"));
        }
        if self.grown >> 20 > most {
            return Err(format!("memory grew by more than {most} MiB"));
        }
        Ok(())
    }
}

impl Harness {
    /// A gateway in passthrough mode with these limits.
    pub(super) fn passing(origin: SocketAddr, limits: &str) -> Self {
        Self::start("passthrough", Some(origin), folder(limits))
    }

    /// A gateway in record mode.
    pub(super) fn recording(origin: SocketAddr, limits: &str) -> Self {
        Self::start("record", Some(origin), folder(limits))
    }

    pub(super) fn start(mode: &str, origin: Option<SocketAddr>, folder: tempfile::TempDir) -> Self {
        let command = Command::new(env!("CARGO_BIN_EXE_ouli-gateway"));
        Self::run(command, mode, origin, folder)
    }

    /// Starts the gateway with a command that runs the program with the arguments appended to it.
    pub(super) fn run(
        mut command: Command,
        mode: &str,
        origin: Option<SocketAddr>,
        folder: tempfile::TempDir,
    ) -> Self {
        command.args([mode, "--listen", "127.0.0.1:0"]);
        if let Some(origin) = origin {
            command.args(["--upstream", &format!("http://{origin}")]);
        }
        Self::spawn(command, 1, folder)
    }

    /// A gateway with this configuration.
    pub(super) fn configured(configuration: &str, folder: tempfile::TempDir) -> Self {
        let command = Command::new(env!("CARGO_BIN_EXE_ouli-gateway"));
        Self::configured_by(command, configuration, folder)
    }

    /// The same, started by a command.
    pub(super) fn configured_by(
        command: Command,
        configuration: &str,
        folder: tempfile::TempDir,
    ) -> Self {
        fs::write(folder.path().join("ouli.toml"), configuration).unwrap();
        let count = configuration.matches("[[endpoint]]").count();
        Self::spawn(command, count, folder)
    }

    /// Starts the gateway and waits until all endpoints accept.
    fn spawn(mut command: Command, count: usize, folder: tempfile::TempDir) -> Self {
        let command = command.current_dir(folder.path()).env("RUST_LOG", "off");
        let command = command.stdin(Stdio::null()).stderr(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let mut endpoints = Vec::new();
        while endpoints.len() < count {
            line.clear();
            assert!(
                output.read_line(&mut line).unwrap() > 0,
                "the gateway exited"
            );
            if let Some(rest) = line.strip_prefix("listening on http://") {
                let end = |end: char| end.is_whitespace() || end == '/';
                let address = rest.split(end).next().unwrap().parse().unwrap();
                let name = rest.split_once(" endpoint=").map_or("", |(_, rest)| rest);
                let name = name.split_whitespace().next().unwrap_or_default();
                endpoints.push((name.to_owned(), address));
            }
        }
        Self {
            address: endpoints[0].1,
            endpoints,
            folder,
            child,
            _output: output,
        }
    }

    /// Measures the gateway during an attack.
    pub(super) fn under<T: Send>(&self, attack: impl FnOnce() -> T + Send) -> (Measured, T) {
        let load = Honest::start(self.address);
        std::thread::sleep(CALM);
        let calm = load.end();
        let before = self.memory("VmRSS:");
        self.reset_peak();
        let load = Honest::start(self.address);
        let other = Honest::start(origin::start());
        let begin = Instant::now();
        let done = yielding(attack);
        std::thread::sleep(CALM.saturating_sub(begin.elapsed()));
        let (during, beside) = (load.end(), other.end());
        let peak = self.peak();
        let measured = Measured {
            calm: honest::slowest(&calm),
            during: honest::slowest(&during),
            beside: honest::slowest(&beside),
            failed: honest::unanswered(&during),
            grown: peak.saturating_sub(before),
            peak,
        };
        (measured, done)
    }

    /// A path in its folder, in the mount namespace of the process.
    pub(super) fn inside(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let root = PathBuf::from(format!("/proc/{}/root", self.child.id()));
        root.join(path.strip_prefix("/").unwrap())
    }

    /// The number of open descriptors.
    pub(super) fn descriptors(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        open.unwrap().count()
    }

    /// Forgets the peak of memory so far.
    pub(super) fn reset_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }

    /// The peak of memory in bytes.
    pub(super) fn peak(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The resident memory in bytes.
    pub(super) fn held(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The resident memory in bytes once it shrinks no more.
    pub(super) fn settled(&self) -> u64 {
        let mut least = self.held();
        for _ in 0..SETTLING {
            std::thread::sleep(Duration::from_millis(500));
            let held = self.held();
            if held + held / 50 > least {
                return held.min(least);
            }
            least = held;
        }
        least
    }

    /// The address of an endpoint.
    pub(super) fn at(&self, name: &str) -> SocketAddr {
        let found = self.endpoints.iter().find(|(endpoint, _)| endpoint == name);
        found.expect("the endpoint is configured").1
    }

    /// Its folder.
    pub(super) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The number of its threads.
    pub(super) fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    fn memory(&self, name: &str) -> u64 {
        self.status(name) << 10
    }

    /// A number of `/proc/PID/status`.
    fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.unwrap().split_whitespace().next().unwrap();
        number.parse().unwrap()
    }

    pub(super) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success(), "the signal {name} was not sent");
    }

    /// Waits for the exit; returns the status and the folder.
    pub(super) fn ended(mut self) -> (ExitStatus, tempfile::TempDir) {
        let status = self.child.wait().unwrap();
        let nothing = tempfile::tempdir().unwrap();
        (status, std::mem::replace(&mut self.folder, nothing))
    }

    /// Stops it with SIGTERM.
    pub(super) fn stop(self) -> (ExitStatus, tempfile::TempDir) {
        self.signal("TERM");
        self.ended()
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the attack at the lowest priority, because real attackers use other machines. The threads
/// of the attack inherit the priority.
pub(super) fn yielding<T: Send>(attack: impl FnOnce() -> T + Send) -> T {
    let patient = move || {
        rustix::process::setpriority_process(None, LEAST).unwrap();
        attack()
    };
    std::thread::scope(|scope| scope.spawn(patient).join().unwrap())
}

/// A folder with a configuration that has these limits.
pub(super) fn folder(limits: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("[limits]\n{limits}\n");
    fs::write(folder.path().join("ouli.toml"), text).unwrap();
    folder
}
