//! Attacks by size and number on one gateway that records, replays, records what is new, and
//! forwards. After each, the gateway is stopped; at last all come at once.

/// Large bodies, recorded, replayed and missed.
mod bodies;
/// Configuration files that are no configuration.
mod configuration;
/// Many connections, streams, sessions and names.
mod connections;
/// Secrets in great number.
mod secrets;
/// Events and WebSocket frames in great number.
mod streams;
/// All at once.
mod together;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::harness::{Harness, yielding};
use super::{Outcome, none_wrong, origin};

pub(super) use bodies::zeros;
pub(super) use together::{all, rush, shared};

/// An attack. It returns what is wrong.
pub(super) struct Attack {
    pub(super) name: &'static str,
    /// The limit of memory growth in MiB.
    pub(super) most: u64,
    run: fn(&Harness) -> Vec<String>,
    /// Writes the cassette that is replayed.
    cassette: Option<fn(&Path)>,
    /// Looks at the folder of the gateway after its stop.
    stopped: Option<fn(&Path) -> Vec<String>>,
}

impl Attack {
    /// Runs the attack; what is wrong is of no interest.
    pub(super) fn run(&self, harness: &Harness) {
        (self.run)(harness);
    }

    const fn new(name: &'static str, most: u64, run: fn(&Harness) -> Vec<String>) -> Self {
        Self {
            name,
            most,
            run,
            cassette: None,
            stopped: None,
        }
    }

    /// The same with a cassette that is replayed.
    const fn with(mut self, write: fn(&Path)) -> Self {
        self.cassette = Some(write);
        self
    }

    /// The same with a look at the folder at the end.
    const fn then(mut self, look: fn(&Path) -> Vec<String>) -> Self {
        self.stopped = Some(look);
        self
    }
}

/// The attacks, in the order of their numbers.
pub(super) static ATTACKS: [Attack; 31] = [
    Attack::new("50 MB of zeros, recorded", 500, bodies::record_zeros),
    Attack::new("50 MB of zeros, replayed", 500, bodies::replay_zeros).with(bodies::write_zeros),
    Attack::new("three of 50 MB at once", 500, bodies::record_three),
    Attack::new("miss beside ten of 10 MB", 500, bodies::miss).with(bodies::write_requests),
    Attack::new("66,000 members, recorded", 300, secrets::members).then(secrets::last_is_recorded),
    Attack::new("70,000 tokens in auto", 300, secrets::fresh),
    Attack::new("tokens that share a start", 300, secrets::sharing),
    Attack::new("2,000 session names", 128, connections::sessions),
    Attack::new("slow gRPC, HTTP/1.1", 64, connections::slow_calls),
    Attack::new("slow gRPC, HTTP/2", 64, connections::slow_streams),
    Attack::new("40,000 WebSocket pings", 96, streams::pings),
    Attack::new("20 MB of line ends", 400, streams::line_ends),
    Attack::new("large bodies in auto", 400, bodies::auto),
    Attack::new("odd configuration files", 96, configuration::odd),
    // Further ones of the same kinds.
    Attack::new("chunks of one byte, sent", 96, streams::chunks_sent),
    Attack::new("chunks of one byte, read", 200, streams::chunks_read),
    Attack::new("20,000 parts of a form", 200, bodies::parts),
    Attack::new("200,000 form fields", 200, bodies::form),
    Attack::new("nested arrays and quotes", 300, bodies::nested),
    Attack::new("twenty codings", 96, bodies::codings),
    Attack::new("64 readers that stop", 500, bodies::stopped_readers).with(bodies::write_zeros),
    Attack::new("300 uploads cut off", 200, bodies::cut_off),
    Attack::new("a WebSocket text of 15 MB", 400, streams::long_text),
    Attack::new("2,000 misses", 96, connections::misses).with(bodies::write_small),
    Attack::new("5,000 marks", 64, connections::marks),
    Attack::new("a cassette replaced 10 times", 500, bodies::replaced).with(bodies::write_requests),
    Attack::new("cookies and fields", 96, connections::fields),
    Attack::new("empty events, opened and left", 128, streams::left),
    Attack::new("one key, 500 responses", 128, connections::same_key),
    Attack::new("requests after each other", 64, connections::pipelined),
    Attack::new("a name that is not resolved", 128, connections::unresolved),
];

/// How long the gateway may take for a stop.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// What a stop may take longer.
const LATE: Duration = Duration::from_secs(1);

/// The session of the endpoint that replays.
const REPLAYED: &str = "cassettes/replayed.jsons";

/// A configuration with an endpoint for each mode. The first is the one of the well-behaved client.
pub(super) fn configuration(limits: &str) -> String {
    let honest = origin::start();
    // The attacked servers are other machines, as the attackers are.
    let attacked = yielding(origin::start);
    let endpoint = |(mode, session, origin): (&str, &str, SocketAddr)| {
        format!(
            "[[endpoint]]\nname = \"{mode}\"\nmode = \"{mode}\"\nsession = \"{session}\"\n\
             listen = \"127.0.0.1:0\"\nupstream = \"http://{origin}\"\n"
        )
    };
    let endpoints = [
        ("passthrough", "none", honest),
        ("record", "recorded", attacked),
        ("auto", "auto", attacked),
        ("replay", "replayed", attacked),
    ];
    let endpoints = endpoints.map(endpoint).concat();
    let grace = GRACE.as_secs();
    format!("[limits]\nshutdown_timeout = \"{grace}s\"\n{limits}\n{endpoints}")
}

/// A folder with the cassette that is replayed.
pub(super) fn folder(write: Option<fn(&Path)>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("cassettes")).unwrap();
    let write = write.unwrap_or(bodies::write_small);
    write(&folder.path().join(REPLAYED));
    folder
}

/// Runs one attack on a gateway of its own.
pub(super) fn run(attack: &Attack) -> Outcome {
    let harness = if attack.name == "a name that is not resolved" {
        connections::unresolving()
    } else {
        Harness::configured(&configuration(""), folder(attack.cassette))
    };
    let (mut measured, mut faults) = harness.under(|| (attack.run)(&harness));
    let after = harness.settled();
    // What is recorded is worked on after the attack, too.
    let later = harness.peak().saturating_sub(measured.peak);
    (measured.peak, measured.grown) = (measured.peak + later, measured.grown + later);
    let (stopped, folder) = stop(harness);
    faults.extend(stopped);
    if let Some(look) = attack.stopped {
        faults.extend(look(folder.path()));
    }
    faults.truncate(3);
    let word = format!(
        "peak {} MiB, {} MiB after",
        measured.peak >> 20,
        after >> 20
    );
    (measured, none_wrong(word, &faults))
}

/// Stops the gateway; a fault if that takes too long.
pub(super) fn stop(harness: Harness) -> (Option<String>, tempfile::TempDir) {
    let begin = Instant::now();
    let (_, folder) = harness.stop();
    let took = begin.elapsed();
    let fault = (took > GRACE + LATE).then(|| format!("the stop took {:.1} s", took.as_secs_f64()));
    (fault, folder)
}
