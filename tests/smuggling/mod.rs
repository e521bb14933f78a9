//! Request smuggling: an ambiguous request is rejected, or is one request upstream and in the
//! recording.

mod corpus;
mod origin;
mod responses;
mod upgrades;

use corpus::client::{self, Answers};
use corpus::judge::{self, Verdict};
use corpus::strict::{self, End, Reading};
use corpus::{Input, downgrade, frames, owner};
use origin::Kept;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::folder::Folder;
use crate::support::gateway;

/// Short timeouts, because inputs may leave connections open.
const LIMITS: &str = "[limits]\nrequest_header_timeout = \"500ms\"\nidle_timeout = \"500ms\"";

/// The minimum number of inputs in the corpus.
const LEAST: usize = 700;

#[test]
fn one_request_is_one_request_upstream_and_in_the_recording() {
    let inputs = corpus::all();
    assert!(inputs.len() >= LEAST, "{} inputs", inputs.len());
    let readings: Vec<_> = inputs
        .iter()
        .map(|input| strict::read(&input.bytes))
        .collect();
    let origin = origin::start();
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record")
        .upstream(&format!("http://{}", origin.address))
        .section(LIMITS)
        .start();
    let pairs: Vec<_> = inputs.iter().zip(&readings).collect();
    let answers = client::each(&pairs, |(input, reading)| {
        client::send(gateway.address, &input.bytes, reading)
    });
    gateway.stop();
    let kept = origin.end();
    let recorded = judge::recorded(&folder.text("default"));
    let mut faults = general(&kept, &recorded);
    let mut counts = BTreeMap::<_, usize>::new();
    for ((input, reading), answers) in pairs.iter().zip(&answers) {
        match verdict(input, reading, answers, &kept, &recorded) {
            Ok(verdict) => {
                *counts
                    .entry((input.kind, format!("{verdict:?}")))
                    .or_default() += 1
            }
            Err(fault) => faults.push(told(input, reading, &fault)),
        }
    }
    let shown = faults.join("\n");
    assert!(
        faults.is_empty(),
        "{} of {} inputs:\n{shown}\n{counts:#?}",
        faults.len(),
        inputs.len()
    );
}

fn verdict(
    input: &Input,
    reading: &Reading,
    answers: &Answers,
    kept: &Kept,
    recorded: &[judge::Seen],
) -> Result<Verdict, String> {
    let (seen, recorded) = (
        judge::of(input.id, &kept.requests),
        judge::of(input.id, recorded),
    );
    let cut = judge::of(input.id, &kept.cut);
    match (&cut[..], reading.end, &reading.begun) {
        ([], ..) => {}
        ([cut], End::InBody | End::BadBody(_), Some(begun))
            if begun.target == cut.target && begun.body.starts_with(&cut.body) => {}
        _ => return Err(format!("the origin received a part of {cut:?}")),
    }
    judge::judge(reading, answers, &seen, &recorded, false)
}

/// Faults that do not belong to an input.
fn general(kept: &Kept, recorded: &[judge::Seen]) -> Vec<String> {
    let wrong = kept
        .wrong
        .iter()
        .map(|text| format!("sent to the origin: {text}"));
    let strange = judge::strangers(&kept.requests)
        .into_iter()
        .chain(judge::strangers(recorded));
    let strange = strange.map(|seen| format!("a request that is in no input: {seen:?}"));
    wrong.chain(strange).collect()
}

fn told(input: &Input, reading: &Reading, fault: &str) -> String {
    format!(
        "{} {} {}: {fault}\n  it is {:?} after {} requests\n  {}",
        input.id,
        input.kind,
        input.name,
        reading.end,
        reading.requests.len(),
        input.bytes.escape_ascii()
    )
}

#[test]
fn the_reference_parser_knows_the_grammar() {
    let host = "Host: x\r\n";
    let sound = [
        format!("GET /first/0001 HTTP/1.1\r\n{host}\r\n"),
        format!("POST /first/0001 HTTP/1.1\r\n{host}Content-Length: 3\r\n\r\nabc"),
        format!(
            "POST /first/0001 HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n\
             2;x=y\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\n\r\n"
        ),
    ];
    for (one, body) in sound.iter().zip(["", "abc", "abc"]) {
        let twice = strict::read(one.repeat(2).as_bytes());
        assert_eq!(
            (twice.requests.len(), twice.end),
            (2, End::Whole),
            "{one:?}"
        );
        for request in twice.requests {
            assert_eq!(owner(&request.target), Some(1));
            assert_eq!(request.body, body.as_bytes());
        }
        // No truncated prefix is a complete request.
        for at in 1..one.len() {
            let part = strict::read(&one.as_bytes()[..at]);
            assert!(
                matches!(part.end, End::InHead | End::InBody),
                "{one:?} {at}: {part:?}"
            );
        }
        for bad in [
            one.replace("\r\n", "\n"),
            one.replacen("\r\n", "\r\n x\r\n", 1),
        ] {
            let end = strict::read(bad.as_bytes()).end;
            assert!(matches!(end, End::BadHead(_)), "{bad:?}: {end:?}");
        }
    }
}

#[test]
fn an_http2_request_is_one_http1_request() {
    let inputs = downgrade::all();
    assert!(inputs.len() >= 100, "{} inputs", inputs.len());
    let origin = origin::start();
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record")
        .upstream(&format!("http://{}", origin.address))
        .section(LIMITS)
        .start();
    let ended = client::each(&inputs, |input| {
        frames::send(gateway.address, &input.frames())
    });
    gateway.stop();
    let kept = origin.end();
    let recorded = judge::recorded(&folder.text("default"));
    let mut faults = general(&kept, &recorded);
    for (input, ended) in inputs.iter().zip(ended) {
        let (seen, recorded) = (
            judge::of(input.id, &kept.requests),
            judge::of(input.id, &recorded),
        );
        let cut = judge::of(input.id, &kept.cut);
        if let Err(fault) = input.judge(ended, &seen, &recorded, &cut, false) {
            faults.push(format!("{} {}: {fault}", input.id, input.name));
        }
    }
    assert!(
        faults.is_empty(),
        "{} of {} inputs:\n{}",
        faults.len(),
        inputs.len(),
        faults.join("\n")
    );
}
