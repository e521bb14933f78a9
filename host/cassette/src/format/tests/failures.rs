//! Failed exchanges, as the gateway writes them and as a user may edit them.

use super::check_round_trip;
use crate::test_exchanges::{cassette, sample, streamed};
use crate::{ExchangeSummary, HEADER, LoadedCassette, Summary, digest};
use ouli_message::failure::{Failure, FailureCause, FailureKind, Phase};
use ouli_message::stream::ChunkKind;
use ouli_message::{Exchange, Response};

fn failed(mut exchange: Exchange, phase: Phase, kind: FailureKind, code: Option<u32>) -> Exchange {
    let cause = FailureCause { phase, kind, code };
    if cause.is_before_response() {
        exchange.response = Response::absent(&cause);
    }
    exchange.failure = Some(Failure { cause, at: 1203 });
    exchange
}

fn read(text: &str) -> LoadedCassette {
    super::read(text.as_bytes())
}

#[test]
fn failures_of_every_kind_round_trip() {
    let mut exchanges = Vec::new();
    for phase in Phase::ALL {
        for kind in FailureKind::ALL {
            exchanges.push(failed(sample(1), phase, kind, None));
        }
    }
    let events = streamed(ChunkKind::Event, b"a\n\nb", &[3, 1]);
    exchanges.push(failed(events, Phase::Body, FailureKind::Reset, Some(8)));
    check_round_trip(&exchanges);
}

#[test]
fn a_failure_before_the_response_has_no_response() {
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

/// The error in the only exchange of a cassette.
fn reason(text: &str) -> String {
    let torn_tail = read(text).torn_tail;
    torn_tail
        .unwrap_or_else(|| panic!("no error in {text}"))
        .error
        .reason
}

#[test]
fn edited_failures_are_read_or_rejected_with_a_reason() {
    let valid = String::from_utf8(cassette(&[sample(1)])).unwrap();
    let with = |member: &str| valid.replacen("  \"tags\"", &format!("  {member},\n  \"tags\""), 1);
    let loaded = read(&with(r#""failure": {"phase": "body", "what": "reset"}"#));
    assert!(loaded.exchanges[0].edited);
    let failure = loaded.exchanges[0].exchange.failure.unwrap();
    assert_eq!(
        (failure.cause.to_string(), failure.at),
        ("body reset".into(), 0)
    );
    let early = reason(&with(r#""failure": {"phase": "head", "what": "reset"}"#));
    assert!(early.contains("remove the response"), "{early}");
    let kind = reason(&with(r#""failure": {"phase": "body", "what": "boom"}"#));
    assert!(kind.contains("expected one of `dns`"), "{kind}");
    let phase = reason(&with(r#""failure": {"phase": "tail", "what": "reset"}"#));
    assert!(phase.contains("expected one of `connect`"), "{phase}");
    let unknown = reason(&with(
        r#""failure": {"phase": "body", "what": "reset", "why": 1}"#,
    ));
    assert!(unknown.contains("why"), "{unknown}");
    let request = r#""request": {"method": "GET", "authority": "", "target": "/", "headers": []}"#;
    let bare = format!("{HEADER}{{\"exchange\": 1, \"endpoint\": \"a\", {request}}}\n");
    assert!(reason(&bare).contains("missing field `response`"));
}
