//! Places that `[matcher] minted` names.

use super::id;
use crate::support::client::{self, Answer, Client};
use crate::support::gateway;
use crate::support::origin::{self, Origin, Seen};

/// A server of jobs whose ids the clients make up.
pub(super) fn jobs() -> Origin {
    let start = |seen: &Seen| {
        let body = String::from_utf8(seen.body.to_vec()).unwrap();
        let id = body.split('"').nth(3).unwrap();
        origin::json(&format!(
            "{{\"job\": \"{id}\", \"log\": \"/jobs/{id}/log\"}}"
        ))
        .header("location", &format!("/jobs/{id}"))
    };
    let show = |seen: &Seen| origin::text(&format!("{} {} is done", seen.method, seen.target));
    origin::new()
        .route("/jobs", start)
        .route("/*", show)
        .start()
}

pub(super) const DECLARED: &str = "[matcher]\nminted = [\"/id\", \"query.run\", \"path./runs/*\"]";

pub(super) fn start(client: &Client, id: &str) -> Answer {
    client.post(
        "/jobs",
        "application/json",
        &format!("{{\"id\": \"{id}\"}}"),
    )
}

#[test]
fn a_declared_value_is_followed_everywhere_and_comes_back() {
    for connect in client::VERSIONS {
        let (origin, recorded) = (jobs(), id());
        let gateway = gateway::record(&origin).start();
        let client = connect(&gateway);
        let steps = |client: &Client, id: &str| {
            let query = format!("/list?run=r1&of={id}");
            let log = format!("/jobs/{id}/log");
            let body = format!("{{\"after\": [\"job {id}\"]}}");
            [
                start(client, id),
                client.get(&log),
                client.get(&query),
                client.post("/wait", "application/json", &body),
            ]
        };
        steps(&client, &recorded);
        let folder = gateway.into_folder();
        let replay = gateway::replay(&folder).section(DECLARED).start();
        let (client, own) = (connect(&replay), id());
        let [started, log, listed, waited] = steps(&client, &own);
        assert_eq!(
            started.text(),
            format!("{{\"job\": \"{own}\", \"log\": \"/jobs/{own}/log\"}}")
        );
        assert_eq!(started.header("location"), format!("/jobs/{own}"));
        assert_eq!(log.text(), format!("GET /jobs/{own}/log is done"));
        assert_eq!(listed.text(), format!("GET /list?run=r1&of={own} is done"));
        assert_eq!(waited.text(), "POST /wait is done");
        let report = replay.finish();
        assert_eq!(
            (report.hits, report.renamed, report.misses),
            (4, 4, 0),
            "{report:?}"
        );
        // The client that was recorded is itself, in any order.
        let replay = gateway::replay(&folder).section(DECLARED).start();
        let client = connect(&replay);
        assert_eq!(client.get(&format!("/jobs/{recorded}/log")).status, 200);
        assert_eq!(start(&client, &recorded).status, 200);
        let report = replay.finish();
        assert_eq!((report.hits, report.renamed), (2, 0), "{report:?}");
    }
}

#[test]
fn two_values_stay_two_and_the_report_names_where_one_was_bound() {
    let (origin, recorded) = (jobs(), [id(), id()]);
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    for id in &recorded {
        start(&client, id);
    }
    for (target, id) in ["log", "state"].into_iter().zip(&recorded) {
        client.get(&format!("/jobs/{id}/{target}"));
    }
    let folder = gateway.into_folder();
    let replay = gateway::replay(&folder).section(DECLARED).start();
    let (client, own) = (client::http1(&replay), [id(), id()]);
    for (own, recorded) in own.iter().zip(&recorded) {
        let answer = start(&client, own);
        assert!(answer.text().contains(own) && !answer.text().contains(recorded));
    }
    // The second value stands for the second one that was recorded.
    let wrong = client.get(&format!("/jobs/{}/log", own[1]));
    assert_eq!(wrong.status, 404);
    let report = wrong.json()["detail"].as_str().unwrap().to_owned();
    let since = format!(
        "its value stands for \"{}\" since exchange 2 (body)",
        recorded[1]
    );
    assert!(
        report.contains("exchange 3 differs in path") && report.contains(&since),
        "{report}"
    );
    // A value that was not made up in a place that a rule names is none.
    let wrong = client.get(&format!("/jobs/{}/log", id()));
    assert_eq!(wrong.status, 404);
    let report = wrong.json()["detail"].as_str().unwrap().to_owned();
    let since = format!(
        "\"{}\" stands for its \"{}\" since exchange 1 (body)",
        own[0], recorded[0]
    );
    assert!(report.contains(&since), "{report}");
    assert_eq!(client.get(&format!("/jobs/{}/log", own[0])).status, 200);
    assert_eq!(client.get(&format!("/jobs/{}/state", own[1])).status, 200);
    let report = replay.finish();
    assert_eq!((report.hits, report.misses), (4, 2), "{report:?}");
}

