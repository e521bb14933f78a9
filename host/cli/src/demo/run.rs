//! Runs the demo: the gateway of production over real sockets. It succeeds only if every step does.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tracing_subscriber::filter::LevelFilter;

use super::cases::{self, Case};
use super::client::{Client, ClientResponse};
use super::conversation::Conversation;
use super::origin::Origin;
use super::report::{self, Row};
use super::streaming_origin;
use crate::exit_status::{EXIT_FAILED, EXIT_OK};
use crate::output::{errln, outln};
use crate::{environment, telemetry};
use ouli_config::{LogFormat, Override};
use ouli_message::error_chain::error_chain;
use ouli_plugin::CompileOptions;
use ouli_proxy::gateway::{ConfigSource, Gateway, Options};

/// The example plugin of `examples/rust/ignore-nonce`.
const IGNORE_NONCE: &[u8] = ouli_plugin::builtin::IGNORE_NONCE;

/// The time limit for a new plugin to be in force. In a debug build most of it is compile time.
const SWAP_TIMEOUT: Duration = Duration::from_secs(10);

type DemoError = String;

/// The number of redactions, by rule.
type RedactionCounts = std::collections::BTreeMap<String, u64>;

/// The environment of the demo.
struct Demo {
    runtime: Runtime,
    folder: tempfile::TempDir,
    compile: CompileOptions,
}

/// Runs the demo and prints its steps; returns the exit status.
pub(in super::super) fn demo() -> u8 {
    // The misses of the demo are expected: no warnings.
    telemetry::init_with_level(LevelFilter::ERROR, LogFormat::Text);
    match run(environment::compile_options(), &mut |line| outln!("{line}")) {
        Ok(()) => EXIT_OK,
        Err(reason) => {
            errln!("the demo failed: {reason}");
            EXIT_FAILED
        }
    }
}

/// Runs the demo. `print` takes the lines for the user.
fn run(compile: CompileOptions, print: &mut dyn FnMut(&str)) -> Result<(), DemoError> {
    let demo = Demo::new(compile)?;
    let cases = cases::all();
    print("1. record a built-in server: HTTP/1.1, HTTP/2, server-sent events, WebSocket, gRPC");
    let (recorded, conversations, redactions) = demo.record(&cases)?;
    print("2. stop the server; search the cassettes for its secrets");
    demo.check_no_secrets()?;
    print("3. replay without the server; the client sends other secrets");
    let gateway = demo.gateway("replay", None)?;
    let client = Client::for_gateway(&gateway)?;
    let mut rows = Vec::new();
    for (case, recorded) in cases.iter().zip(&recorded) {
        let replayed = client.send(case, cases::OTHER_SECRET, 1);
        let replayed = demo.runtime.block_on(replayed)?;
        rows.push(Row::compare(case, recorded, &replayed));
    }
    let replayed = client.run_conversations(cases::OTHER_SECRET);
    let replayed = demo.runtime.block_on(replayed)?;
    let pairs = conversations.iter().zip(&replayed);
    rows.extend(pairs.map(|(recorded, replayed)| Row::compare_conversation(recorded, replayed)));
    print("4. a new nonce is a miss; add a plugin to the plugin folder, and it is a hit");
    demo.swap_plugin(&client, print)?;
    let verdict = gateway.stop();
    report::table(&rows, print);
    report::redactions(&redactions, print);
    let hits: u64 = verdict.sessions.iter().map(|session| session.hits).sum();
    print(&format!(
        "{hits} responses from cassettes, none from the network"
    ));
    match rows.iter().find_map(|row| row.difference.as_ref()) {
        Some(difference) => Err(difference.clone()),
        None => Ok(()),
    }
}

