//! Requests that differ in values which their clients made up.

use super::sample_message::{Sample, default_parts};
use super::tests::{FORM, JSON, check};
use super::{KeyPart, MintedRules, derive};

const ONE: &str = "0b7c1f1e-3d52-4c3e-9a43-2f3c5d6e7f80";
const TWO: &str = "9d1a7e55-0c1b-4f6e-8a77-6b5a4c3d2e1f";

fn parts() -> Vec<KeyPart> {
    let places = ["/id", "query.run", "header.x-job", "path./jobs/*"];
    let rules = MintedRules::new(places, |_| true).unwrap();
    let mut parts = default_parts(&[], &[]);
    parts.push(KeyPart::Minted(rules));
    parts
}

#[track_caller]
fn check_all(cases: &[(Sample, Sample, bool, &str)]) {
    for (left, right, equal, note) in cases {
        check(&parts(), left, right, *equal, note);
        let key = derive(&parts(), left);
        let used: Vec<_> = key.minted().map(|value| &**value).collect();
        assert!(used.iter().all(|value| *value == ONE), "{note}: {used:?}");
    }
}

#[test]
fn values_in_targets_count_by_their_identity() {
    let get = |target: &str| Sample::new("GET", target);
    let cases = [
        (
            get("/jobs/1"),
            get("/jobs/2"),
            true,
            "a short value in a path",
        ),
        (
            get("/jobs/1/log"),
            get("/jobs/2/log"),
            false,
            "another path",
        ),
        (get("/jobs/"), get("/jobs/2"), false, "no value"),
        (get("/a?run=1"), get("/a?run=2"), true, "a query parameter"),
        (get("/a?run=1"), get("/a"), false, "no parameter"),
        (get("/a?of=1"), get("/a?of=2"), false, "another parameter"),
        (
            get(&format!("/a?run={ONE}&of={ONE}")),
            get(&format!("/a?run={TWO}&of={TWO}")),
            true,
            "a value that is followed",
        ),
        (
            get(&format!("/a?run={ONE}&of={TWO}")),
            get(&format!("/a?run={TWO}&of={TWO}")),
            false,
            "a value that is not followed",
        ),
    ];
    check_all(&cases);
    let two = get(&format!("/a?run={ONE}&of={ONE}"));
    let places: Vec<_> = derive(&parts(), &two).identities().to_vec();
    assert_eq!(places.len(), 2);
    assert!(places[0].place != places[1].place && *places[0].part == *"query");
}

#[test]
fn values_in_bodies_and_headers_count_by_their_identity() {
    let get = |target: &str| Sample::new("GET", target);
    let post = |body: String| Sample::new("POST", "/").body(JSON, body);
    let form = |body: String| Sample::new("POST", "/").body(FORM, body);
    let cases = [
        (
            post(format!("{{\"id\":\"{ONE}\",\"see\":\"/jobs/{ONE}/log\"}}")),
            post(format!("{{\"id\":\"{TWO}\",\"see\":\"/jobs/{TWO}/log\"}}")),
            true,
            "in JSON",
        ),
        (
            post("{\"id\":7}".to_owned()),
            post("{\"id\":\"a\"}".to_owned()),
            true,
            "a number or a string",
        ),
        (
            post("{\"id\":7}".to_owned()),
            post("{\"id\":null}".to_owned()),
            false,
            "null is no value",
        ),
        (
            form(format!("id={ONE}&x={ONE}")),
            form(format!("x={TWO}&id={TWO}")),
            true,
            "in a form",
        ),
        (
            get(&format!("/a/{ONE}")).field("x-job", ONE.as_bytes()),
            get(&format!("/a/{TWO}")).field("x-job", TWO.as_bytes()),
            true,
            "a header that is no part of the key",
        ),
    ];
    check_all(&cases);
}

#[test]
fn calls_of_json_rpc_and_authorization_requests_have_places_of_their_own() {
    let parts = |enabled: bool| {
        let mut parts = default_parts(&[], &[]);
        let rules = MintedRules::new([""; 0], |_| enabled).unwrap();
        parts.push(KeyPart::Minted(rules));
        parts
    };
    let post = |body: &str| Sample::new("POST", "/").body(JSON, body.to_owned());
    let call = |id: &str, rest: &str| post(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{id}{rest}}}"));
    let get = |target: &str| Sample::new("GET", target);
    let ping = ",\"method\":\"ping\"";
    let cancel = |id: &str| {
        let params = format!("\"params\":{{\"requestId\":{id}}}");
        let method = "\"method\":\"notifications/cancelled\"";
        post(&format!("{{\"jsonrpc\":\"2.0\",{method},{params}}}"))
    };
    let cases = [
        (call("1", ping), call("\"x\"", ping), true, "a call"),
        (
            call("1", ",\"result\":1"),
            call("2", ",\"result\":1"),
            false,
            "a response",
        ),
        (
            post("{\"id\":1,\"method\":\"a\"}"),
            post("{\"id\":2,\"method\":\"a\"}"),
            false,
            "no version",
        ),
        (cancel("1"), cancel("2"), true, "a cancelled call"),
        (
            get(&format!("/a?client_id=c&response_type=code&state={ONE}")),
            get(&format!("/a?client_id=c&response_type=code&state={TWO}")),
            true,
            "an authorization request",
        ),
        (
            get("/a?client_id=c&response_type=code&state=x"),
            get("/a?client_id=c&response_type=code&state=y"),
            false,
            "a state that cannot be given back",
        ),
        (
            get("/a?state=open"),
            get("/a?state=closed"),
            false,
            "a filter",
        ),
    ];
    for (left, right, equal, note) in cases {
        check(&parts(true), &left, &right, equal, note);
        check(&parts(false), &left, &right, false, note);
    }
}
