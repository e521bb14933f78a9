//! Headers that select what a server does or sends: operations, ranges and conditions (RFC 9110,
//! sections 13 and 14).

use std::sync::Arc;

use http::Version;

use crate::support::client::{self, Answer, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Origin, Reply, Seen};

const RESOURCE: &str = "0123456789abcdefghij";

const MODIFIED: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

/// An origin with a resource that has validators, and with operations that a header names.
fn origin() -> Origin {
    origin::new()
        .route("/file", file)
        .route("/operations", |seen| {
            origin::text(&format!("done {}", named(seen)))
        })
        .start()
}

/// What the headers of a request name.
fn named(seen: &Seen) -> String {
    let names = [
        "x-amz-target",
        "soapaction",
        "x-http-method-override",
        "dropbox-api-arg",
    ];
    let values = names.map(|name| header(seen, name).unwrap_or_default().to_owned());
    values.concat()
}

fn header<'a>(seen: &'a Seen, name: &str) -> Option<&'a str> {
    seen.headers.get(name).map(|value| value.to_str().unwrap())
}

fn file(seen: &Seen) -> Reply {
    let validators = |reply: Reply| {
        reply
            .header("etag", "\"one\"")
            .header("last-modified", MODIFIED)
            .header("content-md5", "of all bytes")
    };
    if header(seen, "if-none-match") == Some("\"one\"") {
        return validators(origin::status(304));
    }
    let Some(range) = header(seen, "range") else {
        return validators(origin::text(RESOURCE));
    };
    let (first, last) = range.trim_start_matches("bytes=").split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    validators(origin::text(&RESOURCE[first..=last]))
        .status(206)
        .header(
            "content-range",
            &format!("bytes {first}-{last}/{}", RESOURCE.len()),
        )
}

fn both(gateway: &Running) -> [Client; 2] {
    [Version::HTTP_11, Version::HTTP_2].map(|version| client::at(gateway.address, version))
}

fn ranged(client: &Client, range: &str) -> Answer {
    client.ask("GET", "/file").header("range", range).send()
}

/// A cassette with what `send` asks.
fn recorded(send: impl Fn(&Client)) -> Arc<Folder> {
    let origin = origin();
    let gateway = gateway::record(&origin).start();
    send(&client::http1(&gateway));
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    folder
}

#[test]
fn ranges_are_replayed_by_range_in_any_order() {
    let ranges = ["bytes=0-4", "bytes=5-9", "bytes=10-14"];
    let folder = recorded(|client| {
        for range in ranges {
            assert_eq!(ranged(client, range).status, 206);
        }
    });
    let gateway = gateway::replay(&folder).start();
    for client in both(&gateway) {
        for (range, text) in [
            (ranges[2], "abcde"),
            (ranges[0], "01234"),
            (ranges[1], "56789"),
        ] {
            assert_eq!(ranged(&client, range).text(), text, "{range}");
        }
        let missing = ranged(&client, "bytes=1-2");
        assert_eq!(
            (missing.status, missing.header("ouli-error")),
            (404, "miss")
        );
    }
}

#[test]
fn in_auto_each_range_is_asked_of_the_upstream() {
    let origin = origin();
    let gateway = gateway::auto(&origin).start();
    let client = client::http1(&gateway);
    client.get("/file");
    gateway.mark();
    for (range, text) in [("bytes=0-4", "01234"), ("bytes=5-9", "56789")] {
        assert_eq!(ranged(&client, range).text(), text, "{range}");
    }
    assert_eq!(client.get("/file").text(), RESOURCE);
    let asked: Vec<_> = origin
        .seen()
        .iter()
        .map(|seen| header(seen, "range").is_some())
        .collect();
    assert_eq!(asked, [false, true, true]);
}

