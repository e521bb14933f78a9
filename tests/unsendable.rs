//! Cassettes with what no HTTP message can have, and with values at the ends of their ranges.

use std::fs;
use std::sync::Arc;

use crate::damage::recorded;
use crate::support::folder::Folder;
use crate::support::websocket::{Peer, TEXT, Way, close, frame, socket_origin};
use crate::support::{client, gateway, origin};

/// The start of the third exchange, whose target is `/text`.
const THIRD: &str = "{\n  \"exchange\": 3";

const STATUS: &str = "\"status\": 200";
const FIELDS: &str = "\"headers\": [";

/// The cassette with a change in the response of the third exchange.
fn changed(folder: &Folder, good: &str, (from, to): (&str, &str)) {
    let third = good.find(THIRD).unwrap();
    let response = third + good[third..].find("\"response\"").unwrap();
    let (before, rest) = good.split_at(response);
    assert!(rest.contains(from), "{from}");
    let text = format!("{before}{}", rest.replacen(from, to, 1));
    fs::write(folder.cassette("default"), text).unwrap();
}

fn fields(count: usize) -> String {
    let fields = (0..count).map(|number| format!("[\"x-{number}\", \"\"],\n"));
    format!("{FIELDS}{}", fields.collect::<String>())
}

#[test]
fn an_exchange_that_cannot_be_sent_is_damage_and_the_others_are_replayed() {
    let folder = recorded();
    let good = folder.text("default");
    let many = fields(40_000);
    let length = format!("{FIELDS}[\"content-length\", \"-1\"],");
    for (from, to, reason) in [
        (STATUS, "\"status\": 99", "expected a status"),
        (STATUS, "\"status\": 100", "expected a status"),
        (STATUS, "\"status\": 101", "the status 101 is only allowed"),
        (STATUS, "\"status\": 1000", "expected a status"),
        (FIELDS, &*many, "more than 16384 fields"),
        (FIELDS, &*length, "expected a number of bytes"),
    ] {
        changed(&folder, &good, (from, to));
        let gateway = gateway::replay(&folder).start();
        for client in [client::http1(&gateway), client::http2(&gateway)] {
            let answer = client.get("/text");
            assert_eq!((answer.status, answer.header("ouli-error")), (404, "miss"));
            assert_eq!(client.get("/pretty").status, 200, "{reason}");
        }
        let report = gateway.finish();
        assert!(!report.passed, "{reason}");
        let [damage] = &report.damage[..] else {
            panic!("{reason}: {:?}", report.damage);
        };
        assert!(damage.contains("in exchange 3: "), "{damage}");
        assert!(damage.contains(reason), "{damage}");
    }
}

/// Control frames of a WebSocket that no frame can hold (RFC 6455, section 5.5).
#[test]
fn a_control_frame_that_cannot_be_sent_is_damage() {
    let origin = socket_origin();
    let gateway = gateway::record(&origin::simple())
        .upstream(&origin.url())
        .start();
    let mut peer = Peer::open(gateway.address, &Way::Upgrade, "/closes");
    assert_eq!(peer.asks(frame(TEXT, "x")).code(), Some(4001));
    peer.send(close(4001, ""));
    drop(peer);
    let folder = Arc::clone(&gateway.folder);
    assert_eq!(gateway.finish().recorded, 1);
    let good = folder.text("default");
    let member = ",\n        ";
    let code = "\"server\": \"close\",\n        \"code\": 4001,\n        \"text\": \"go away\"";
    assert!(good.contains(code), "{good}");
    let text = |text: &str, size: usize| format!("\"text\": \"{}\"", text.repeat(size));
    let reason = |size| {
        format!(
            "\"server\": \"close\"{member}\"code\": 4001{member}{}",
            text("r", size)
        )
    };
    let ping = |size| format!("\"server\": \"ping\"{member}{}", text("p", size));
    let other = |code: u16| format!("\"server\": \"close\"{member}\"code\": {code}");
    for (to, reason) in [
        (reason(124), "at most 123 bytes"),
        (ping(126), "at most 125 bytes"),
        (reason(123), ""),
        (ping(125), ""),
        (other(2999), ""),
        // What a server sent against the rules is replayed.
        (other(1006), ""),
    ] {
        fs::write(folder.cassette("default"), good.replacen(code, &to, 1)).unwrap();
        let gateway = gateway::replay(&folder).start();
        let peer = Peer::ask(gateway.address, &Way::Upgrade, "/closes", &[]);
        assert_eq!(
            peer.status,
            if reason.is_empty() { 101 } else { 500 },
            "{to}"
        );
        drop(peer);
        let damage = gateway.finish().damage;
        assert_eq!(damage.is_empty(), reason.is_empty(), "{damage:?}");
        assert!(
            damage.iter().all(|line| line.contains(reason)),
            "{damage:?}"
        );
    }
}

#[test]
fn as_many_fields_as_a_cassette_may_have_are_sent() {
    let folder = recorded();
    let good = folder.text("default");
    changed(&folder, &good, (FIELDS, &fields(16_000)));
    let gateway = gateway::replay(&folder).start();
    let request = "GET /text HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = client::raw(gateway.address, request).rest();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:.200}");
    assert_eq!(answer.matches("\r\nx-").count(), 16_000);
    assert!(answer.ends_with("\r\n\r\n/text"));
}

/// Times, sizes, codes and names at the ends of their ranges are answered, each in time.
#[test]
fn values_at_the_ends_of_their_ranges_are_replayed() {
    let folder = recorded();
    let good = folder.text("default");
    let most = u64::MAX;
    let digest = "0".repeat(64);
    let body = "\"text\": \"/text\"";
    for (from, to, statuses) in [
        (STATUS, "\"status\": 999", [999, 999]),
        (STATUS, "\"status\": 204", [204, 204]),
        (STATUS, "\"status\": 304", [304, 304]),
        (
            STATUS,
            "\"status\": 200, \"reason\": \"\\u2028\\u202e\"",
            [200, 200],
        ),
        (
            FIELDS,
            &format!("{FIELDS}[\"content-length\", \"{most}\"], "),
            [200, 200],
        ),
        (
            FIELDS,
            &format!(
                "{FIELDS}[\"transfer-encoding\", \"gzip\"], [\"upgrade\", \"h2c\"], \
                 [\"connection\", \"x-a, close\"], "
            ),
            [200, 200],
        ),
        (
            body,
            &format!("\"file\": \"default.bodies/{digest}\", \"size\": {most}"),
            [500, 500],
        ),
    ] {
        changed(&folder, &good, (from, to));
        let gateway = gateway::replay(&folder).start();
        let clients = [client::http1(&gateway), client::http2(&gateway)];
        for (client, status) in clients.iter().zip(statuses) {
            assert_eq!(client.ask("HEAD", "/text").send().status, status, "{to}");
            assert_eq!(client.get("/text").status, status, "{to}");
        }
        assert!(gateway.finish().damage.is_empty(), "{to}");
    }
}
