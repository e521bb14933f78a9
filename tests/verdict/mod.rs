//! The verdict and the exit status of the program: no hole in a recording and no answer from
//! elsewhere passes.

use std::net::SocketAddr;

use serde_json::Value;

use crate::support::binary::program;
use crate::support::client::{self, Client};
use crate::support::folder::Folder;

/// Ways to a hole in a recording that look harmless.
mod holes;
/// Recordings that broke off.
mod incomplete;
/// Every kind of defect, in each mode.
mod kinds;
/// Responses that are rejected, or served and not recorded.
mod responses;
/// What selects the kinds that fail.
mod selection;

/// Runs of the program in one mode, each in a new folder.
struct Trial<'a> {
    mode: &'a str,
    upstream: String,
    /// Lines of `ouli.toml`.
    config: &'a str,
    /// What the folder has before the start.
    prepare: &'a dyn Fn(&Folder),
    /// What clients do.
    act: &'a dyn Fn(SocketAddr),
}

/// What a run ended with.
#[derive(Debug)]
struct Given {
    status: Option<i32>,
    report: Value,
    stderr: String,
}

impl<'a> Trial<'a> {
    fn new(mode: &'a str, upstream: &str, act: &'a dyn Fn(SocketAddr)) -> Self {
        Self {
            mode,
            upstream: upstream.to_owned(),
            config: "",
            prepare: &|_| {},
            act,
        }
    }

    fn config(mut self, config: &'a str) -> Self {
        self.config = config;
        self
    }

    fn prepare(mut self, prepare: &'a dyn Fn(&Folder)) -> Self {
        self.prepare = prepare;
        self
    }

    fn run(&self, flags: &[&str]) -> Given {
        self.run_in(flags, None)
    }

    /// The same with this value of the variable `CI`.
    fn run_in(&self, flags: &[&str], ci: Option<&str>) -> Given {
        let folder = Folder::new();
        folder.write_config(self.config);
        (self.prepare)(&folder);
        let mut arguments = vec![self.mode, "--listen", "127.0.0.1:0", "--report", "out.json"];
        if self.mode != "replay" {
            arguments.extend(["--upstream", &self.upstream]);
        }
        arguments.extend(flags);
        let mut program = program(&folder, &arguments);
        if let Some(value) = ci {
            program = program.env("CI", value);
        }
        let mut process = program.start();
        (self.act)(process.address());
        let ended = process.stop();
        let report = std::fs::read_to_string(folder.path().join("out.json"));
        let report = report.unwrap_or_else(|error| panic!("no report, {error}: {ended:?}"));
        Given {
            status: ended.status,
            report: serde_json::from_str(&report).unwrap(),
            stderr: ended.stderr,
        }
    }

    /// It fails with this kind alone, whose reason has this text: with status 1 if the user asks
    /// for that, and not at all without the kind.
    fn fails_with(&self, kind: &str, reason: &str) {
        let about = format!("{} {kind}", self.mode);
        let given = self.run(&[]);
        assert_eq!(given.status, Some(0), "{about}: {given:#?}");
        assert_eq!(given.kinds(), [kind], "{about}: {given:#?}");
        assert!(given.reason(kind).contains(reason), "{about}: {given:#?}");
        let first = given.first_line();
        assert_eq!(first, format!("verdict: FAILED ({kind})"), "{about}");
        assert!(
            given.stderr.contains("exit status 0: "),
            "{about}: {given:#?}"
        );
        let strict = self.run(&["--strict"]);
        assert_eq!(strict.status, Some(1), "{about}: {strict:#?}");
        assert_eq!(strict.kinds(), [kind], "{about}: {strict:#?}");
        let accepted = self.run(&["--strict", "--fail-on", &format!("-{kind}")]);
        assert_eq!(accepted.status, Some(0), "{about}: {accepted:#?}");
        assert_eq!(accepted.first_line(), "verdict: passed", "{about}");
    }

    /// Nothing is wrong with it, however strict the user is.
    fn passes(&self) {
        let given = self.run(&["--strict", "--fail-on", "all,-unused"]);
        assert_eq!(given.status, Some(0), "{}: {given:#?}", self.mode);
        assert_eq!(given.report["passed"], true, "{}: {given:#?}", self.mode);
    }
}

impl Given {
    /// All failures: those of the gateway and those of its sessions.
    fn failures(&self) -> Vec<&Value> {
        let own = self.report["failures"].as_array().unwrap().iter();
        let sessions = self.report["sessions"].as_array().unwrap().iter();
        let of_sessions = sessions.flat_map(|it| it["failures"].as_array().unwrap());
        own.chain(of_sessions).collect()
    }

    /// The kinds of the failures, each once.
    fn kinds(&self) -> Vec<&str> {
        let mut kinds = Vec::new();
        for failure in self.failures() {
            let kind = failure["kind"].as_str().unwrap();
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        assert_eq!(self.report["passed"], kinds.is_empty(), "{self:#?}");
        kinds
    }

    fn of_kind(&self, kind: &str) -> &Value {
        let mut failures = self.failures().into_iter();
        let found = failures.find(|failure| failure["kind"] == kind);
        found.unwrap_or_else(|| panic!("no {kind} in {self:#?}"))
    }

    fn reason(&self, kind: &str) -> &str {
        self.of_kind(kind)["reason"].as_str().unwrap()
    }

    /// The first line of the summary.
    fn first_line(&self) -> &str {
        let mut lines = self.stderr.lines();
        let found = lines.find(|line| line.starts_with("verdict: "));
        found.unwrap_or_else(|| panic!("no verdict in {}", self.stderr))
    }
}

fn at(address: SocketAddr) -> Client {
    client::at(address, http::Version::HTTP_11)
}

/// Sends one request.
fn get(address: SocketAddr) {
    at(address).get("/hello");
}

/// An address where nothing listens.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
