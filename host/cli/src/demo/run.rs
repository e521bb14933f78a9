//! The demo: records a small origin of its own, stops it, replays everything, and swaps a plugin on
//! the way.
//!
//! It runs the gateway that everybody runs, over real sockets, and ends well only if all of it
//! held.

mod cases;
mod client;
mod conversations;
mod origin;
mod report;
mod streaming_origin;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use cases::Case;
use client::{Client, ClientResponse};
use conversations::Conversation;
use ouli_config::Override;
use ouli_message::error_chain::error_chain;
use ouli_proxy::gateway::{ConfigSource, Gateway, Options};
use report::Row;

/// The example plugin of `examples/rust/ignore-nonce`.
const IGNORE_NONCE: &[u8] = ouli_plugin::builtin::IGNORE_NONCE;

/// How long a swapped plugin may take to be in force. In a debug build compiling it takes most of
/// that.
const SWAP: Duration = Duration::from_secs(10);

type DemoError = String;

/// How often each rule took something out.
type RedactionCounts = std::collections::BTreeMap<String, u64>;

/// What the demo works with.
struct Demo {
    runtime: Runtime,
    folder: tempfile::TempDir,
    cache: Option<PathBuf>,
}

/// Runs the demo; every line for the user goes to `say`. Compiled plugins are kept in `cache`.
pub(crate) fn run(cache: Option<PathBuf>, say: &mut dyn FnMut(&str)) -> Result<(), DemoError> {
    let stage = Demo::new(cache)?;
    let cases = cases::all();
    say("1. record: a small origin behind the gateway: HTTP/1.1, HTTP/2, events, WebSockets, gRPC");
    let (recorded, talks, redactions) = stage.record(&cases)?;
    say("2. the origin is stopped; its secrets are looked for in every byte that was written");
    stage.check_no_secrets()?;
    say("3. replay without the network, by a client with other secrets");
    let gateway = stage.gateway("replay", None)?;
    let client = Client::for_gateway(&gateway)?;
    let mut rows = Vec::new();
    for (case, before) in cases.iter().zip(&recorded) {
        let after = stage
            .runtime
            .block_on(client.send(case, cases::OTHER_SECRET, 1))?;
        rows.push(Row::compare(case, before, &after));
    }
    let again = client.run_conversations(cases::OTHER_SECRET);
    let again = stage.runtime.block_on(again)?;
    let pairs = talks.iter().zip(&again);
    rows.extend(pairs.map(|(before, after)| Row::compare_conversation(before, after)));
    say("4. another nonce is a miss; a plugin dropped into the folder makes it a hit");
    stage.swap_plugin(&client, say)?;
    let verdict = gateway.stop();
    report::table(&rows, say);
    report::redactions(&redactions, say);
    let replayed = verdict
        .sessions
        .iter()
        .map(|session| session.hits)
        .sum::<u64>();
    say(&format!(
        "{replayed} answers came from the cassette, none from the network"
    ));
    match rows.iter().find_map(|row| row.difference.as_ref()) {
        Some(fault) => Err(fault.clone()),
        None => Ok(()),
    }
}

impl Demo {
    fn new(cache: Option<PathBuf>) -> Result<Self, DemoError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let folder = tempfile::tempdir().map_err(|error| error_chain(&error))?;
        std::fs::create_dir(folder.path().join("plugins")).map_err(|error| error_chain(&error))?;
        Ok(Self {
            runtime: runtime.map_err(|error| error_chain(&error))?,
            folder,
            cache,
        })
    }

    /// Two endpoints on free ports, one for each protocol, over the folder of the demo.
    fn gateway(&self, mode: &str, origin: Option<&origin::Origin>) -> Result<Gateway, DemoError> {
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
            config: ConfigSource::File(file),
            overrides: vec![Override::text("fsync", "close")],
            base_dir: self.path().to_owned(),
            compile_cache: self.cache.clone(),
            ca_folder: self.path().join("ca"),
            environment: |_| None,
            inherited_sockets: Vec::new(),
            workers: 1,
            watch: true,
            on_listening: Arc::new(|_| {}),
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
        let origin = self.runtime.block_on(origin::Origin::start())?;
        let gateway = self.gateway("record", Some(&origin))?;
        let client = Client::for_gateway(&gateway)?;
        let mut answers = Vec::new();
        for case in cases {
            let answer = self.runtime.block_on(client.send(case, cases::SECRET, 1))?;
            answers.push(answer);
        }
        let talks = self
            .runtime
            .block_on(client.run_conversations(cases::SECRET))?;
        let verdict = gateway.stop();
        origin.stop();
        let written: u64 = verdict.sessions.iter().map(|one| one.recorded).sum();
        let expected = cases.len() + talks.len();
        if written != expected as u64 || !verdict.passed {
            return Err(format!(
                "{written} of {expected} were recorded:\n{}",
                verdict.to_text()
            ));
        }
        let mut redactions = RedactionCounts::new();
        for (rule, count) in verdict.sessions.into_iter().flat_map(|one| one.redactions) {
            *redactions.entry(rule).or_default() += count;
        }
        Ok((answers, talks, redactions))
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
        let (one, two) = streaming_origin::split_secret(cases::SECRET);
        let traces = [cases::SECRET, one, two];
        let found = |text: &String| traces.iter().any(|trace| text.contains(trace));
        if written.iter().any(found) {
            return Err("a secret stands in a cassette".to_owned());
        }
        Ok(())
    }

    /// The same request with another nonce: a miss, until the plugin is there.
    fn swap_plugin(&self, client: &Client, say: &mut dyn FnMut(&str)) -> Result<(), DemoError> {
        let order = cases::order();
        let ask = || {
            self.runtime
                .block_on(client.send(&order, cases::OTHER_SECRET, 2))
        };
        let before = ask()?;
        if before.status.as_u16() != 404 || !before.has_header("ouli-error") {
            return Err(format!("another nonce was no miss but {}", before.status));
        }
        say("   without the plugin:");
        for line in before.problem() {
            say(&format!("     {line}"));
        }
        let started = Instant::now();
        let target = self.path().join("plugins/ignore_nonce.wasm");
        std::fs::write(target, IGNORE_NONCE).map_err(|error| error_chain(&error))?;
        let mut asked = 0_u32;
        while started.elapsed() < SWAP {
            asked += 1;
            match ask()?.status.as_u16() {
                201 => {
                    let took = started.elapsed().as_millis();
                    say(&format!(
                        "   with it: a hit, {took} ms after it was saved; \
                         {asked} requests meanwhile, none failed"
                    ));
                    return Ok(());
                }
                404 => std::thread::sleep(Duration::from_millis(5)),
                status => return Err(format!("a request during the swap got {status}")),
            }
        }
        Err(format!("the plugin was not in force after {SWAP:?}"))
    }
}
