//! Session selection and isolation.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{self, Origin, text};

/// An origin with a counter for each value of the header `x-who` and one for requests without it.
fn counting() -> Origin {
    let count = AtomicUsize::new(0);
    let handler = move |seen: &origin::Seen| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let who = seen.headers.get("x-who");
        let who = who.map_or("nobody", |who| who.to_str().unwrap());
        text(&format!("{who} {number}"))
    };
    origin::new().route("/*", handler).start()
}

#[test]
fn a_session_is_chosen_by_header_alias_prefix_or_endpoint() {
    let origin = counting();
    let gateway = gateway::record(&origin)
        .endpoint("session = \"own\"")
        .start();
    let client = client::http1(&gateway);
    client
        .ask("GET", "/a")
        .header("ouli-session", "by-header")
        .send();
    client
        .ask("GET", "/a")
        .header("test-name", "by alias")
        .send();
    client.get("/__ouli/session/by-prefix/a?b=1");
    client
        .ask("GET", "/a")
        .header("ouli-session", "suite/login")
        .send();
    client.get("/a");
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    for session in ["by-header", "by_alias", "by-prefix", "suite/login", "own"] {
        assert_eq!(folder.exchanges(session).len(), 1, "{session}");
    }
    assert_eq!(
        folder.exchanges("by-prefix")[0]["request"]["target"],
        "/a?b=1"
    );
}

/// Records `times` responses to one request.
fn recorded(times: usize) -> Arc<Folder> {
    let origin = counting();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    for _ in 0..times {
        client.get("/next");
        client.get("/other");
    }
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    folder
}

#[test]
fn equal_requests_replay_in_the_order_of_their_key() {
    let folder = recorded(3);
    let gateway = gateway::replay(&folder).start();
    let client = client::http1(&gateway);
    let texts = |path: &str| client.get(path).text().to_owned();
    // Each key has its own position, and the last response repeats.
    let next: Vec<_> = (0..5).map(|_| texts("/next")).collect();
    assert_eq!(
        next,
        ["nobody 0", "nobody 2", "nobody 4", "nobody 4", "nobody 4"]
    );
    let other: Vec<_> = (0..2).map(|_| texts("/other")).collect();
    assert_eq!(other, ["nobody 1", "nobody 3"]);
    let report = gateway.finish();
    assert_eq!((report.hits, report.misses), (7, 0));
    assert_eq!(report.unused.len(), 1, "{:?}", report.unused);
}

#[test]
fn exhausted_exchanges_can_be_a_miss() {
    let folder = recorded(1);
    let gateway = gateway::replay(&folder)
        .set("on_exhausted = \"miss\"")
        .start();
    let client = client::http1(&gateway);
    assert_eq!(client.get("/next").status, 200);
    let answer = client.get("/next");
    assert_eq!((answer.status, answer.header("ouli-error")), (404, "miss"));
    assert!(answer.text().contains("exhausted"), "{}", answer.text());
    assert_eq!(gateway.finish().misses, 1);
}

#[test]
fn a_session_starts_at_its_first_exchange_in_every_run() {
    let folder = recorded(2);
    for _ in 0..2 {
        let gateway = gateway::replay(&folder).start();
        assert_eq!(client::http1(&gateway).get("/next").text(), "nobody 0");
    }
}

#[test]
fn twenty_sessions_run_side_by_side() {
    let origin = counting();
    let names: Vec<_> = (0..20).map(|number| format!("parallel-{number}")).collect();
    let ask = |client: &Client, name: &str| {
        let ask = |path| {
            let ask = client.ask("GET", path).header("ouli-session", name);
            ask.header("x-who", name).send().text().to_owned()
        };
        (0..10)
            .map(|number| ask(if number % 2 == 0 { "/a" } else { "/b" }))
            .collect::<Vec<_>>()
    };
    let all = |client: &Client| {
        std::thread::scope(|scope| {
            let started: Vec<_> = names
                .iter()
                .map(|name| scope.spawn(move || ask(client, name)))
                .collect();
            let ended = started.into_iter().map(|thread| thread.join().unwrap());
            ended.collect::<Vec<_>>()
        })
    };
    let gateway = gateway::record(&origin).start();
    let recorded = all(&client::http1(&gateway));
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    origin.stop();
    let gateway = gateway::replay(&folder).start();
    let replayed = all(&client::http1(&gateway));
    assert_eq!(replayed, recorded);
    for (name, answers) in names.iter().zip(&recorded) {
        assert!(
            answers
                .iter()
                .all(|answer| answer.starts_with(name.as_str()))
        );
        let report = gateway.session(name);
        assert_eq!(
            (report.hits, report.misses, report.exchanges),
            (10, 0, 10),
            "{name}"
        );
    }
}

#[test]
fn bad_names_are_refused_and_leave_nothing_behind() {
    let origin = counting();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    let before: Vec<_> = paths(gateway.folder.path());
    let long = "x".repeat(1025);
    for name in ["", &long, "a\tb"] {
        let answer = client.ask("GET", "/a").header("ouli-session", name).send();
        assert_eq!(
            (answer.status, answer.header("ouli-error")),
            (400, "session"),
            "{name:?}"
        );
        let answer = client.ask("GET", "/a").header("test-name", name).send();
        assert_eq!(answer.status, 400, "{name:?} as an alias");
    }
    for prefix in ["a%00b", "a%0ab", "%ff", "", &long] {
        let answer = client.get(&format!("/__ouli/session/{prefix}/a"));
        assert_eq!(
            (answer.status, answer.header("ouli-error")),
            (400, "session"),
            "{prefix:?}"
        );
    }
    for (name, reason) in [
        ("a\tb", r"control character '\\t'"),
        ("a\u{85}b", r"control character '\\u{85}'"),
        ("a\u{85}", r"control character '\\u{85}'"),
    ] {
        let answer = client.ask("GET", "/a").header("ouli-session", name).send();
        assert!(answer.text().contains(reason), "{}", answer.text());
    }
    let nul = b"GET /a HTTP/1.1\r\nhost: x\r\nouli-session: a\0b\r\nconnection: close\r\n\r\n";
    let answer = client::raw(gateway.address, nul).rest();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(
        origin.seen().is_empty(),
        "a request with an invalid session was forwarded"
    );
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    assert_eq!(paths(folder.path()), before);
}

fn paths(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let files = crate::support::folder::files(folder).into_iter();
    files.map(|(path, _)| path).collect()
}

#[test]
fn one_spelling_of_a_name_is_one_session() {
    let origin = counting();
    let gateway = gateway::auto(&origin)
        .set("on_exhausted = \"repeat\"")
        .start();
    let client = client::http1(&gateway);
    let ask = |name| client.ask("GET", "/a").header("ouli-session", name).send();
    let first = ask("two words");
    let mark = client.ask("POST", "/__ouli/sessions/two_words/mark");
    assert_eq!(mark.send().status, 200);
    assert_eq!(ask("two_words"), first);
    assert_eq!(client.get("/__ouli/session/two%20words/a"), first);
    assert_eq!(origin.seen().len(), 1);
}
