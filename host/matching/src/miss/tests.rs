//! Tests of the ranking of candidates and of the texts of reports.

use super::*;
use crate::key::sample_message::{Sample, body, default_parts};
use crate::key::{Key, KeyPart, derive, describe};

const JSON: &str = "application/json";

pub(super) fn missed(parts: &[KeyPart], live: &Sample, cause: Cause) -> MissedRequest {
    MissedRequest {
        session: "default".to_owned(),
        request_line: "POST /v1/chat".to_owned(),
        upstream: None,
        matcher: None,
        described: describe(parts, live),
        cause,
    }
}

pub(super) fn candidate(ordinal: usize, parts: &[KeyPart], recorded: &Sample) -> Candidate {
    Candidate {
        ordinal,
        request_line: "POST /v1/chat".to_owned(),
        described: describe(parts, recorded),
        replayed: false,
    }
}

pub(super) fn json(text: &str) -> Sample {
    Sample::new("POST", "/").body(JSON, text.to_owned())
}

#[test]
fn limits_the_size_of_a_report() {
    let list = |from: usize| {
        let list: Vec<_> = (from..from + 200).map(|n| n.to_string()).collect();
        json(&format!("[{}]", list.join(",")))
    };
    let parts = [body(&[])];
    let missed = missed(&parts, &list(0), Cause::NoMatch);
    let candidates = (1..9).map(|ordinal| candidate(ordinal, &parts, &list(1000)));
    let miss = report(missed, candidates.collect());
    let ordinals: Vec<_> = miss.nearest.iter().map(|nearest| nearest.ordinal).collect();
    assert_eq!(ordinals, [1, 2, 3]);
    assert_eq!(
        (
            miss.nearest[0].differences.len(),
            miss.nearest[0].omitted_differences
        ),
        (8, 192)
    );
    assert!(miss.to_text().contains("    and 192 more\n"));
    assert_eq!(miss.to_problem()["nearest"][0]["omitted_differences"], 192);
}

