//! `plugin bench`: how long a plugin takes on recorded traffic, role by role.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::output::say;
use crate::{EXIT_OK, usage_error};
use ouli_cassette::{CassetteDir, ChangePolicy};
use ouli_codec::MessageView;
use ouli_config::Limits;
use ouli_message::Exchange;
use ouli_plugin::{GuestCall, Plugin};
use ouli_redaction::{RedactedMessage, Secrets};

/// How long each role is asked.
const TIME_PER_ROLE: Duration = Duration::from_secs(1);

/// The most calls that are kept for the percentiles of one role.
const CALLS: usize = 1_000_000;

/// Asks on every exchange of a cassette, again and again.
pub(super) fn bench(file: &Path, cassette: &Path, fresh: bool) -> u8 {
    let limits = Limits::default();
    let plugin = super::source(file, "{}", &limits).and_then(|mut source| {
        source.fresh_instances = fresh;
        super::load(&source)
    });
    let read =
        plugin.and_then(|plugin| Ok((plugin, pairs(cassette, limits.cassette_size as u64)?)));
    let (plugin, pairs) = match read {
        Ok(read) => read,
        Err(reason) => return usage_error(&reason),
    };
    say!(
        "{} on {} exchanges of {}",
        plugin.name(),
        pairs.len(),
        cassette.display()
    );
    say!(
        "{:<18} {:>8} {:>9} {:>9} {:>9} {:>9}  crossings",
        "role",
        "calls",
        "p50",
        "p90",
        "p99",
        "most"
    );
    let roles = plugin.roles();
    for role in &roles {
        match role.is_called {
            true => row(&plugin, role.name, &pairs),
            false => say!("{:<18} declares only: it costs no call", role.name),
        }
    }
    let used = plugin.usage();
    say!(
        "memory: {} KiB in a copy; copies started: {}; failures: {}",
        used.peak_memory >> 10,
        used.instances_started,
        used.failures
    );
    EXIT_OK
}

type MessagePair = (Arc<dyn MessageView>, Arc<dyn MessageView>);

fn row(plugin: &Plugin, role: &'static str, pairs: &[MessagePair]) {
    let before = plugin.usage();
    let mut times = Vec::new();
    let secrets = Arc::new(Secrets::default());
    let start = Instant::now();
    'all: loop {
        for (request, response) in pairs {
            let questions: &[GuestCall<'_>] = match role {
                "matcher" => &[GuestCall::Identify(request)],
                "redactor" => &[GuestCall::Redact(request), GuestCall::Redact(response)],
                _ => &[GuestCall::Decide(request, Some(response))],
            };
            for question in questions {
                let begin = Instant::now();
                // What fails is counted by the plugin itself.
                let _ = plugin.call_and_discard(question, &secrets);
                times.push(begin.elapsed());
            }
            if start.elapsed() >= TIME_PER_ROLE || times.len() >= CALLS {
                break 'all;
            }
        }
    }
    times.sort_unstable();
    let at = |share: usize| shown(times[(times.len() - 1) * share / 1000]);
    let after = plugin.usage();
    let calls = (after.calls - before.calls).max(1);
    let crossings = (after.host_calls - before.host_calls) as f64 / calls as f64;
    say!(
        "{role:<18} {:>8} {:>9} {:>9} {:>9} {:>9}  {crossings:.1} a call",
        times.len(),
        at(500),
        at(900),
        at(990),
        at(1000)
    );
}

fn shown(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    if micros < 1000.0 {
        format!("{micros:.2} us")
    } else {
        format!("{:.2} ms", micros / 1000.0)
    }
}

/// The exchanges of a cassette file as plugins see them.
fn pairs(file: &Path, most: u64) -> Result<Vec<MessagePair>, String> {
    let unreadable = |reason: &str| {
        format!(
            "{}: {reason}; give a cassette, as `cassettes/default.jsons`",
            file.display()
        )
    };
    let name = file.file_name().and_then(|name| name.to_str());
    let session = name.and_then(|name| name.strip_suffix(".jsons"));
    let session = session.ok_or_else(|| unreadable("it is no cassette"))?;
    let parent = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    if !file.is_file() {
        return Err(unreadable("there is no such file"));
    }
    let folder = CassetteDir::open(parent, most).map_err(|error| unreadable(&error.to_string()))?;
    let loaded = folder.load(session, ChangePolicy::Mark);
    let loaded = loaded.map_err(|error| unreadable(&error.to_string()))?;
    let recorded = loaded.map(|loaded| loaded.exchanges).unwrap_or_default();
    if recorded.is_empty() {
        return Err(unreadable("it has no exchange"));
    }
    let whole = recorded.into_iter().map(|one| {
        let mut exchange = one.exchange;
        let read = folder.read_bodies(session, &mut exchange);
        read.map_err(|error| unreadable(&error.to_string()))?;
        Ok(pair(exchange, session))
    });
    whole.collect()
}

fn pair(exchange: Exchange, session: &str) -> MessagePair {
    let (endpoint, session): (Arc<str>, Arc<str>) = (exchange.endpoint.into(), session.into());
    let (request, response) = (Arc::new(exchange.request), Arc::new(exchange.response));
    let asked = RedactedMessage::request(
        Arc::clone(&endpoint),
        Arc::clone(&session),
        Arc::clone(&request),
    );
    let answered = RedactedMessage::response(endpoint, session, request, response);
    (Arc::new(asked), Arc::new(answered))
}
