//! Invocations of curl against nginx and Node.js: a recording gateway changes nothing of the
//! response that the server sends directly, and a replay nothing of the recording.

mod compare;
mod curl;
mod invocations;
mod redbot;
mod servers;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::process::Gateway;
use crate::requests::filler;
use crate::tools;
use compare::Pair;
use curl::{Observation, Place};
use invocations::Invocation;
use servers::Server;

#[test]
#[ignore = "needs curl, nginx and Node: see .ci/run"]
fn a_recording_equals_the_server_and_a_replay_the_recording() {
    drop(tools::system("curl"));
    let all = invocations::all();
    let mut faults = Vec::new();
    let mut table = String::from("server      invocations  as direct  as recorded\n");
    for server in Server::ALL {
        let own: Vec<_> = all.iter().filter(|one| one.server == server).collect();
        let trial = Trial::run(server, &own);
        let (recorded, replayed) = (trial.recorded_faults(&own), trial.replayed_faults(&own));
        let deterministic = own.iter().filter(|one| one.is_deterministic).count();
        writeln!(
            table,
            "{:<11} {:>11} {:>5}/{deterministic:<3} {:>12}",
            server.name(),
            own.len(),
            deterministic - recorded.len(),
            own.len() - replayed.len()
        )
        .unwrap();
        faults.extend(recorded.into_iter().chain(replayed).chain(trial.verdict));
    }
    println!("{table}");
    assert!(faults.is_empty(), "{}\n{table}", faults.join("\n"));
}

/// All invocations of one server: direct, recorded and replayed.
struct Trial {
    direct: Vec<Observation>,
    recorded: Vec<Observation>,
    replayed: Vec<Observation>,
    /// What the verdict of the replay reports, unless it passed.
    verdict: Option<String>,
}

impl Trial {
    fn run(server: Server, invocations: &[&Invocation]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        write_input(&folder.join("input"));
        let upstream = server.start(folder);
        let all = |name: &str, url: &str| each(invocations, folder, name, url);
        let direct = all("direct", &format!("http://{}", upstream.address));
        let url = format!("{}://{}", server.scheme(), upstream.address);
        let gateway = start(folder, &["record", "--upstream", &url]);
        let recorded = all("recorded", &gateway.url);
        upstream.stop();
        gateway.stop();
        let report = folder.join("report.json");
        let gateway = start(folder, &["replay", "--report", report.to_str().unwrap()]);
        let replayed = all("replayed", &gateway.url);
        gateway.stop();
        Self {
            direct,
            recorded,
            replayed,
            verdict: unused_or_missed(server, &report),
        }
    }

    fn recorded_faults(&self, invocations: &[&Invocation]) -> Vec<String> {
        let pairs = self.direct.iter().zip(&self.recorded).zip(invocations);
        let pairs = pairs.filter(|(_, invocation)| invocation.is_deterministic);
        let faults = pairs.map(|((direct, recorded), invocation)| {
            compare::fault(invocation, Pair::DirectAndRecorded, direct, recorded)
        });
        faults.flatten().collect()
    }

    fn replayed_faults(&self, invocations: &[&Invocation]) -> Vec<String> {
        let pairs = self.recorded.iter().zip(&self.replayed).zip(invocations);
        let faults = pairs.map(|((recorded, replayed), invocation)| {
            compare::fault(invocation, Pair::RecordedAndReplayed, recorded, replayed)
        });
        faults.flatten().collect()
    }
}

fn start(folder: &Path, arguments: &[&str]) -> Gateway {
    let log = folder.join(format!("{}.log", arguments[0]));
    Gateway::start(arguments, &folder.join("cassettes"), log)
}

/// Runs the invocations one after the other, each in a session of its own.
fn each(invocations: &[&Invocation], folder: &Path, name: &str, url: &str) -> Vec<Observation> {
    let one = |(number, invocation): (usize, &&Invocation)| {
        let session = format!("n{number}");
        let output: PathBuf = folder.join(name).join(&session);
        let place = Place {
            url: url.trim_end_matches('/'),
            session: (name != "direct").then_some(&session),
            input: &folder.join("input"),
            output: &output,
        };
        curl::run(invocation, &place)
    };
    invocations.iter().enumerate().map(one).collect()
}

/// A replay without its upstream finds every request, and uses every exchange.
fn unused_or_missed(server: Server, report: &Path) -> Option<String> {
    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let sessions = report["sessions"].as_array().unwrap();
    let incomplete = sessions
        .iter()
        .filter(|one| one["misses"] != 0 || one["unused"] != json!([]));
    let incomplete: Vec<_> = incomplete.map(Value::to_string).collect();
    let name = server.name();
    (!incomplete.is_empty()).then(|| format!("{name}: verdict: {}", incomplete.join("\n")))
}

/// The files that the invocations send.
fn write_input(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    write("value.json", br#"{"a": [1, 2.50, 1e2], "b": null}"#);
    write("text.txt", "one\r\ntwo \u{2713}\n".as_bytes());
    write("form.txt", b"name=Ada+%26+Bob&city=Z%C3%BCrich&empty=");
    write("data.bin", &filler(5_000));
    write("large.bin", &filler(300_000));
    write("empty", b"");
    write("fields.txt", b"x-from-file: 1\nx-from-file: 2\n");
}