#[test]
fn orders_candidates_by_similarity() {
    let parts = default_parts(&[], &[]);
    let request =
        |target: &str, text: &str| Sample::new("POST", target).body(JSON, text.to_owned());
    let live = request("/v1/users/42/posts?page=1", r#"{"a":1,"b":{"c":2,"d":3}}"#);
    let recorded = [
        request("/other", "{}"),
        request("/v1/users/41/posts?page=1", r#"{"a":1,"b":{"c":2,"d":3}}"#),
        request("/v1/users/42/posts?page=1", r#"{"a":1,"b":{"c":2,"d":4}}"#),
        request("/v1/users/42/posts?page=2", r#"{"a":1,"b":{"c":2,"d":4}}"#),
    ];
    let order = |used: usize| {
        let missed = missed(&parts, &live, Cause::NoMatch);
        let candidates = recorded.iter().chain([&recorded[2]]).enumerate();
        let candidates = candidates.map(|(index, sample)| Candidate {
            replayed: index == used,
            ..candidate(index, &parts, sample)
        });
        let miss = report(missed, candidates.collect());
        let ordinals = miss.nearest.iter().map(|nearest| nearest.ordinal);
        ordinals.collect::<Vec<_>>()
    };
    assert_eq!(order(0), [2, 4, 3]);
    assert_eq!(
        order(2),
        [4, 2, 3],
        "a candidate that was not replayed yet comes first"
    );
}

#[test]
fn rank_selects_the_most_similar_keys() {
    let parts = default_parts(&[], &[]);
    let key = |method: &str, target: &str| derive(&parts, &Sample::new(method, target));
    let live = key("GET", "/v1/users/42?page=1");
    let mut keys: Vec<Key> = (0..1000)
        .map(|n| key("PUT", &format!("/x{n}/y?z={n}")))
        .collect();
    keys[700] = key("GET", "/v1/users/42?page=2");
    keys[300] = key("POST", "/v1/users/42?page=2");
    keys[900] = key("GET", "/v1/users/41?page=1");
    let rank = |limit| rank(&live, keys.iter().enumerate(), limit);
    assert_eq!(rank(3), [700, 900, 300]);
    assert_eq!(rank(24)[..3], [700, 900, 300]);
    assert_eq!(rank(24).len(), 24);
    assert_eq!(rank(0), [0_usize; 0]);
    assert_eq!(rank(5000).len(), 1000);
    let same = vec![live.clone(); 5];
    assert_eq!(super::rank(&live, same.iter().enumerate(), 3), [0, 1, 2]);
}

#[test]
fn shows_differences_and_settings_in_text_and_problem() {
    let parts = default_parts(&[], &[]);
    let live = Sample::new("POST", "/v1/chat?n=17&x=1")
        .body(JSON, r#"{"messages":[{"content":"hi"}],"seed":1}"#);
    let recorded =
        Sample::new("POST", "/v1/chat?n=2").body(JSON, r#"{"messages":[{"content":"hello"}]}"#);
    let missed = missed(&parts, &live, Cause::NoMatch);
    let miss = report(missed, vec![candidate(12, &parts, &recorded)]);
    let expected = r#"miss  POST /v1/chat  (session default)
  nearest 1: exchange 12  POST /v1/chat
    query n                    sent "17"   recorded "2"
      to ignore it: [matcher] ignore_query = ["n"]
    query x                    sent "1"    not recorded
      to ignore it: [matcher] ignore_query = ["x"]
    body /messages/0/content   sent "hi"   recorded "hello"
      to ignore it: [matcher] ignore_body = ["/messages/0/content"]
    body /seed                 sent 1      not recorded
      to ignore it: [matcher] ignore_body = ["/seed"]
  add it with: ouli-gateway auto --upstream URL --session default
"#;
    assert_eq!(miss.to_text(), expected);
    let problem = miss.to_problem();
    assert_eq!(
        problem["detail"],
        concat!(
            "no exchange recorded in session default matches; the nearest is exchange 12 ",
            "(POST /v1/chat), which differs in 4 places, first in query n; to ignore them: ",
            r#"[matcher] ignore_query = ["n", "x"], "#,
            r#"ignore_body = ["/messages/0/content", "/seed"]; "#,
            "add it with: ouli-gateway auto --upstream URL --session default"
        )
    );
    let expected = serde_json::json!({
        "part": "query",
        "at": "x",
        "sent": "\"1\"",
        "setting": "[matcher] ignore_query = [\"x\"]",
    });
    assert_eq!(problem["nearest"][0]["differences"][1], expected);
    assert_eq!(problem["type"], "urn:ouli:problem:miss");
    assert_eq!(problem["status"], 404);
}

#[test]
fn gives_advice_for_every_cause() {
    let parts = default_parts(&[], &[]);
    let live = Sample::new("GET", "/a");
    let cases = [
        (
            Cause::NoCassette,
            concat!(
                "session default has no cassette; record one with: ",
                "ouli-gateway record --upstream http://u --session default"
            ),
        ),
        (
            Cause::Empty,
            concat!(
                "no exchange is recorded in session default; record one with: ",
                "ouli-gateway record --upstream http://u --session default"
            ),
        ),
        (
            Cause::Exhausted { recorded: 1 },
            concat!(
                "session default records this request once, and it was replayed; on_exhausted is ",
                r#""miss"; on_exhausted = "repeat" repeats the last response"#
            ),
        ),
        (
            Cause::Exhausted { recorded: 3 },
            concat!(
                "session default records this request 3 times, and all were replayed; ",
                r#"on_exhausted is "miss"; on_exhausted = "repeat" repeats the last response"#
            ),
        ),
        (
            Cause::NoMatch,
            concat!(
                "no exchange recorded in session default matches; add it with: ",
                "ouli-gateway auto --upstream http://u --session default"
            ),
        ),
    ];
    for (cause, expected) in cases {
        let mut missed = missed(&parts, &live, cause);
        missed.upstream = Some("http://u".to_owned());
        let miss = report(missed, Vec::new());
        assert_eq!(miss.to_problem()["detail"], expected);
        let last = expected.rsplit("; ").next().unwrap();
        assert!(
            miss.to_text().trim_end().ends_with(last),
            "{}",
            miss.to_text()
        );
    }
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let parts = default_parts(&[], &[]);
    let live = Sample::new("GET", "/?%1b%5b31m=%1b");
    let missed = missed(&parts, &live, Cause::NoMatch);
    let miss = report(missed, vec![candidate(1, &parts, &Sample::new("GET", "/"))]);
    let text = miss.to_text();
    assert!(text.contains("query �[31m"), "{text}");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
}
