//! A place of values that clients make up takes values like the recorded one, and a miss suggests
//! such places.

use super::declared::{DECLARED, jobs};
use super::id;
use crate::support::client::{self, Answer, Client};
use crate::support::gateway;
use crate::support::origin::{self, Seen};

#[test]
fn a_value_stands_for_one_of_its_shape_alone() {
    let origin = jobs();
    let (uuid, other) = (id(), id());
    for (recorded, own, status, reason) in [
        (
            &*uuid,
            "latest",
            404,
            "only one of the two values is a UUID",
        ),
        (&uuid, "7", 404, "only one of the two values is a UUID"),
        (&uuid, &other, 200, ""),
        (
            "7",
            "latest",
            404,
            "\"latest\" is a word, and this one has a number, \"7\"",
        ),
        ("7", "12345", 200, ""),
        (
            "x7Jk2LmQ9",
            "latest",
            404,
            "a word, and this one has a token",
        ),
        ("x7Jk2LmQ9", "b81kPq2Zz77", 200, ""),
        ("latest", &uuid, 404, "only one of the two values is a UUID"),
        ("latest", "latest", 200, ""),
    ] {
        let targets = |run: &str| [format!("/runs/{run}"), format!("/list?run={run}")];
        let gateway = gateway::record(&origin).start();
        let client = client::http1(&gateway);
        for target in targets(recorded) {
            client.get(&target);
        }
        let folder = gateway.into_folder();
        for target in targets(own) {
            let replay = gateway::replay(&folder).section(DECLARED).start();
            let answer = client::http1(&replay).get(&target);
            assert_eq!(answer.status, status, "{target}: {}", answer.text());
            let text = answer.text().replace("\\\"", "\"");
            assert!(text.contains(reason), "{target}: {text}");
        }
    }
    // A word among the ids is itself.
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    for run in [&*uuid, "latest"] {
        client.get(&format!("/runs/{run}"));
    }
    let folder = gateway.into_folder();
    let replay = gateway::replay(&folder).section(DECLARED).start();
    let client = client::http1(&replay);
    for run in ["latest", &*other, "latest"] {
        let answer = client.get(&format!("/runs/{run}"));
        assert_eq!(answer.text(), format!("GET /runs/{run} is done"));
    }
}

/// Requests that differ in one value, by the setting that a miss suggests.
type Request = fn(&Client, &str) -> Answer;

const REQUESTS: [(&str, Request); 6] = [
    ("\"/id\"", |client, id| {
        client.post("/x", "application/json", &format!("{{\"id\": \"{id}\"}}"))
    }),
    ("\"/items/*/id\"", |client, id| {
        let other = id.replace('-', "");
        let body = format!("{{\"items\": [{{\"id\": \"{id}\"}}, {{\"id\": \"{other}\"}}]}}");
        client.post("/x", "application/json", &body)
    }),
    ("\"/run\"", |client, id| {
        let body = format!("run={id}&a=1");
        client.post("/x", "application/x-www-form-urlencoded", &body)
    }),
    ("\"path./x/*\"", |client, id| {
        client.get(&format!("/x/urn%3Auuid%3A{id}"))
    }),
    ("\"query.run\"", |client, id| {
        client.get(&format!("/x?run={id}&a=1"))
    }),
    ("\"path./x/*/log\"", |client, id| {
        client.get(&format!("/x/{id}/log"))
    }),
];

#[test]
fn a_miss_suggests_a_place_of_values_that_look_made_up() {
    let echo = |seen: &Seen| {
        let body = String::from_utf8(seen.body.to_vec()).unwrap();
        origin::text(&format!("{} {body}", seen.target))
    };
    let origin = origin::new().route("/*", echo).start();
    for (setting, request) in REQUESTS {
        let gateway = gateway::record(&origin).start();
        let recorded = id();
        let expected = request(&client::http1(&gateway), &recorded);
        let folder = gateway.into_folder();
        let replay = gateway::replay(&folder).start();
        let missed = request(&client::http1(&replay), &id()).json();
        let section = format!("[matcher]\nminted = [{setting}]\n");
        assert_eq!(missed["remedy"]["toml"], section, "{missed}");
        assert_eq!(
            missed["nearest"][0]["differences"][0]["setting"],
            "matcher.minted"
        );
        drop(replay);
        let replay = gateway::replay(&folder).section(&section).start();
        let own = id();
        let answer = request(&client::http1(&replay), &own);
        let expected = expected.text().replace(&recorded, &own);
        let expected = expected.replace(&recorded.replace('-', ""), &own.replace('-', ""));
        assert_eq!(answer.text(), expected, "{setting}");
    }
}

#[test]
fn values_that_stand_for_each_other_in_no_way_are_ignored_instead() {
    let origin = origin::new().route("/*", |_| origin::text("ok")).start();
    let post = |client: &Client, [one, other]: [&str; 2]| {
        let body = format!("{{\"a\": \"{one}\", \"b\": \"{other}\"}}");
        client.post("/x", "application/json", &body)
    };
    let (one, other, own) = (id(), id(), id());
    let gateway = gateway::record(&origin).start();
    post(&client::http1(&gateway), [&one, &other]);
    let folder = gateway.into_folder();
    let replay = gateway::replay(&folder).start();
    let missed = post(&client::http1(&replay), [&own, &own]).json();
    let section = missed["remedy"]["toml"].as_str().unwrap().to_owned();
    assert!(section.contains("ignore_body"), "{section}");
    drop(replay);
    let replay = gateway::replay(&folder).section(&section).start();
    assert_eq!(post(&client::http1(&replay), [&own, &own]).status, 200);
}
