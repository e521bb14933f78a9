//! Responses that the server selected by a header: what `vary` names, and `accept` (RFC 9110,
//! section 12; RFC 9111, section 4.1).

use std::sync::Arc;

use http::Version;

use crate::support::client::{self, Answer, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Origin, Reply, Seen};
use crate::support::plugins::fixture;

/// Text in the language that is asked for, and a table in two types: with and without `vary`.
fn origin() -> Origin {
    origin::new()
        .route("/hello", |seen| {
            let language = header(seen, "accept-language");
            let reply = origin::text(&format!("hello in {language:?}"));
            reply.header(
                "vary",
                "Accept-Encoding, Accept-Language, Origin, User-Agent, *",
            )
        })
        .route("/any", |seen| {
            let language = header(seen, "accept-language");
            origin::text(&format!("any in {language:?}")).header("vary", "accept-language")
        })
        .route("/me", |seen| {
            let user = header(seen, "authorization").is_some();
            origin::text(&format!("user {user}")).header("vary", "authorization")
        })
        .route("/silent", table)
        .route("/table", |seen| table(seen).header("vary", "Accept"))
        .route("/file", |seen| {
            let language = header(seen, "accept-language").unwrap_or("no");
            let reply = origin::text(&format!("0123456789 {language}"));
            reply
                .header("vary", "accept-language")
                .header("etag", &format!("\"{language}\""))
        })
        .start()
}

fn table(seen: &Seen) -> Reply {
    match header(seen, "accept") {
        Some("text/csv") => origin::bytes("a,b").header("content-type", "text/csv"),
        _ => origin::json("[\"a\", \"b\"]"),
    }
}

fn header<'a>(seen: &'a Seen, name: &str) -> Option<&'a str> {
    seen.headers.get(name).map(|value| value.to_str().unwrap())
}