impl Demo {
    fn new(compile: CompileOptions) -> Result<Self, DemoError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let folder = tempfile::tempdir().map_err(|error| error_chain(&error))?;
        std::fs::create_dir(folder.path().join("plugins")).map_err(|error| error_chain(&error))?;
        Ok(Self {
            runtime: runtime.map_err(|error| error_chain(&error))?,
            folder,
            compile,
        })
    }

    /// A gateway in the folder of the demo, with an endpoint on a free port for each protocol.
    fn gateway(&self, mode: &str, origin: Option<&Origin>) -> Result<Gateway, DemoError> {
        let mut text = format!(
            "mode = \"{mode}\"\nplugins = \"plugins\"\nreport = \"report.json\"\n\
             [redaction]\nenv = []\n"
        );
        for (name, scheme) in [("http1", "http"), ("http2", "h2c")] {
            let upstream = origin.map_or_else(String::new, |origin| {
                format!("upstream = \"{scheme}://{}\"\n", origin.address)
            });
            text += &format!(
                "[[endpoint]]\nname = \"{name}\"\nlisten = \"127.0.0.1:0\"\n\
                 session = \"demo-{name}\"\n{upstream}"
            );
        }
        let file = self.path().join("ouli.toml");
        std::fs::write(&file, text).map_err(|error| error_chain(&error))?;
        let options = Options {
            overrides: vec![Override::text("fsync", "close")],
            compile: self.compile.clone(),
            workers: 1,
            watch: true,
            ..Options::new(ConfigSource::File(file), self.path())
        };
        Gateway::start(options).map_err(|error| error.to_string())
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn record(
        &self,
        cases: &[Case],
    ) -> Result<(Vec<ClientResponse>, Vec<Conversation>, RedactionCounts), DemoError> {
        let origin = {
            let _entered = self.runtime.enter();
            Origin::start()?
        };
        let gateway = self.gateway("record", Some(&origin))?;
        let client = Client::for_gateway(&gateway)?;
        let mut responses = Vec::new();
        for case in cases {
            let response = self.runtime.block_on(client.send(case, cases::SECRET, 1))?;
            responses.push(response);
        }
        let conversations = self
            .runtime
            .block_on(client.run_conversations(cases::SECRET))?;
        let verdict = gateway.stop();
        origin.stop();
        let written: u64 = verdict.sessions.iter().map(|one| one.recorded).sum();
        let expected = cases.len() + conversations.len();
        if written != expected as u64 || !verdict.passed {
            return Err(format!(
                "{written} of {expected} exchanges were recorded:\n{}",
                verdict.to_text()
            ));
        }
        let mut redactions = RedactionCounts::new();
        for (rule, count) in verdict.sessions.into_iter().flat_map(|one| one.redactions) {
            *redactions.entry(rule).or_default() += count;
        }
        Ok((responses, conversations, redactions))
    }

    fn written_files(&self) -> Vec<String> {
        let Ok(files) = self.path().join("cassettes").read_dir() else {
            return Vec::new();
        };
        let files = files.filter_map(Result::ok);
        files
            .filter_map(|file| std::fs::read(file.path()).ok())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect()
    }

    fn check_no_secrets(&self) -> Result<(), DemoError> {
        let written = self.written_files();
        if written.is_empty() {
            return Err("no cassette was written".to_owned());
        }
        let (first, second) = streaming_origin::split_secret(cases::SECRET);
        let secrets = [cases::SECRET, first, second];
        let has_secret = |text: &String| secrets.iter().any(|secret| text.contains(secret));
        if written.iter().any(has_secret) {
            return Err("a cassette contains a secret".to_owned());
        }
        Ok(())
    }

    /// Sends a recorded request with another nonce: a miss until the plugin is in force.
    fn swap_plugin(&self, client: &Client, print: &mut dyn FnMut(&str)) -> Result<(), DemoError> {
        let order = cases::order();
        let send = || {
            self.runtime
                .block_on(client.send(&order, cases::OTHER_SECRET, 2))
        };
        let before = send()?;
        if before.status.as_u16() != 404 || !before.has_header("ouli-error") {
            return Err(format!(
                "a new nonce is not a miss: status {}",
                before.status
            ));
        }
        print("   without the plugin:");
        for line in before.problem() {
            print(&format!("     {line}"));
        }
        let started = Instant::now();
        let target = self.path().join("plugins/ignore_nonce.wasm");
        std::fs::write(target, IGNORE_NONCE).map_err(|error| error_chain(&error))?;
        let mut requests = 0_u32;
        while started.elapsed() < SWAP_TIMEOUT {
            requests += 1;
            match send()?.status.as_u16() {
                201 => {
                    let elapsed = started.elapsed().as_millis();
                    print(&format!(
                        "   with the plugin: a hit after {elapsed} ms; {requests} requests \
                         meanwhile, none failed"
                    ));
                    return Ok(());
                }
                404 => std::thread::sleep(Duration::from_millis(5)),
                status => return Err(format!("a request during the reload got status {status}")),
            }
        }
        Err(format!(
            "the plugin was not in force after {SWAP_TIMEOUT:?}"
        ))
    }
}
