//! Where a response repeats what its client made up: lengths, parts, trailers, URLs and traces.

use super::declared::DECLARED;
use super::id;
use crate::support::client::{self, Answer, Client};
use crate::support::gateway;
use crate::support::origin::{self, Reply, Seen};

/// Two values of one client that differ in their length.
const SHORT: &str = "x7Jk2LmQ9";
const LONG: &str = "b81kPq2Zz77mN3vR4tY6";

/// The text that a server answers to a request.
fn document(target: &str) -> String {
    format!("head {target} {} {target} tail", "x".repeat(50))
}

#[test]
fn a_head_and_a_range_are_of_the_body_with_the_clients_own_values() {
    for connect in client::VERSIONS {
        let answer = |seen: &Seen| {
            let answer = origin::text(&document(&seen.target));
            answer
                .header("etag", "\"e\"")
                .header("accept-ranges", "bytes")
        };
        let origin = origin::new().route("/*", answer).start();
        let target = |run: &str| format!("/d?run={run}");
        let gateway = gateway::record(&origin).start();
        connect(&gateway).get(&target(SHORT));
        let folder = gateway.into_folder();
        let body = document(&target(LONG));
        let range = |client: &Client, range: &str| {
            let ask = client.ask("GET", &target(LONG)).header("range", range);
            ask.send()
        };
        let whole = |client: &Client| client.get(&target(LONG)).text().to_owned();
        let head = |client: &Client| {
            let head = client.ask("HEAD", &target(LONG)).send();
            head.header("content-length").to_owned()
        };
        // Each is the first request with its value.
        for first in ["head", "first bytes", "last bytes"] {
            let replay = gateway::replay(&folder).section(DECLARED).start();
            let client = connect(&replay);
            match first {
                "head" => assert_eq!(head(&client), body.len().to_string()),
                "first bytes" => {
                    let part = range(&client, "bytes=3-30");
                    assert_eq!((part.status, part.text()), (206, &body[3..=30]));
                    let of = format!("bytes 3-30/{}", body.len());
                    assert_eq!(part.header("content-range"), of);
                }
                _ => {
                    let part = range(&client, "bytes=-20");
                    assert_eq!((part.status, part.text()), (206, &body[body.len() - 20..]));
                }
            }
            assert_eq!(whole(&client), body, "after the {first}");
            assert_eq!(replay.finish().misses, 0);
        }
        // A recorded head has the length of another body.
        let gateway = gateway::record(&origin).start();
        connect(&gateway).ask("HEAD", &target(SHORT)).send();
        let folder = gateway.into_folder();
        for (own, length) in [
            (SHORT, document(&target(SHORT)).len().to_string()),
            (LONG, "".into()),
        ] {
            let replay = gateway::replay(&folder).section(DECLARED).start();
            let answer = connect(&replay).ask("HEAD", &target(own)).send();
            assert_eq!(
                (answer.status, answer.header("content-length")),
                (200, &*length)
            );
        }
    }
}

#[test]
fn values_come_back_in_trailers() {
    let answer = |seen: &Seen| {
        let run = seen.target.split("run=").nth(1).unwrap();
        let parts = origin::parts().part(format!("run {run}"));
        parts.header("trailer", "x-run").trailer("x-run", run)
    };
    let origin = origin::new().route("/*", answer).start();
    let sum = |client: &Client, run: &str| {
        let ask = client.ask("GET", &format!("/sum?run={run}"));
        ask.header("te", "trailers").send()
    };
    let gateway = gateway::record(&origin).start();
    sum(&client::http1(&gateway), SHORT);
    let folder = gateway.into_folder();
    for connect in client::VERSIONS {
        let replay = gateway::replay(&folder).section(DECLARED).start();
        let answer = sum(&connect(&replay), LONG);
        assert_eq!(answer.text(), format!("run {LONG}"));
        assert_eq!(answer.trailers.unwrap()["x-run"], LONG);
    }
}