fn both(gateway: &Running) -> [Client; 2] {
    [Version::HTTP_11, Version::HTTP_2].map(|version| client::at(gateway.address, version))
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

fn by(client: &Client, path: &str, name: &str, value: &str) -> Answer {
    client.ask("GET", path).header(name, value).send()
}

fn in_language(client: &Client, language: &str) -> Answer {
    by(client, "/hello", "accept-language", language)
}

fn is_miss(answer: &Answer) -> bool {
    answer.status == 404 && answer.header("ouli-error") == "miss"
}

#[test]
fn languages_are_replayed_by_language_in_any_order() {
    let folder = recorded(|client| {
        for language in ["de", "fr", "de"] {
            in_language(client, language);
        }
        client.get("/hello");
    });
    for client in both(&gateway::replay(&folder).start()) {
        for language in ["fr", "de", "fr", "de", "de"] {
            let answer = in_language(&client, language);
            assert_eq!(answer.text(), format!("hello in Some({language:?})"));
        }
        assert_eq!(client.get("/hello").text(), "hello in None");
        assert!(is_miss(&in_language(&client, "es")));
    }
    let gateway = gateway::replay(&folder)
        .set("on_exhausted = \"miss\"")
        .start();
    let client = client::http1(&gateway);
    let statuses = |language: &str| [(); 3].map(|()| in_language(&client, language).status);
    assert_eq!(statuses("fr"), [200, 404, 404]);
    assert_eq!(statuses("de"), [200, 200, 404]);
}

#[test]
fn headers_that_tell_clients_apart_do_not_count_unless_they_are_named() {
    let folder = recorded(|client| {
        by(client, "/hello", "user-agent", "one");
    });
    let ask = |gateway: &Running, agent: &str| {
        let asked = client::http1(gateway).ask("GET", "/hello");
        let asked = asked.header("origin", "https://other.example");
        asked.header("user-agent", agent).send()
    };
    assert_eq!(ask(&gateway::replay(&folder).start(), "two").status, 200);
    let naming = gateway::replay(&folder)
        .section("[matcher]\nheaders = [\"user-agent\"]")
        .start();
    assert!(is_miss(&ask(&naming, "two")));
    assert_eq!(ask(&naming, "one").status, 200);
    let strict = gateway::replay(&folder)
        .section("[matcher]\ndefaults = false\nignore_headers = [\"user-agent\"]")
        .start();
    assert!(is_miss(&ask(&strict, "two")));
}

#[test]
fn a_type_is_replayed_to_requests_that_accept_it() {
    for path in ["/table", "/silent"] {
        let folder = recorded(|client| {
            by(client, path, "accept", "application/json");
            by(client, path, "accept", "text/csv");
        });
        let gateway = gateway::replay(&folder).start();
        for client in both(&gateway) {
            for _ in 0..2 {
                assert_eq!(by(&client, path, "accept", "text/csv").text(), "a,b");
                let json = by(&client, path, "accept", "application/json");
                assert_eq!(json.text(), "[\"a\", \"b\"]", "{path}");
            }
            assert!(is_miss(&by(&client, path, "accept", "application/xml")));
            // Without `vary` the server is asked for what it has.
            let any = by(&client, path, "accept", "application/*, text/plain");
            assert_eq!(is_miss(&any), path == "/table");
        }
    }
}

#[test]
fn in_auto_another_language_is_asked_of_the_upstream() {
    let origin = origin();
    let gateway = gateway::auto(&origin).start();
    for client in both(&gateway) {
        for language in ["de", "fr"] {
            in_language(&client, language);
        }
        gateway.mark();
    }
    let asked = origin.seen().len();
    for client in both(&gateway) {
        for language in ["fr", "es", "de"] {
            let answer = in_language(&client, language);
            assert_eq!(answer.text(), format!("hello in Some({language:?})"));
        }
    }
    let asked: Vec<_> = origin.seen().split_off(asked);
    let asked: Vec<_> = asked
        .iter()
        .map(|seen| header(seen, "accept-language"))
        .collect();
    // What the first client has got is not replayed to the second one.
    assert_eq!(asked, ["es", "fr", "es", "de"].map(Some));
}

#[test]
fn a_miss_names_the_header_and_a_setting_that_works() {
    for (path, name, value, other) in [
        ("/hello", "accept-language", "de", "fr"),
        ("/silent", "accept", "text/csv", "application/json"),
    ] {
        let folder = recorded(|client| {
            by(client, path, name, value);
        });
        let gateway = gateway::replay(&folder).start();
        let miss = by(&client::http2(&gateway), path, name, other);
        assert!(is_miss(&miss));
        let report = miss.json();
        let difference = &report["nearest"][0]["differences"][0];
        assert_eq!(difference["part"], format!("header.{name}"));
        assert_eq!(difference["sent"], format!("{other:?}"));
        assert_eq!(difference["recorded"], format!("{value:?}"));
        assert_eq!(difference["setting"], "matcher.ignore_headers");
        let toml = report["remedy"]["toml"].as_str().unwrap();
        assert_eq!(toml, format!("[matcher]\nignore_headers = [\"{name}\"]\n"));
        assert_eq!(report["remedy"]["also_matches"], serde_json::Value::Null);
        // The setting does what the report says.
        let ignoring = gateway::replay(&folder).section(toml).start();
        assert_eq!(by(&client::http1(&ignoring), path, name, other).status, 200);
    }
}

#[test]
fn a_miss_tells_what_else_the_setting_lets_in() {
    let folder = recorded(|client| {
        for language in ["de", "fr"] {
            in_language(client, language);
        }
    });
    let gateway = gateway::replay(&folder)
        .section("[matcher]\nheaders = [\"accept-language\"]")
        .start();
    let miss = in_language(&client::http1(&gateway), "es").json();
    assert_eq!(miss["remedy"]["also_matches"], serde_json::json!([2]));
    let toml = miss["remedy"]["toml"].as_str().unwrap();
    let ignoring = gateway::replay(&folder).section(toml).start();
    assert_eq!(in_language(&client::http1(&ignoring), "es").status, 200);
}

#[test]
fn a_secret_in_vary_counts_by_its_class() {
    let folder = recorded(|client| {
        by(client, "/me", "authorization", "Bearer 0123456789abcdef");
        client.get("/me");
    });
    let gateway = gateway::replay(&folder).start();
    let client = client::http1(&gateway);
    assert_eq!(client.get("/me").text(), "user false");
    let other = by(&client, "/me", "authorization", "Bearer fedcba9876543210");
    assert_eq!(other.text(), "user true");
}

#[test]
fn heads_parts_and_conditions_are_of_the_selected_resource() {
    let folder = recorded(|client| {
        for language in ["de", "fr"] {
            by(client, "/file", "accept-language", language);
        }
    });
    let gateway = gateway::replay(&folder).start();
    for client in both(&gateway) {
        for language in ["fr", "de"] {
            let ask = |method: &str| {
                let asked = client.ask(method, "/file");
                asked.header("accept-language", language)
            };
            let etag = format!("\"{language}\"");
            assert_eq!(ask("HEAD").send().header("etag"), etag);
            let part = ask("GET").header("range", "bytes=-2").send();
            assert_eq!((part.status, part.text()), (206, language));
            assert_eq!(ask("GET").header("if-none-match", &etag).send().status, 304);
        }
        let spanish = client.ask("HEAD", "/file").header("accept-language", "es");
        assert_eq!(spanish.send().header("ouli-error"), "miss");
    }
}

#[test]
fn a_plugin_says_what_counts() {
    let folder = recorded(|client| {
        for path in ["/hello", "/any"] {
            for language in ["de", "fr"] {
                by(client, path, "accept-language", language);
            }
        }
    });
    let gateway = gateway::replay(&folder)
        .plugin("varies.wasm", &fixture("varies"))
        .start();
    for client in both(&gateway) {
        for language in ["fr", "de"] {
            let answer = in_language(&client, language);
            assert_eq!(answer.text(), format!("hello in Some({language:?})"));
        }
        let miss = in_language(&client, "es");
        let difference = &miss.json()["nearest"][0]["differences"][0];
        assert_eq!(difference["part"], "header.accept-language");
        let hint = difference["hint"].as_str().unwrap();
        assert!(
            hint.contains("the matcher varies.wasm compares it"),
            "{hint}"
        );
        gateway.mark();
        let any = by(&client, "/any", "accept-language", "fr");
        assert_eq!(any.text(), "any in Some(\"de\")");
        gateway.mark();
    }
}

#[test]
fn json_is_compared_by_its_content_where_its_type_is_text_or_missing() {
    let folder = gateway::echoed(|client| {
        client.post("/", "text/plain", "{\"a\": 1}");
        client.post("/", "application/x-www-form-urlencoded", "a=1");
    });
    let gateway = gateway::replay(&folder).start();
    let client = client::http1(&gateway);
    let status = |content_type: &str, body: &str| client.post("/", content_type, body).status;
    assert_eq!(status("application/json", "{ \"a\":1 }"), 200);
    assert_eq!(status("application/octet-stream", "{ \"a\":1 }"), 404);
    assert_eq!(status("application/x-www-form-urlencoded", "a=1"), 200);
    assert_eq!(status("text/plain", "a=1"), 404);
}
