//! Targets that no request may reach: other hosts than the upstream, and the status page.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::harness::Harness;
use super::{Outcome, honest, none_wrong, origin};

/// The duration of the attack.
const LONG: Duration = Duration::from_secs(3);

pub(super) fn open_proxy() -> Outcome {
    let harness = Harness::passing(origin::start(), "");
    let (bird, came) = canary();
    let requests = ways_to(bird);
    let (measured, tried) = harness.under(|| {
        let begin = Instant::now();
        let mut tried = 0;
        while begin.elapsed() < LONG {
            for request in &requests {
                // A refusal and a response of the configured upstream are both correct.
                let _ = honest::ask(harness.address, request.as_bytes());
                tried += 1;
            }
        }
        tried
    });
    let reached = came.load(Ordering::Relaxed);
    let told = if reached == 0 {
        Ok(format!("{tried} tries, no other host got a request"))
    } else {
        Err(format!("another host got {reached} requests"))
    };
    (measured, told)
}

/// A host that must not get a connection, and the number of its connections.
fn canary() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let came = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&came);
    std::thread::spawn(move || {
        for _ in listener.incoming() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    (address, came)
}

fn ways_to(bird: SocketAddr) -> Vec<String> {
    let port = bird.port();
    let hosts = [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "[::ffff:127.0.0.1]",
    ];
    let mut ways = Vec::new();
    for host in hosts {
        let at = format!("{host}:{port}");
        let close = "connection: close\r\n\r\n";
        ways.extend([
            format!("GET http://{at}/x HTTP/1.1\r\nhost: {at}\r\n{close}"),
            format!("GET http://{at}/x HTTP/1.1\r\nhost: 127.0.0.1\r\n{close}"),
            format!("GET http://a@{at}/x HTTP/1.1\r\nhost: {at}\r\n{close}"),
            format!("CONNECT {at} HTTP/1.1\r\nhost: {at}\r\n{close}"),
            format!("GET /x HTTP/1.1\r\nhost: {at}\r\n{close}"),
            format!("GET //{at}/x HTTP/1.1\r\nhost: x\r\n{close}"),
            format!("GET /x HTTP/1.1\r\nhost: x\r\nx-forwarded-host: {at}\r\n{close}"),
            format!("GET @{at}/x HTTP/1.1\r\nhost: x\r\n{close}"),
        ]);
    }
    ways
}

pub(super) fn page() -> Outcome {
    let harness = Harness::passing(origin::start(), "");
    let page = "/__ouli/plugins";
    let ask = |target: &str, fields: &str| {
        let request = format!("GET {target} HTTP/1.1\r\n{fields}connection: close\r\n\r\n");
        let answer = honest::ask(harness.address, request.as_bytes());
        answer.is_ok_and(|(_, head, _)| head.contains("application/json\r\n"))
    };
    let foreign = [
        "host: evil.example\r\n",
        "host: localhost.evil.example\r\n",
        "host: 127.0.0.1.evil.example\r\n",
        "host: evil.example\r\nx-forwarded-host: 127.0.0.1\r\n",
        "host: 127.0.0.1\r\norigin: http://evil.example\r\n",
        "host: 127.0.0.1\r\nsec-fetch-site: cross-site\r\n",
        "host: 127.0.0.1\r\nhost: evil.example\r\n",
        "host:\r\n",
    ];
    let (measured, faults) = harness.under(|| {
        let mut faults = Vec::new();
        if !ask(page, "host: 127.0.0.1\r\n") {
            faults.push("an allowed request does not get the page".to_owned());
        }
        let begin = Instant::now();
        while begin.elapsed() < LONG {
            for fields in foreign {
                if ask(page, fields) {
                    faults.push(format!("{fields:?} gets the page"));
                }
            }
        }
        faults.sort();
        faults.dedup();
        faults
    });
    (
        measured,
        none_wrong("shown to this machine alone".to_owned(), &faults),
    )
}
