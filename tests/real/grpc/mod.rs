//! gRPC between grpcio and tonic as servers and clients: a client sees the same at replay.

mod compare;
mod peers;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::process::Gateway;
use compare::Comparison;
use peers::{Peer, Task};

/// The secrets while recording and at replay; all secret values contain one of them.
const SECRETS: [&str; 2] = ["Zk3vQ9xT7pLm2Rw8Yb4N", "bT8nLw2yHc6QrX4mVd0K"];

/// First the usual interoperability cases of gRPC, then additional ones.
const CASES: [&str; 21] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "all_fields",
    "gzip",
    "deadline",
    "cancel",
    "rich_status",
    "secret_metadata",
    "secret_token",
    "secret_trailers",
    "twice",
    "two_bodies",
];

/// A secret that only its field name reveals.
const BY_NAME: &str = "secret_message";

/// A server and a client with a gateway between them.
struct Pair<'a> {
    server: Peer,
    client: Peer,
    folder: &'a Path,
    cases: &'a [&'a str],
}

/// All results are deterministic, so a difference at replay is a fault.
#[test]
#[ignore = "needs grpcio and tonic: see .ci/run"]
fn clients_see_the_same_at_replay() {
    let cases = [&CASES[..], &[BY_NAME]].concat();
    for server in Peer::ALL {
        for client in Peer::ALL {
            let folder = tempfile::tempdir().unwrap();
            let origin = server.serve(SECRETS[0], folder.path());
            let task = Task {
                target: &origin.address,
                secret: SECRETS[0],
                cases: &cases,
                further: &[],
            };
            let (once, again) = (client.call(task), client.call(task));
            let comparison = Comparison {
                name: &format!("{} {} again:", server.name(), client.name()),
                secret: SECRETS[0],
            };
            let (_, differ) = comparison.differences(&once, &again);
            assert!(once == again, "{}", differ.join("\n"));
            let compressed = json!({"coding": "gzip", "compressed": [true]});
            let both = json!({"sent": compressed, "came": compressed});
            assert_eq!(once["gzip"][0]["compression"], both, "{}", comparison.name);
        }
    }
}

#[test]
#[ignore = "needs grpcio and tonic: see .ci/run"]
fn calls_are_the_same_without_the_server() {
    all_pairs(false);
}

#[test]
#[ignore = "needs grpcio and tonic: see .ci/run"]
fn calls_with_descriptors_are_the_same_without_the_server() {
    all_pairs(true);
}

fn all_pairs(described: bool) {
    let mut table = String::from("server   client   calls  recorded  replayed  other secrets\n");
    let mut cases = CASES.to_vec();
    if described {
        cases.push(BY_NAME);
    }
    let mut faults = Vec::new();
    for server in Peer::ALL {
        for client in Peer::ALL {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path();
            if described {
                peers::write_descriptors(&folder.join("test.binpb"));
                let config = "proto_descriptors = [\"test.binpb\"]\n";
                fs::write(folder.join("ouli.toml"), config).unwrap();
            }
            let cases = &cases;
            let pair = Pair {
                server,
                client,
                folder,
                cases,
            };
            pair.check(&mut table, &mut faults);
            pair.assert_misses();
            for secret in SECRETS {
                let texts = canaries(secret, described);
                compare::assert_nowhere(&texts, &folder.join("cassettes"));
                compare::assert_nowhere(&texts, &folder.join("logs"));
            }
        }
    }
    assert!(faults.is_empty(), "{}\n\n{table}", faults.join("\n"));
}

/// Texts that must not be written. Without descriptors the issued token is not known to be a
/// secret.
fn canaries(secret: &str, described: bool) -> Vec<String> {
    if described {
        return vec![secret.to_owned()];
    }
    ["bR", "aK", "ghp_", "tR"]
        .map(|before| format!("{before}{secret}"))
        .into()
}

