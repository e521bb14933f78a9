//! Failed exchanges: what is written of them, and what hands may write.

use bytes::Bytes;

use super::{cassette, sample, streamed};
use crate::format::decode::LoadedCassette;
use crate::format::encode::HEADER;
use crate::store::summary::{ExchangeSummary, Summary};
use crate::{decode, digest};
use ouli_message::failure::{Failure, FailureCause, FailureKind, Phase};
use ouli_message::stream::ChunkKind;
use ouli_message::{Exchange, Response};

fn failed(mut exchange: Exchange, phase: Phase, what: FailureKind, code: Option<u32>) -> Exchange {
    let fault = FailureCause {
        phase,
        kind: what,
        code,
    };
    if fault.is_before_response() {
        exchange.response = Response::absent(&fault);
    }
    exchange.failure = Some(Failure {
        cause: fault,
        at: 1203,
    });
    exchange
}

fn read(text: &str) -> LoadedCassette {
    decode(&Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

#[test]
fn failures_of_every_kind_round_trip() {
    let mut exchanges = Vec::new();
    for phase in Phase::ALL {
        for what in FailureKind::ALL {
            exchanges.push(failed(sample(1), phase, what, None));
        }
    }
    let events = streamed(ChunkKind::Event, b"a\n\nb", &[3, 1]);
    exchanges.push(failed(events, Phase::Body, FailureKind::Reset, Some(8)));
    let loaded = decode(&Bytes::from(cassette(&exchanges))).unwrap();
    assert!(loaded.damage.is_empty() && loaded.torn_tail.is_none());
    assert!(loaded.exchanges.iter().all(|one| !one.edited));
    let back: Vec<_> = loaded.exchanges.into_iter().map(|it| it.exchange).collect();
    assert_eq!(back, exchanges);
}

#[test]
fn a_failure_without_an_answer_has_no_response() {
    let refused = failed(sample(1), Phase::Connect, FailureKind::Refused, None);
    let text = String::from_utf8(cassette(&[refused])).unwrap();
    assert!(!text.contains("\"response\""), "{text}");
    let expected = concat!(
        "  \"failure\": {\n",
        "    \"phase\": \"connect\",\n",
        "    \"what\": \"refused\",\n",
        "    \"at\": 1203\n",
        "  },\n",
    );
    assert!(text.contains(expected), "{text}");
    let loaded = read(&text);
    let summary = Summary::from(&loaded);
    assert_eq!((summary.exchanges, summary.failures), (1, 1));
    assert!(summary.statuses.is_empty());
    assert_eq!(ExchangeSummary::from(&loaded.exchanges[0]).status, None);
}

#[test]
fn the_time_of_a_failure_is_not_in_the_digest() {
    let base = failed(sample(1), Phase::Body, FailureKind::Reset, Some(8));
    let mut later = base.clone();
    later.failure.as_mut().unwrap().at += 1;
    assert_eq!(digest(&base), digest(&later));
    let others = [
        failed(sample(1), Phase::Body, FailureKind::Closed, Some(8)),
        failed(sample(1), Phase::Body, FailureKind::Reset, None),
        failed(sample(1), Phase::Head, FailureKind::Reset, Some(8)),
        sample(1),
    ];
    for other in others {
        assert_ne!(digest(&base), digest(&other), "{other:?}");
    }
}

/// What is wrong with the only exchange of a text.
fn reason(text: &str) -> String {
    let torn = read(text).torn_tail;
    torn.unwrap_or_else(|| panic!("nothing is wrong with {text}"))
        .error
        .reason
}

#[test]
fn hand_written_failures_are_read_or_explained() {
    let whole = String::from_utf8(cassette(&[sample(1)])).unwrap();
    let with = |member: &str| whole.replacen("  \"tags\"", &format!("  {member},\n  \"tags\""), 1);
    let loaded = read(&with(r#""failure": {"phase": "body", "what": "reset"}"#));
    assert!(loaded.exchanges[0].edited);
    let failure = loaded.exchanges[0].exchange.failure.unwrap();
    assert_eq!(
        (failure.cause.to_string(), failure.at),
        ("body reset".into(), 0)
    );
    let early = reason(&with(r#""failure": {"phase": "head", "what": "reset"}"#));
    assert!(early.contains("take the response out"), "{early}");
    let what = reason(&with(r#""failure": {"phase": "body", "what": "boom"}"#));
    assert!(what.contains("expected one of `dns`"), "{what}");
    let phase = reason(&with(r#""failure": {"phase": "tail", "what": "reset"}"#));
    assert!(phase.contains("expected one of `connect`"), "{phase}");
    let more = reason(&with(
        r#""failure": {"phase": "body", "what": "reset", "why": 1}"#,
    ));
    assert!(more.contains("why"), "{more}");
    let request = r#""request": {"method": "GET", "authority": "", "target": "/", "headers": []}"#;
    let bare = format!("{HEADER}{{\"exchange\": 1, \"endpoint\": \"a\", {request}}}\n");
    assert!(reason(&bare).contains("missing field `response`"));
}
