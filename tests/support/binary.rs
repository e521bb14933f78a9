//! The program as users run it, in its own process.

use std::io::{BufRead as _, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::folder::Folder;

/// A command line that is not started yet.
pub(crate) struct Program(Command);

/// A running program. Dropping it kills the process.
pub(crate) struct Process {
    child: Child,
    stdout: Captured,
    stderr: Captured,
}

/// The exit status and the output of a program.
#[derive(Debug)]
pub(crate) struct Ended {
    /// None if a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The output of a program so far.
struct Captured {
    text: Arc<Mutex<String>>,
    thread: Option<JoinHandle<()>>,
}

/// The program with these arguments and the folder as its working directory.
pub(crate) fn program(folder: &Folder, arguments: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouli-gateway"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .current_dir(folder.path())
        .env_remove("CI")
        .env_remove("RUST_LOG")
        .env("XDG_CACHE_HOME", super::kept("cache"))
        .env("XDG_DATA_HOME", folder.path().join("data"));
    Program(command)
}

impl Program {
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        self.0.env(name, value.as_ref());
        self
    }

    /// Passes an open socket as a service manager does (sd_listen_fds(3) of systemd).
    pub(crate) fn passing(self, socket: &TcpListener, name: &str) -> Self {
        let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1; \
                      export LISTEN_PID LISTEN_FDS; exec \"$0\" \"$@\"";
        let Self(mut command) = self.under(&["sh", "-c", script]);
        command.env("LISTEN_FDNAMES", name);
        command.stdin(OwnedFd::from(socket.try_clone().unwrap()));
        Self(command)
    }

    /// Runs the program by another program: `starter` is its command and arguments, which are
    /// followed by the command line of the gateway.
    pub(crate) fn under(self, starter: &[&str]) -> Self {
        let mut command = Command::new(starter[0]);
        command.args(&starter[1..]).arg(self.0.get_program());
        command.args(self.0.get_args());
        for (name, value) in self.0.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = self.0.get_current_dir() {
            command.current_dir(folder);
        }
        Self(command)
    }

    /// Starts the program.
    pub(crate) fn start(mut self) -> Process {
        let command = self.0.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = Captured::of(child.stdout.take().unwrap());
        let stderr = Captured::of(child.stderr.take().unwrap());
        Process {
            child,
            stdout,
            stderr,
        }
    }

    /// Runs the program and waits for its exit.
    pub(crate) fn run(self) -> Ended {
        self.start().ended()
    }
}

impl Process {
    /// The first line that reports a listener.
    pub(crate) fn listening(&mut self) -> String {
        super::until("the line `listening on`", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the program exited with {status}:\n{}", self.stderr());
            }
            let text = self.stdout.text();
            let mut lines = text.split_inclusive('\n');
            let line = lines.find(|line| line.starts_with("listening on ") && line.ends_with('\n'));
            line.map(|line| line.trim_end().to_owned())
        })
    }

    /// The address of the first listener.
    pub(crate) fn address(&mut self) -> SocketAddr {
        let address = self.try_address();
        address.unwrap_or_else(|| panic!("the program exited:\n{}", self.stderr()))
    }

    /// The address of the first listener; none if the program exits before it listens.
    pub(crate) fn try_address(&mut self) -> Option<SocketAddr> {
        super::until("the line `listening on` or the exit", || {
            let ended = self.child.try_wait().unwrap().is_some();
            let text = self.stdout.text();
            let line = text.lines().find(|line| line.starts_with("listening on "));
            let url = line.and_then(|line| line.split(' ').nth(2));
            let address = url.and_then(|url| url.split("://").nth(1)?.parse().ok());
            (ended || address.is_some()).then_some(address)
        })
    }

    pub(crate) fn signal(&self, name: &str) {
        self.signals(&[name]);
    }

    /// Sends signals one right after the other.
    pub(crate) fn signals(&self, names: &[&str]) {
        let process = self.child.id();
        let all: Vec<_> = names
            .iter()
            .map(|name| format!("kill -s {name} {process}"))
            .collect();
        let sent = Command::new("sh").args(["-c", &all.join(" && ")]).status();
        assert!(
            sent.unwrap().success(),
            "the signals {names:?} were not sent"
        );
    }

    /// Sends a signal until the program has ended: it may count as one with the signal before it.
    pub(crate) fn stop_again(&mut self, name: &str) {
        super::until("the end of the program", || {
            let has_ended = !self.is_running();
            if !has_ended {
                self.signal(name);
            }
            has_ended.then_some(())
        });
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The peak resident memory so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// The processor time of all threads so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).unwrap();
        // The name of the program may have spaces (proc(5)).
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
        let ticks = fields.skip(11).take(2).map(|it| it.parse::<u64>().unwrap());
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    /// The resident memory, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    fn status(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with(name));
        let kibibytes = line.unwrap().split_whitespace().nth(1).unwrap();
        kibibytes.parse::<u64>().unwrap() << 10
    }

    /// The stdout so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// The stderr so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Sends SIGTERM and waits for the exit.
    pub(crate) fn stop(self) -> Ended {
        self.signal("TERM");
        self.ended()
    }

    /// Waits for the exit.
    pub(crate) fn ended(mut self) -> Ended {
        let status = super::until("the exit of the program", || self.child.try_wait().unwrap());
        Ended {
            status: status.code(),
            stdout: self.stdout.end(),
            stderr: self.stderr.end(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Captured {
    fn of(source: impl Read + Send + 'static) -> Self {
        let text = Arc::<Mutex<String>>::default();
        let kept = Arc::clone(&text);
        let thread = std::thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).unwrap() > 0 {
                kept.lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self {
            text,
            thread: Some(thread),
        }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// The complete output. The program must have exited.
    fn end(&mut self) -> String {
        self.thread.take().unwrap().join().unwrap();
        self.text()
    }
}
