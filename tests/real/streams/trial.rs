//! Runs clients with an origin through the gateway, then with a replay without the origin.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{compare, peer};
use crate::files;
use crate::process::{Gateway, Upstream};
use crate::secrets::Secrets;

/// Words with which clients report a timeout.
const LATE: [&str; 5] = [
    "\"TimeoutError\"",
    "\"timeout\"",
    "\"late\"",
    "\"no time left\"",
    "Timeout\"",
];

/// An origin and its clients; each client has its own session.
pub(super) struct Trial {
    folder: TempDir,
    origin: &'static str,
    clients: &'static [&'static str],
}

impl Trial {
    /// The names are those of scripts in `origins` and `clients`.
    pub(super) fn new(origin: &'static str, clients: &'static [&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            folder,
            origin,
            clients,
        }
    }

    /// Returns the reports from the recording and a table of how many scenarios the replay repeats.
    /// Panics if a replay differs, with the same secrets or with others, or if a secret was
    /// written.
    pub(super) fn run(&self) -> (Vec<Value>, String) {
        let (secrets, others) = (Secrets::while_recording(), Secrets::others());
        let recorded = self.record(&secrets);
        let (again, verdict) = self.replay("replay", &[], &secrets);
        let (with_others, other_verdict) = self.replay("others", &[], &others);

        let mut table = String::new();
        let mut faults = Vec::new();
        for (at, client) in self.clients.iter().enumerate() {
            let same = differing(&recorded[at], &again[at], &secrets, "");
            let hit = differing(&again[at], &with_others[at], &others, "other secrets, ");
            let count = scenarios(&recorded[at]).len();
            let pair = format!("{client} and {}", self.origin);
            let (same_count, hit_count) = (count - same.len(), count - hit.len());
            writeln!(
                table,
                "{pair:<42} {count:>4} {same_count:>4} as recorded {hit_count:>4} with others"
            )
            .unwrap();
            let named = |fault| format!("{pair}: {fault}");
            faults.extend(same.into_iter().chain(hit).map(named));
        }
        faults.extend(verdict.into_iter().chain(other_verdict));
        faults.extend(self.traces(&[&secrets, &others]));
        let faults = faults.join("\n");
        assert!(
            faults.is_empty(),
            "differences at replay:\n{faults}\n\n{table}"
        );
        (recorded, table)
    }

    fn record(&self, secrets: &Secrets) -> Vec<Value> {
        let origin = Upstream::script(&format!("streams/origins/{}", self.origin), self.path());
        let url = format!("http://{}", origin.address);
        let log = self.path().join("record.log");
        // Some origins abort streams on purpose.
        let failures = ["--set", "record_failures=true"];
        let arguments = [&["record", "--upstream", &url][..], &failures].concat();
        let gateway = Gateway::start(&arguments, &self.cassettes(), log);
        let told = self.all("record", &gateway, secrets);
        origin.stop();
        let (said, status) = gateway.stop();
        assert!(status.success(), "{status}\n{said}");
        for (one, client) in told.iter().zip(self.clients) {
            let text = one.to_string();
            let late = LATE.iter().find(|late| text.contains(**late));
            assert!(late.is_none(), "{client} timed out: {one:#}");
        }
        told
    }

    /// Replays all clients; returns their reports and the faults of the verdict: each exchange must
    /// be used and no request may miss.
    pub(super) fn replay(
        &self,
        run: &str,
        further: &[&str],
        secrets: &Secrets,
    ) -> (Vec<Value>, Option<String>) {
        let report = self.path().join(format!("{run}-report.json"));
        let mut arguments = vec!["replay", "--strict", "--report", report.to_str().unwrap()];
        arguments.extend(further);
        let log = self.path().join(format!("{run}.log"));
        let gateway = Gateway::start(&arguments, &self.cassettes(), log);
        let told = self.all(run, &gateway, secrets);
        let (said, status) = gateway.stop();
        let verdict: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
        let sessions = verdict["sessions"].as_array().unwrap();
        let all_used = self.clients.iter().all(|client| {
            let session = session(client);
            let verdict = sessions.iter().find(|one| one["session"] == session);
            verdict.is_some_and(|one| {
                one["hits"] == one["exchanges"] && one["misses"] == 0 && one["unused"] == json!([])
            })
        });
        let wrong = !(all_used && status.success());
        (
            told,
            wrong.then(|| format!("{run} ended with {status}:\n{said}\n{verdict:#}")),
        )
    }

    fn all(&self, run: &str, gateway: &Gateway, secrets: &Secrets) -> Vec<Value> {
        let tell = |client: &&str| {
            let (script, session) = (format!("streams/clients/{client}"), session(client));
            peer::run(&script, &gateway.url, session, secrets, self.path(), run)
        };
        self.clients.iter().map(tell).collect()
    }

    /// The places where a secret was found: no cassette and no log may contain one.
    fn traces(&self, secrets: &[&Secrets]) -> Vec<String> {
        let mut files = ["record.log", "replay.log", "others.log"]
            .map(|name| self.path().join(name))
            .to_vec();
        files.extend(
            ["replay-report.json", "others-report.json"].map(|name| self.path().join(name)),
        );
        let recorded = files::below(&self.cassettes());
        assert!(!recorded.is_empty(), "nothing was recorded");
        files.extend(recorded);
        let traces = files.iter().flat_map(|file| {
            let bytes = fs::read(file).unwrap();
            let names = secrets.iter().filter_map(move |one| one.traced_in(&bytes));
            names.map(move |name| format!("the secret `{name}` is in {}", file.display()))
        });
        traces.collect()
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn cassettes(&self) -> PathBuf {
        self.path().join("cassettes")
    }
}

fn session(client: &str) -> &str {
    client.split('.').next().unwrap_or(client)
}

/// The scenarios of a report.
pub(super) fn scenarios(told: &Value) -> &[Value] {
    told["seen"].as_array().map_or(&[], Vec::as_slice)
}

/// The scenario of this name.
pub(super) fn scenario<'a>(told: &'a Value, name: &str) -> &'a Value {
    let found = scenarios(told).iter().find(|one| one["name"] == name);
    found.unwrap_or_else(|| panic!("no scenario {name}: {told:#}"))
}

/// One text for each scenario that differs, and one for the rest of the report.
fn differing(one: &Value, other: &Value, secrets: &Secrets, when: &str) -> Vec<String> {
    let beside = |told: &Value| {
        let mut told = told.clone();
        let members = told.as_object_mut().expect("reports are objects");
        members.insert("seen".to_owned(), Value::Null);
        members.insert("name".to_owned(), json!("beside the scenarios"));
        told
    };
    let beside = [(beside(one), beside(other))];
    let pairs = scenarios(one).iter().zip(scenarios(other));
    let pairs = pairs.chain(beside.iter().map(|(one, other)| (one, other)));
    let faults = pairs.filter_map(|(one, other)| {
        let lines = compare::differences(one, other, secrets);
        let shown = compare::shows_any(other, secrets).then(|| "a secret is replayed".to_owned());
        let lines: Vec<_> = lines.into_iter().chain(shown).collect();
        let name = &one["name"];
        (!lines.is_empty()).then(|| format!("{when}{name}: {}", lines.join("\n  ")))
    });
    faults.collect()
}