#[test]
fn an_undeclared_value_is_a_miss_that_names_the_setting() {
    let (origin, recorded) = (jobs(), id());
    let gateway = gateway::record(&origin).start();
    client::http1(&gateway).get(&format!("/jobs/{recorded}/log"));
    let folder = gateway.into_folder();
    let replay = gateway::replay(&folder).start();
    let client = client::http1(&replay);
    let missed = client.get(&format!("/jobs/{}/log", id()));
    assert_eq!(missed.status, 404);
    let problem = missed.json();
    assert_eq!(
        problem["remedy"]["toml"],
        "[matcher]\nminted = [\"path./jobs/*/log\"]\n"
    );
    assert_eq!(
        problem["nearest"][0]["differences"][0]["setting"],
        "matcher.minted"
    );
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("if the client makes this value up"),
        "{detail}"
    );
    // Words are no values that a client made up.
    let missed = client.get("/jobs/another-customer/log").json();
    assert!(missed["remedy"].is_null(), "{missed}");
    drop(replay);
    let section = problem["remedy"]["toml"].as_str().unwrap();
    let replay = gateway::replay(&folder).section(section).start();
    let own = id();
    let answer = client::http1(&replay).get(&format!("/jobs/{own}/log"));
    assert_eq!(answer.text(), format!("GET /jobs/{own}/log is done"));
}

#[test]
fn a_short_value_counts_in_its_place_alone() {
    let origin = jobs();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    for target in ["/runs/7", "/list?run=7", "/list?of=7", "/runs/7/log"] {
        client.get(target);
    }
    let folder = gateway.into_folder();
    let replay = gateway::replay(&folder).section(DECLARED).start();
    let client = client::http1(&replay);
    for (target, status) in [
        ("/runs/8", 200),
        ("/list?run=9", 200),
        ("/list?of=8", 404),
        ("/runs/8/log", 404),
        ("/runs/", 404),
        ("/list?run=9&of=7", 404),
    ] {
        assert_eq!(client.get(target).status, status, "{target}");
    }
}

#[test]
fn short_values_of_one_place_stay_apart() {
    let origin = jobs();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    for run in ["7", "8"] {
        client.get(&format!("/runs/{run}"));
    }
    let folder = gateway.into_folder();
    let replayed = |runs: &[&str]| {
        let replay = gateway::replay(&folder).section(DECLARED).start();
        let client = client::http1(&replay);
        let answers = runs.iter().map(|run| client.get(&format!("/runs/{run}")));
        let texts = answers.map(|answer| match answer.status {
            200 => answer.text().to_owned(),
            status => status.to_string(),
        });
        texts.collect::<Vec<_>>()
    };
    let [seven, eight] = ["GET /runs/7 is done", "GET /runs/8 is done"];
    assert_eq!(replayed(&["8", "7", "8"]), [eight, seven, eight]);
    assert_eq!(replayed(&["17", "9", "17"]), [seven, eight, seven]);
    assert_eq!(replayed(&["17", "9", "3"])[2], "404");
}

#[test]
fn in_auto_a_value_is_answered_from_an_earlier_run_or_asked_for() {
    let (origin, recorded) = (jobs(), id());
    let gateway = gateway::auto(&origin).section(DECLARED).start();
    let client = client::http1(&gateway);
    let log = |id: &str| client.get(&format!("/jobs/{id}/log")).text().to_owned();
    start(&client, &recorded);
    log(&recorded);
    gateway.mark();
    let (own, other) = (id(), id());
    assert!(start(&client, &own).text().contains(&own));
    assert_eq!(log(&own), format!("GET /jobs/{own}/log is done"));
    assert_eq!(origin.seen().len(), 2, "both come from the first run");
    assert_eq!(log(&other), format!("GET /jobs/{other}/log is done"));
    assert_eq!(origin.seen().len(), 3, "another id is asked for");
}

#[test]
fn places_have_a_form() {
    let folder = gateway::record(&jobs()).start().into_folder();
    for place in [
        "id",
        "query.",
        "header.x y",
        "path./jobs",
        "path.jobs/*",
        "path./a*/b",
        "cookie.x",
    ] {
        let section = format!("[matcher]\nminted = [\"{place}\"]");
        let error = gateway::replay(&folder).section(&section).try_start();
        let error = error.err().unwrap().to_string();
        assert!(
            error.contains("names no place of values") && error.contains("path./jobs/*"),
            "{place}: {error}"
        );
    }
}

#[test]
fn the_cassette_of_a_client_that_runs_in_auto_does_not_grow() {
    for connect in client::VERSIONS {
        let origin = jobs();
        let gateway = gateway::auto(&origin).section(DECLARED).start();
        let client = connect(&gateway);
        // The second run has requests that the first one has not.
        let steps = |id: &str, run: usize| {
            let mut answers = vec![start(&client, id)];
            answers.push(client.get(&format!("/jobs/{id}/log")));
            if run > 0 {
                answers.push(client.get(&format!("/jobs/{id}/log?new=1")));
                let body = format!("{{\"after\": [\"job {id}\"]}}");
                answers.push(client.post("/wait", "application/json", &body));
                let ask = client.ask("GET", &format!("/runs/{id}"));
                answers.push(ask.header("x-of", id).send());
            }
            answers
        };
        let mut asked = Vec::new();
        for run in 0..4 {
            let own = id();
            for answer in steps(&own, run) {
                assert_eq!(answer.status, 200, "{}", answer.text());
                let is_own = answer.text().contains(&own) || answer.text() == "POST /wait is done";
                assert!(is_own, "run {run}: {}", answer.text());
            }
            asked.push(origin.seen().len());
            gateway.mark();
        }
        assert_eq!(asked, [2, 5, 5, 5], "each request is asked once");
        // The recording reads as if one client had made all of its requests.
        let folder = gateway.into_folder();
        let replay = gateway::replay(&folder).section(DECLARED).start();
        let (client, own) = (connect(&replay), id());
        for answer in [
            start(&client, &own),
            client.get(&format!("/jobs/{own}/log?new=1")),
        ] {
            assert!(answer.text().contains(&own), "{}", answer.text());
        }
        assert_eq!(replay.finish().misses, 0);
    }
}
