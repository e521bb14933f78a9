//! Memory of an idle connection that has served a hundred requests and a large body in each
//! direction.
//!
//! Servers run in their own processes so that their memory is measured alone; clients and origin
//! run here.

mod bare;
mod client;
mod origin;

use std::time::{Duration, Instant};

use crate::streams::Proxy;
use crate::table::Table;

pub(crate) use bare::{BARE, run as bare};

/// The number of open connections at the end.
const CONNECTIONS: usize = 4000;
/// The number of them that are active at the same time.
const AT_WORK: usize = 16;
/// The number of requests on each, and the size of the body that follows in both directions.
const REQUESTS: usize = 100;
const LARGE: usize = 1 << 20;

/// The protocol of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speech {
    Http1,
    Http1Tls,
    Http2,
    WebSocket,
}

/// All kinds, their names, and the memory limit of a connection in bytes. The environment can
/// select those whose names start with a given text.
const KINDS: [(Speech, &str, f64); 4] = [
    (Speech::Http1, "HTTP/1.1", 10e3),
    (Speech::Http1Tls, "HTTP/1.1 on TLS", 24e3),
    (Speech::Http2, "HTTP/2", 16e3),
    (Speech::WebSocket, "WebSocket, both legs", 14e3),
];

pub(crate) fn bench(table: &mut Table) {
    println!(
        "\n{CONNECTIONS} connections, idle after {REQUESTS} requests and {LARGE} bytes both ways"
    );
    let origin = origin::start();
    let wanted = std::env::var("OULI_BENCH_CONNECTIONS").unwrap_or_default();
    for (speech, name, most) in KINDS {
        if !name.starts_with(&wanted) {
            continue;
        }
        let beside = measured(&Proxy::bare(speech == Speech::Http1Tls), speech);
        let passing = Proxy::passing(origin, speech == Speech::Http1Tls);
        row(
            table,
            ("passthrough", name, most),
            measured(&passing, speech),
            beside,
        );
        drop(passing);
        if speech == Speech::WebSocket {
            continue;
        }
        let recording = Proxy::gateway("record", origin);
        client::run(client::rehearse(&recording, Speech::Http1));
        let replaying = Proxy::replaying(recording.stop(), speech == Speech::Http1Tls);
        row(
            table,
            ("replay", name, most),
            measured(&replaying, speech),
            beside,
        );
    }
}

fn row(table: &mut Table, (mode, name, most): (&str, &str, f64), own: f64, beside: f64) {
    let shown = |bytes: f64| format!("{:.1} KB", bytes / 1e3);
    let what = format!("{mode}, idle {name} (at most {})", shown(most));
    println!("{what}: {}", shown(own));
    table.row(&what, shown(own), "bare hyper", shown(beside), own / beside);
}

/// The growth of memory for each connection when all are idle.
fn measured(proxy: &Proxy, speech: Speech) -> f64 {
    client::run(async {
        // Allocations that all connections share happen before the measurement.
        client::rehearse(proxy, speech).await;
        settled(proxy).await;
        let before = proxy.memory();
        let open = client::crowd(proxy, speech).await;
        settled(proxy).await;
        let each = (proxy.memory() - before) / CONNECTIONS as f64;
        assert_eq!(open.len(), CONNECTIONS);
        each
    })
}

/// Waits until memory has not shrunk for four seconds, at most half a minute.
async fn settled(proxy: &Proxy) {
    let start = Instant::now();
    let mut least = (proxy.memory(), start);
    while least.1.elapsed() < Duration::from_secs(4) && start.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let memory = proxy.memory();
        if memory < least.0 * 0.999 {
            least = (memory, Instant::now());
        }
    }
}
