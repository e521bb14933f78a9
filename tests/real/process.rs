//! The server processes: httpbin or another upstream, and the gateway.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::tools;

/// The timeout for the start and the stop of a process.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server on a free port: httpbin under gunicorn, or a script.
pub(crate) struct Upstream {
    process: Process,
    /// Host and port.
    pub(crate) address: String,
}

/// A running gateway.
pub(crate) struct Gateway {
    process: Process,
    /// The URL prefix for clients.
    pub(crate) url: String,
}

/// A process that is stopped when it is dropped.
struct Process {
    child: Child,
    log: PathBuf,
}

impl Upstream {
    /// Starts httpbin; its log is a file in `folder`.
    pub(crate) fn start(folder: &Path) -> Self {
        let mut command = tools::python("gunicorn");
        command.args(["--bind", "127.0.0.1:0", "--no-control-socket"]);
        command.args([
            "--worker-class",
            "gthread",
            "--threads",
            "32",
            "--keep-alive",
            "30",
        ]);
        command.arg("httpbin:app").stdout(Stdio::null());
        let mut process = Process::start(command, folder.join("httpbin.log"));
        let address = process.wait_for("Listening at: http://");
        process.wait_for("Booting worker");
        let address = address.split_whitespace().next();
        let address = address.expect("split gives a first part").to_owned();
        Self { process, address }
    }

    /// Starts a script of these tests that prints its address; its log is a file in `folder`.
    pub(crate) fn script(name: &str, folder: &Path) -> Self {
        let mut command = tools::script(name);
        command.stdout(Stdio::null());
        let log = Path::new(name).with_extension("log");
        let log = log.file_name().expect("a script has a name");
        let mut process = Process::start(command, folder.join(log));
        let address = process.wait_for("listening at http://");
        Self { process, address }
    }

    /// Starts a server that prints `mark` when it is ready, followed by its address unless that is
    /// known; its output goes to `log`.
    pub(crate) fn run(command: Command, mark: &str, known: Option<String>, log: PathBuf) -> Self {
        let mut process = Process::start(command, log);
        let told = process.wait_for(mark);
        let address = known.unwrap_or_else(|| {
            let first = told.split_whitespace().next();
            first.expect("split gives a first part").to_owned()
        });
        Self { process, address }
    }

    /// Stops the server and checks that its port is closed.
    pub(crate) fn stop(self) {
        self.process.stop();
        let left = TcpStream::connect(&self.address);
        assert!(left.is_err(), "the upstream still answers after its stop");
    }
}

impl Gateway {
    /// Starts the gateway with these arguments on a free port; its output goes to `log`.
    pub(crate) fn start(arguments: &[&str], cassettes: &Path, log: PathBuf) -> Self {
        let folder = cassettes.parent().expect("the cassettes are in a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_ouli-gateway"));
        command.args(arguments).arg("--cassettes").arg(cassettes);
        command.current_dir(folder);
        Self::run(command, log)
    }

    /// Runs a command of the gateway on a free port; its output goes to `log`.
    pub(crate) fn run(mut command: Command, log: PathBuf) -> Self {
        command.args(["--listen", "127.0.0.1:0"]);
        command.stdout(Stdio::piped());
        let mut process = Process::start(command, log);
        let stdout = process.child.stdout.take().expect("it is piped");
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        let url = line.strip_prefix("listening on ");
        let url = url.and_then(|rest| rest.split_whitespace().next());
        let Some(url) = url.map(str::to_owned) else {
            panic!("no gateway: {read:?} {line:?}\n{}", process.said());
        };
        Self { process, url }
    }

    /// Stops the gateway; returns its stderr and its exit status.
    pub(crate) fn stop(self) -> (String, ExitStatus) {
        self.process.stop()
    }
}

impl Process {
    fn start(mut command: Command, log: PathBuf) -> Self {
        let file = File::create(&log).expect("the folder of the test is writable");
        let spawned = command.stdin(Stdio::null()).stderr(file).spawn();
        let child = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, log }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until the log contains `mark`; returns the rest of that line.
    fn wait_for(&mut self, mark: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let said = self.said();
            let found = said.lines().find_map(|line| line.split_once(mark));
            if let Some((_, rest)) = found {
                return rest.to_owned();
            }
            let ended = self.child.try_wait().expect("the process is a child");
            assert!(
                ended.is_none() && Instant::now() < end,
                "the process did not start: {ended:?}\n{said}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn terminate(&self) {
        let id = self.child.id().to_string();
        // The process may have exited already.
        let _ = Command::new("kill").args(["-TERM", &id]).status();
    }

    fn stop(mut self) -> (String, ExitStatus) {
        self.terminate();
        let status = self.ended_in_time();
        let status =
            status.unwrap_or_else(|| panic!("the process does not stop:\n{}", self.said()));
        (self.said(), status)
    }

    fn ended_in_time(&mut self) -> Option<ExitStatus> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().expect("the process is a child") {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.terminate();
            if self.ended_in_time().is_none() {
                // The process may have exited already.
                let _ = self.child.kill();
            }
        }
    }
}