#[test]
fn the_operation_of_a_header_is_compared() {
    let operations = [
        ("x-amz-target", "DynamoDB_20120810.ListTables"),
        ("x-amz-target", "DynamoDB_20120810.DescribeLimits"),
        ("soapaction", "\"urn:one\""),
        ("soapaction", "\"urn:two\""),
        ("x-http-method-override", "DELETE"),
        ("dropbox-api-arg", "{\"path\":\"/a\"}"),
    ];
    let ask = |client: &Client, (name, value): (&str, &str)| {
        let asked = client.ask("POST", "/operations").header(name, value);
        asked.body("{}").send()
    };
    let folder = recorded(|client| {
        for operation in operations {
            ask(client, operation);
        }
    });
    let gateway = gateway::replay(&folder).start();
    for client in both(&gateway) {
        for operation in operations.into_iter().rev() {
            let answer = ask(&client, operation);
            assert_eq!(answer.text(), format!("done {}", operation.1));
        }
        let miss = ask(&client, ("x-amz-target", "DynamoDB_20120810.DeleteTable"));
        assert_eq!(miss.status, 404);
        let difference = &miss.json()["nearest"][0]["differences"][0];
        assert_eq!(difference["part"], "header.x-amz-target");
        assert_eq!(difference["setting"], "matcher.ignore_headers");
        let toml = miss.json()["remedy"]["toml"].as_str().unwrap().to_owned();
        assert_eq!(toml, "[matcher]\nignore_headers = [\"x-amz-target\"]\n");
        // The settings do what the report says.
        let ignoring = gateway::replay(&folder).section(&toml).start();
        let answer = ask(
            &client::http1(&ignoring),
            ("x-amz-target", "DynamoDB_20120810.DeleteTable"),
        );
        assert_eq!(answer.status, 200);
    }
}

#[test]
fn not_modified_is_replayed_to_its_condition_only() {
    let folder = recorded(|client| {
        assert_eq!(client.get("/file").status, 200);
        let conditional = client
            .ask("GET", "/file")
            .header("if-none-match", "\"one\"");
        assert_eq!(conditional.send().status, 304);
    });
    let gateway = gateway::replay(&folder).start();
    for client in both(&gateway) {
        assert_eq!(client.get("/file").text(), RESOURCE);
        assert_eq!(client.get("/file").text(), RESOURCE);
        let conditional = client
            .ask("GET", "/file")
            .header("if-none-match", "\"one\"");
        assert_eq!(conditional.send().status, 304);
    }
    assert!(gateway.finish().unused.is_empty());
}

#[test]
fn a_whole_resource_serves_heads_parts_and_conditions() {
    let folder = recorded(|client| {
        client.get("/file");
    });
    let gateway = gateway::replay(&folder).start();
    for client in both(&gateway) {
        let head = client.ask("HEAD", "/file").send();
        assert_eq!((head.status, head.text()), (200, ""));
        assert_eq!(head.header("content-length"), "20");
        let part = ranged(&client, "bytes=-5");
        assert_eq!((part.status, part.text()), (206, "fghij"));
        assert_eq!(part.header("content-range"), "bytes 15-19/20");
        assert_eq!(part.header("content-length"), "5");
        assert_eq!(part.header("etag"), "\"one\"");
        assert!(!part.headers.contains_key("content-md5"));
        let beyond = ranged(&client, "bytes=20-");
        assert_eq!((beyond.status, beyond.text()), (416, ""));
        assert!(!beyond.header("date").is_empty(), "{beyond:?}");
        assert_eq!(beyond.header("content-range"), "bytes */20");
        let conditional =
            |name: &str, value: &str| client.ask("GET", "/file").header(name, value).send();
        let fresh = conditional("if-modified-since", MODIFIED);
        assert_eq!((fresh.status, fresh.text()), (304, ""));
        assert_eq!(fresh.header("etag"), "\"one\"");
        assert!(!fresh.headers.contains_key("content-type"));
        assert_eq!(conditional("if-none-match", "\"two\"").text(), RESOURCE);
        let failed = conditional("if-match", "\"two\"");
        assert_eq!((failed.status, failed.text()), (412, ""));
        assert!(!failed.header("date").is_empty(), "{failed:?}");
        let head = client
            .ask("HEAD", "/file")
            .header("if-none-match", "\"one\"");
        assert_eq!(head.send().status, 304);
    }
    // It can be replayed itself, and counts as used.
    let report = gateway.finish();
    assert_eq!((report.misses, report.unused.len()), (0, 0));
}

