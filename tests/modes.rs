//! The modes record, replay, auto and passthrough.

use std::sync::Arc;

use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{self, text};

/// An origin whose responses all differ.
fn counting() -> origin::Origin {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let handler = move |_: &origin::Seen| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        text(&format!("answer {number}"))
    };
    origin::new().route("/*", handler).start()
}

#[test]
fn auto_forwards_in_the_first_run_and_replays_in_the_next() {
    let origin = counting();
    let gateway = gateway::auto(&origin).start();
    let client = client::http1(&gateway);
    assert_eq!(client.get("/a").text(), "answer 0");
    assert_eq!(client.get("/a").text(), "answer 1");
    assert_eq!(client.get("/b").text(), "answer 2");
    gateway.mark();
    assert_eq!(client.get("/a").text(), "answer 0");
    assert_eq!(client.get("/a").text(), "answer 1");
    assert_eq!(client.get("/b").text(), "answer 2");
    assert_eq!(origin.seen().len(), 3);
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert_eq!((report.hits, report.recorded, report.misses), (3, 3, 0));
    assert_eq!(folder.exchanges("default").len(), 3);
}

#[test]
fn auto_continues_an_earlier_cassette() {
    let origin = counting();
    let gateway = gateway::auto(&origin).start();
    client::http1(&gateway).get("/a");
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let gateway = gateway::over(&folder, "auto")
        .upstream(&origin.url())
        .start();
    let client = client::http1(&gateway);
    assert_eq!(client.get("/a").text(), "answer 0");
    assert_eq!(client.get("/b").text(), "answer 1");
    gateway.stop();
    let ordinals: Vec<_> = folder
        .exchanges("default")
        .iter()
        .map(|one| one["exchange"].clone())
        .collect();
    assert_eq!(ordinals, [1, 2]);
}

#[test]
fn passthrough_writes_nothing() {
    let origin = counting();
    let gateway = gateway::passthrough(&origin).start();
    let client = client::http1(&gateway);
    assert_eq!(client.get("/a").text(), "answer 0");
    assert_eq!(client.get("/a").text(), "answer 1");
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let cassettes = crate::support::folder::files(&folder.cassettes());
    assert!(cassettes.is_empty(), "{cassettes:?}");
}

#[test]
fn replay_never_connects() {
    let origin = counting();
    let gateway = gateway::record(&origin).start();
    client::http1(&gateway).get("/a");
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let before = origin.connections();
    // The upstream is configured, but replay does not use it.
    let gateway = gateway::replay(&folder).upstream(&origin.url()).start();
    let client = client::http1(&gateway);
    assert_eq!(client.get("/a").text(), "answer 0");
    assert_eq!(client.get("/unknown").status, 404);
    assert_eq!(client.ask("POST", "/a").body("x").send().status, 404);
    gateway.stop();
    assert_eq!(origin.connections(), before);
}

#[test]
fn record_starts_a_new_cassette_and_keeps_a_backup() {
    let origin = counting();
    let folder = Arc::new(Folder::new());
    let run = |path: &str| {
        let gateway = gateway::over(&folder, "record")
            .upstream(&origin.url())
            .start();
        client::http1(&gateway).get(path);
        gateway.stop();
        folder.text("default")
    };
    let first = run("/first");
    let second = run("/second");
    let previous = folder.cassettes().join("default.jsons.previous");
    assert_eq!(std::fs::read_to_string(&previous).unwrap(), first);
    assert!(first.contains("/first") && !second.contains("/first") && second.contains("/second"));
    let third = run("/third");
    assert_eq!(std::fs::read_to_string(&previous).unwrap(), second);
    assert!(third.contains("/third"));
}

#[test]
fn record_does_not_touch_unused_sessions() {
    let origin = counting();
    let folder = Arc::new(Folder::new());
    let run = |session: &str| {
        let gateway = gateway::over(&folder, "record")
            .upstream(&origin.url())
            .start();
        let ask = client::http1(&gateway).ask("GET", "/x");
        ask.header("ouli-session", session).send();
        gateway.stop();
    };
    run("one");
    let one = folder.text("one");
    run("two");
    assert_eq!(folder.text("one"), one);
    assert!(!folder.cassettes().join("one.jsons.previous").exists());
}

#[test]
fn each_endpoint_has_its_mode() {
    let origin = counting();
    let folder = Arc::new(Folder::new());
    let url = origin.url();
    let more = format!(
        "[[endpoint]]\nname = \"other\"\nlisten = \"127.0.0.1:0\"\n\
         mode = \"passthrough\"\nupstream = \"{url}\"\n"
    );
    let gateway = gateway::over(&folder, "record")
        .upstream(&url)
        .section(&more)
        .start();
    let ask = |name: &str| {
        let listening = gateway.listening();
        let found = listening.iter().find(|one| one.endpoint == name).unwrap();
        client::at(found.address, http::Version::HTTP_11).get("/x")
    };
    ask("api");
    ask("other");
    gateway.stop();
    let exchanges = folder.exchanges("default");
    assert_eq!(exchanges.len(), 1);
    assert_eq!(exchanges[0]["endpoint"], "api");
}