/// Repeats a value as servers write it in URLs.
fn links(seen: &Seen) -> Reply {
    let id = serde_json::from_slice::<serde_json::Value>(&seen.body).unwrap()["id"].clone();
    let id = id.as_str().unwrap();
    let encoded = id.replace(':', "%3A").replace('@', "%40");
    let small = id.replace(':', "%3a").replace('@', "%40");
    let body = format!(
        "{{\"id\": \"{id}\", \"text\": \"of\\n{id}\\tand\\u0020{id}\\u0020\", \
          \"next\": \"https://x.test/login?to=https%3A%2F%2Fx.test%2Fjobs%2F{encoded}%2Flog\"}}"
    );
    origin::json(&body)
        .header("location", &format!("/runs/{encoded}?twice=%252F{id}"))
        .header(
            "link",
            &format!("</runs/{small}/log>; rel=\"next\", </x?of={encoded}>"),
        )
}

#[test]
fn a_percent_encoded_value_is_the_value() {
    let show = |seen: &Seen| origin::text(&format!("{} is done", seen.target));
    let origin = origin::new()
        .route("/jobs", links)
        .route("/*", show)
        .start();
    let urn = || format!("urn:uuid:{}", id());
    let steps = |client: &Client, id: &str| -> Vec<Answer> {
        let body = format!("{{\"id\": \"{id}\"}}");
        let encoded = id.replace(':', "%3A").replace('@', "%40");
        let small = id.replace(':', "%3a").replace('@', "%40");
        vec![
            client.post("/jobs", "application/json", &body),
            client.get(&format!("/runs/{encoded}")),
            client.get(&format!("/runs/{id}?again")),
            client.get(&format!("/logs/{small}/of?run={encoded}")),
        ]
    };
    for [recorded, own] in [
        [id(), id()],
        [urn(), urn()],
        ["run:2026@x1z9q8".to_owned(), "run:7@y2z9q8".to_owned()],
    ] {
        let gateway = gateway::record(&origin).start();
        steps(&client::http1(&gateway), &recorded);
        let folder = gateway.into_folder();
        // What the origin says to the same client without a gateway is what a replay says.
        let expected = gateway::record(&origin).start();
        let expected = steps(&client::http1(&expected), &own);
        for connect in client::VERSIONS {
            let replay = gateway::replay(&folder).section(DECLARED).start();
            let answers = steps(&connect(&replay), &own);
            for (answer, expected) in answers.iter().zip(&expected) {
                assert_eq!(answer.text(), expected.text(), "{own} for {recorded}");
                for name in ["location", "link"] {
                    assert_eq!(answer.header(name), expected.header(name), "{own}");
                }
            }
            // Another one is none of those.
            let other = connect(&replay).get(&format!("/runs/{}", urn().replace(':', "%3A")));
            assert_eq!(other.status, 404, "{}", other.text());
        }
    }
}

#[test]
fn ids_of_traces_come_back() {
    let answer = |seen: &Seen| {
        let value = |name: &str| seen.headers[name].to_str().unwrap();
        let trace = value("b3").split('-').next().unwrap();
        let parent = value("traceparent").split('-').nth(2).unwrap();
        let body = format!("{trace} {parent} {}", value("x-b3-spanid"));
        let names = ["b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid"];
        let reply = names.into_iter().fold(origin::text(&body), |reply, name| {
            reply.header(name, value(name))
        });
        reply.header("x-trace", trace)
    };
    let origin = origin::new().route("/*", answer).start();
    let hex = |size: usize| id().replace('-', "")[..size].to_owned();
    let ask = |client: &Client| {
        let [trace, span, parent] = [hex(32), hex(16), hex(16)];
        let fields = [
            ("b3", format!("{trace}-{span}-1")),
            ("traceparent", format!("00-{trace}-{parent}-01")),
            ("x-b3-traceid", trace.clone()),
            ("x-b3-spanid", span.clone()),
            ("x-b3-parentspanid", parent.clone()),
        ];
        let ask = client.ask("GET", "/");
        let ask = fields
            .iter()
            .fold(ask, |ask, (name, value)| ask.header(name, value));
        (
            ask.send(),
            fields,
            format!("{trace} {parent} {span}"),
            trace,
        )
    };
    let gateway = gateway::record(&origin).start();
    ask(&client::http1(&gateway));
    let folder = gateway.into_folder();
    for connect in client::VERSIONS {
        let replay = gateway::replay(&folder).start();
        let (answer, fields, body, trace) = ask(&connect(&replay));
        assert_eq!(answer.text(), body);
        assert_eq!(answer.header("x-trace"), trace);
        for (name, value) in fields.iter().filter(|(name, _)| name.contains("b3")) {
            assert_eq!(answer.header(name), value, "{name}");
        }
    }
}