#[test]
fn a_whole_resource_that_a_condition_gave_serves_other_conditions() {
    let folder = recorded(|client| {
        let changed = client
            .ask("GET", "/file")
            .header("if-none-match", "\"old\"");
        assert_eq!(changed.send().status, 200);
    });
    let gateway = gateway::replay(&folder).start();
    let client = client::http1(&gateway);
    let conditional = |etag: &str| {
        let asked = client.ask("GET", "/file").header("if-none-match", etag);
        asked.send().status
    };
    assert_eq!(
        (conditional("\"older\""), conditional("\"one\"")),
        (200, 304)
    );
    assert_eq!(ranged(&client, "bytes=0-0").text(), "0");
}

#[test]
fn a_head_takes_the_next_response_and_no_other_method_does() {
    let folder = recorded(|client| {
        client.get("/missing");
        client.ask("DELETE", "/gone").send();
    });
    let gateway = gateway::replay(&folder).start();
    let client = client::http1(&gateway);
    let head = client.ask("HEAD", "/missing").send();
    assert_eq!((head.status, head.headers.get("ouli-error")), (404, None));
    let miss = client.ask("HEAD", "/gone").send();
    assert_eq!(miss.header("ouli-error"), "miss");
    // A part of what is no success is not sent.
    let part = client
        .ask("GET", "/missing")
        .header("range", "bytes=0-1")
        .send();
    assert_eq!(part.header("ouli-error"), "miss");
}

#[test]
fn settings_ignore_and_restore_headers() {
    let folder = recorded(|client| {
        ranged(client, "bytes=0-4");
    });
    for section in [
        "[matcher]\nignore_headers = [\"range\"]",
        "[matcher]\ndefaults = false",
    ] {
        let gateway = gateway::replay(&folder).section(section).start();
        let answer = ranged(&client::http1(&gateway), "bytes=5-9");
        assert_eq!(answer.text(), "01234", "{section}");
    }
}

#[test]
fn a_head_has_the_length_of_the_body_that_is_replayed() {
    let origin = origin::new()
        .route("/token", |_| {
            origin::json("{\"access_token\": \"0123456789abcdefghijklmnop\"}")
        })
        .route("/text", |_| origin::text("before"))
        .start();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    client.get("/token");
    client.get("/text");
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let edited = folder
        .text("default")
        .replace("\"before\"", "\"after the edit\"");
    std::fs::write(folder.cassette("default"), edited).unwrap();
    let gateway = gateway::replay(&folder).start();
    for client in both(&gateway) {
        for (path, length) in [("/token", 29), ("/text", 14)] {
            let whole = client.get(path);
            assert_eq!(whole.body.len(), length, "{}", whole.text());
            let head = client.ask("HEAD", path).send();
            assert_eq!(head.header("content-length"), length.to_string());
            assert_eq!(head.text(), "");
        }
    }
}

#[test]
fn if_range_holds_for_the_same_version_only() {
    let folder = recorded(|client| {
        client.get("/file");
    });
    let gateway = gateway::replay(&folder).start();
    let client = client::http1(&gateway);
    for (condition, status) in [
        ("\"one\"", 206),
        (MODIFIED, 206),
        ("W/\"one\"", 200),
        ("\"one\", \"two\"", 200),
        ("one", 200),
        ("*", 200),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 200),
        ("yesterday", 200),
    ] {
        let asked = client.ask("GET", "/file").header("range", "bytes=0-1");
        let answer = asked.header("if-range", condition).send();
        assert_eq!(answer.status, status, "{condition}");
    }
}
