//! `plugin bench`: measures the calls of a plugin on recorded traffic, by role.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::load;
use crate::exit_status::{EXIT_OK, usage_error};
use crate::output::outln;
use ouli_cassette::{CassetteDir, ChangePolicy};
use ouli_codec::MessageView;
use ouli_config::Limits;
use ouli_message::Exchange;
use ouli_plugin::{GuestCall, Plugin};
use ouli_redaction::{RedactedMessage, Secrets};

/// How long each role is measured.
const TIME_PER_ROLE: Duration = Duration::from_secs(1);

/// The maximum number of calls measured for one role.
const MAX_CALLS: usize = 1_000_000;

/// Calls the plugin with the exchanges of a cassette, again and again.
pub(super) fn bench(file: &Path, cassette: &Path, fresh: bool) -> u8 {
    let limits = Limits::default();
    let plugin = load::source(file, "{}", &limits).and_then(|mut source| {
        source.fresh_instances = fresh;
        load::load(&source)
    });
    let loaded = plugin.and_then(|plugin| {
        let pairs = read_pairs(cassette, limits.cassette_size as u64)?;
        Ok((plugin, pairs))
    });
    let (plugin, pairs) = match loaded {
        Ok(loaded) => loaded,
        Err(reason) => return usage_error(&reason),
    };
    outln!(
        "{} on {} exchanges of {}",
        plugin.name(),
        pairs.len(),
        cassette.display()
    );
    outln!(
        "{:<18} {:>8} {:>9} {:>9} {:>9} {:>9}  host calls",
        "role",
        "calls",
        "p50",
        "p90",
        "p99",
        "max"
    );
    let roles = plugin.roles();
    for role in &roles {
        match role.is_called {
            true => measure(&plugin, role.name, &pairs),
            false => outln!("{:<18} declares rules only, is never called", role.name),
        }
    }
    let usage = plugin.usage();
    outln!(
        "memory: {} KiB per instance; instances started: {}; failures: {}",
        usage.peak_memory >> 10,
        usage.instances_started,
        usage.failures
    );
    EXIT_OK
}

/// The request and the response of an exchange.
type MessagePair = (Arc<dyn MessageView>, Arc<dyn MessageView>);

fn measure(plugin: &Plugin, role: &'static str, pairs: &[MessagePair]) {
    let before = plugin.usage();
    let mut times = Vec::new();
    let secrets = Arc::new(Secrets::default());
    let start = Instant::now();
    'all: loop {
        for (request, response) in pairs {
            let calls: &[GuestCall<'_>] = match role {
                "matcher" => &[GuestCall::Identify(request)],
                "redactor" => &[GuestCall::Redact(request), GuestCall::Redact(response)],
                _ => &[GuestCall::Decide(request, Some(response))],
            };
            for call in calls {
                let begin = Instant::now();
                // The plugin counts its failures.
                let _ = plugin.call_and_discard(call, &secrets);
                times.push(begin.elapsed());
            }
            if start.elapsed() >= TIME_PER_ROLE || times.len() >= MAX_CALLS {
                break 'all;
            }
        }
    }
    times.sort_unstable();
    let percentile = |permille: usize| format_time(times[(times.len() - 1) * permille / 1000]);
    let after = plugin.usage();
    let calls = (after.calls - before.calls).max(1);
    let host_calls = (after.host_calls - before.host_calls) as f64 / calls as f64;
    outln!(
        "{role:<18} {:>8} {:>9} {:>9} {:>9} {:>9}  {host_calls:.1} per call",
        times.len(),
        percentile(500),
        percentile(900),
        percentile(990),
        percentile(1000)
    );
}

fn format_time(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    if micros < 1000.0 {
        format!("{micros:.2} us")
    } else {
        format!("{:.2} ms", micros / 1000.0)
    }
}

/// The exchanges of a cassette file, as plugins see them.
fn read_pairs(file: &Path, max_size: u64) -> Result<Vec<MessagePair>, String> {
    let unreadable = |reason: &str| {
        format!(
            "{}: {reason}; name a cassette, such as `cassettes/default.jsons`",
            file.display()
        )
    };
    let name = file.file_name().and_then(|name| name.to_str());
    let session = name.and_then(|name| name.strip_suffix(".jsons"));
    let session = session.ok_or_else(|| unreadable("not a cassette"))?;
    let parent = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    if !file.is_file() {
        return Err(unreadable("no such file"));
    }
    let folder =
        CassetteDir::open(parent, max_size).map_err(|error| unreadable(&error.to_string()))?;
    let loaded = folder.load(session, ChangePolicy::Mark);
    let loaded = loaded.map_err(|error| unreadable(&error.to_string()))?;
    let recorded = loaded.map(|loaded| loaded.exchanges).unwrap_or_default();
    if recorded.is_empty() {
        return Err(unreadable("the cassette is empty"));
    }
    let pairs = recorded.into_iter().map(|one| {
        let mut exchange = one.exchange;
        let bodies = folder.read_bodies(session, &mut exchange);
        bodies.map_err(|error| unreadable(&error.to_string()))?;
        Ok(pair(exchange, session))
    });
    pairs.collect()
}

fn pair(exchange: Exchange, session: &str) -> MessagePair {
    let (endpoint, session): (Arc<str>, Arc<str>) = (exchange.endpoint.into(), session.into());
    let (request, response) = (Arc::new(exchange.request), Arc::new(exchange.response));
    let request_view = RedactedMessage::request(
        Arc::clone(&endpoint),
        Arc::clone(&session),
        Arc::clone(&request),
    );
    let response_view = RedactedMessage::response(endpoint, session, request, response);
    (Arc::new(request_view), Arc::new(response_view))
}
