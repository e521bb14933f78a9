//! Smuggling: requests within requests, and bytes before an upgrade.

use super::corpus::{self, client, judge};
use super::harness::Harness;
use super::{Outcome, honest, none_wrong, origin, strict};

/// The number of rounds of the whole corpus.
const ROUNDS: usize = 5;

const LIMITS: &str = "request_header_timeout = \"1s\"\nidle_timeout = \"2s\"\nconnections = 4096";

pub(super) fn smuggling() -> Outcome {
    let inputs = corpus::all();
    let readings: Vec<_> = inputs
        .iter()
        .map(|one| corpus::strict::read(&one.bytes))
        .collect();
    let pairs: Vec<_> = inputs.iter().zip(&readings).collect();
    let origin = strict::start();
    let harness = Harness::passing(origin.address, LIMITS);
    let address = harness.address;
    let (measured, answers) = harness.under(|| {
        let rounds = (0..ROUNDS).map(|_| {
            client::each(&pairs, |(input, reading)| {
                client::send(address, &input.bytes, reading)
            })
        });
        rounds.collect::<Vec<_>>()
    });
    drop(harness.stop());
    let kept = origin.end();
    let mut faults = kept.wrong;
    for ((input, reading), at) in pairs.iter().zip(0..) {
        let mut seen = judge::of(input.id, &kept.requests);
        for answers in answers.iter().map(|round| &round[at]) {
            // The rounds are sequential, so their requests are in order.
            let requests = reading.requests.iter().zip(&answers.whole);
            let count = requests
                .filter(|(request, answer)| answer.marked && request.target != "*")
                .count();
            let own: Vec<_> = seen.drain(..count.min(seen.len())).collect();
            if let Err(fault) = judge::judge(reading, answers, &own, &own, false) {
                faults.push(format!("{}: {fault}", input.name));
            }
        }
        if !seen.is_empty() {
            faults.push(format!("{}: {seen:?} got no response", input.name));
        }
    }
    faults.truncate(3);
    let word = format!("{} requests, none smuggled", ROUNDS * inputs.len());
    (measured, none_wrong(word, &faults))
}

const UPGRADE: &str = "host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

pub(super) fn upgrades() -> Outcome {
    let harness = Harness::passing(origin::start(), "");
    let address = harness.address;
    let early = format!("GET /early HTTP/1.1\r\n{UPGRADE}\u{1}\u{2}early bytes of a tunnel");
    let asked = format!("GET /unasked HTTP/1.1\r\n{UPGRADE}");
    let plain = "GET /unasked HTTP/1.1\r\nhost: x\r\n\r\n".to_owned();
    let h2c = "GET /upgrade HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\n\
        upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n\
        PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let cases: [(&str, String, u16, &[u8]); 4] = [
        ("early bytes go up", early, 200, b"in time"),
        ("101 without `upgrade` is agreed to", asked, 502, b""),
        ("101 that nobody asked for passes", plain, 502, b""),
        ("h2c is passed on", h2c.to_owned(), 200, b""),
    ];
    let (measured, faults) = harness.under(|| {
        let mut faults = Vec::new();
        for _ in 0..25 {
            for (fault, request, status, body) in &cases {
                let answer = honest::ask(address, request.as_bytes());
                let is_right = answer
                    .as_ref()
                    .is_ok_and(|(got, _, sent)| got == status && (*status == 502 || sent == *body));
                if !is_right {
                    faults.push(format!("{fault}: {answer:?}"));
                }
            }
        }
        faults.truncate(3);
        faults
    });
    (
        measured,
        none_wrong("100 handshakes, nothing before 101".to_owned(), &faults),
    )
}