impl Pair<'_> {
    /// Records, then compares the results with those without a gateway and with those of replays.
    fn check(&self, table: &mut String, faults: &mut Vec<String>) {
        let (server, client) = (self.server.name(), self.client.name());
        fs::create_dir(self.folder.join("logs")).unwrap();
        let (direct, recorded) = self.record();
        let same = self.replay("replay", SECRETS[0], &["--swapped"]);
        let others = self.replay("others", SECRETS[1], &[]);
        write!(table, "{server:<8} {client:<8}").unwrap();
        let compared = [
            ("recorded", &direct, &recorded),
            ("replayed", &recorded, &same),
            ("with other secrets", &recorded, &others),
        ];
        for (at, (what, one, other)) in compared.into_iter().enumerate() {
            let name = format!("{server} {client} {what}:");
            let comparison = Comparison {
                name: &name,
                secret: SECRETS[0],
            };
            let (count, differ) = comparison.differences(one, other);
            if at == 0 {
                write!(table, " {count:>5}").unwrap();
                assert!(count >= self.cases.len(), "{name} only {count} calls");
            }
            write!(table, " {:>9}", differ.is_empty()).unwrap();
            faults.extend(differ);
        }
        table.push('\n');
    }

    fn task<'a>(&'a self, target: &'a str, secret: &'a str) -> Task<'a> {
        Task {
            target,
            secret,
            cases: self.cases,
            further: &[],
        }
    }

    /// The results of the client with the server itself and with a recording gateway.
    fn record(&self) -> (Value, Value) {
        let origin = self.server.serve(SECRETS[0], self.folder);
        let direct = self.client.call(self.task(&origin.address, SECRETS[0]));
        let upstream = format!("h2c://{}", origin.address);
        let gateway = self.gateway("record", &["record", "--upstream", &upstream]);
        let recorded = self.client.call(self.task(target(&gateway), SECRETS[0]));
        drop(origin);
        let (said, status) = gateway.stop();
        assert!(status.success(), "{status}\n{said}");
        (direct, recorded)
    }

    /// The results of the client with a replay; it must use every recorded call once, without
    /// misses.
    fn replay(&self, name: &str, secret: &str, further: &[&str]) -> Value {
        let report = self.folder.join(format!("logs/{name}.json"));
        let arguments = ["replay", "--strict", "--report", report.to_str().unwrap()];
        let gateway = self.gateway(name, &arguments);
        let task = Task {
            further,
            ..self.task(target(&gateway), secret)
        };
        let seen = self.client.call(task);
        let (said, status) = gateway.stop();
        let verdict: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
        let one = &verdict["sessions"][0];
        assert!(
            status.success() && one["hits"] == one["exchanges"] && one["misses"] == 0,
            "{} {} {name}: {status}\n{said}\n{verdict:#}",
            self.server.name(),
            self.client.name()
        );
        seen
    }

    /// A client with other requests gets an error that describes the recorded ones.
    fn assert_misses(&self) {
        let gateway = self.gateway("miss", &["replay"]);
        let task = Task {
            cases: &["ping_pong", "unary_miss"],
            further: &["--wrong"],
            ..self.task(target(&gateway), SECRETS[1])
        };
        let seen = self.client.call(task);
        drop(gateway.stop());
        for (case, messages, path) in [
            ("ping_pong", 1, "/ouli.test.TestService/FullDuplexCall"),
            ("unary_miss", 0, "/ouli.test.TestService/UnaryCall"),
        ] {
            let call = &seen[case][0];
            let not_found = call["code"] == 5;
            let said = call["messages"].as_array().unwrap().len();
            let details = call["details"].as_str().unwrap();
            let told = details.contains("nearest 1") && details.contains(path);
            assert!(
                not_found && said == messages && told,
                "{case}: {said} messages, {}: {details}",
                call["code"]
            );
        }
    }

    fn gateway(&self, name: &str, arguments: &[&str]) -> Gateway {
        let log = self.folder.join(format!("logs/{name}.log"));
        Gateway::start(arguments, &self.folder.join("cassettes"), log)
    }
}

/// Host and port.
fn target(gateway: &Gateway) -> &str {
    let target = gateway.url.strip_prefix("http://");
    target.expect("the gateway has a URL")
}
