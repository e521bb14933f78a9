//! Invalid configurations, cassettes and requests: errors are reported, and no recording is lost.

use std::fs;
use std::sync::Arc;

use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder};
use crate::support::{client, origin};

fn refusal(builder: &Builder) -> String {
    let refused = builder.try_start().err();
    refused.expect("the gateway does not start").to_string()
}

fn empty() -> Builder {
    gateway::replay(&Arc::new(Folder::new()))
}

#[test]
fn a_toml_error_has_a_line_number() {
    let text = refusal(&empty().set("strict = tru"));
    assert!(text.contains("ouli.toml:4:"), "{text}");
}

#[test]
fn unknown_keys_are_reported_with_a_suggestion() {
    let cases = [
        (empty().set("cassetes = \"x\""), "cassetes", "cassettes"),
        (
            empty().endpoint("upsteam = \"http://x\""),
            "upsteam",
            "upstream",
        ),
        (
            empty().section("[limits]\nconections = 1"),
            "limits.conections",
            "connections",
        ),
        (
            empty().section("[redaction]\ndisabled_rule = []"),
            "redaction.disabled_rule",
            "did you mean `disabled_rules`?",
        ),
        (empty().section("[limit]\nsessions = 1"), "limit", "limits"),
        (
            empty().section("[limits]\nin_flight = 1"),
            "limits.in_flight",
            "this key was renamed; write `limits.max_concurrent_requests`",
        ),
        (
            empty().section("[redactor]\npointers = []"),
            "redactor.pointers",
            "this key was renamed; write `redactor.json_pointers`",
        ),
    ];
    for (builder, key, nearest) in cases {
        let text = refusal(&builder);
        assert!(
            text.contains(key) && text.contains(nearest),
            "{key}: {text}"
        );
    }
}

#[test]
fn all_configuration_errors_are_reported_at_once() {
    let builder = empty()
        .set("on_exhausted = \"never\"")
        .endpoint("tls = \"maybe\"");
    let text = refusal(&builder.section("[limits]\nsessions = 0\nidle_timeout = \"soon\""));
    let keys = [
        "on_exhausted",
        "endpoint.api.tls",
        "limits.sessions",
        "limits.idle_timeout",
    ];
    for key in keys {
        assert!(text.contains(key), "{key} not in:\n{text}");
    }
    assert_eq!(text.lines().count(), keys.len(), "{text}");
}

#[test]
fn a_port_in_use_is_reported() {
    let origin = origin::simple();
    let taken = format!("listen = \"{}\"", origin.address);
    let builder = empty();
    let config = builder.config().replace("listen = \"127.0.0.1:0\"", &taken);
    let options = builder.options();
    fs::write(options.base_dir.join("ouli.toml"), config).unwrap();
    let refused = ouli_proxy::gateway::Gateway::start(options)
        .err()
        .unwrap()
        .to_string();
    assert!(refused.contains(&origin.address.to_string()), "{refused}");
    assert!(refused.contains("is taken by another program"), "{refused}");
}

#[test]
fn an_upstream_that_is_down_is_a_502() {
    let origin = origin::simple();
    let (record, auto) = (gateway::record(&origin), gateway::auto(&origin));
    let passthrough = gateway::passthrough(&origin);
    let address = origin.address.to_string();
    origin.stop();
    for builder in [record, auto, passthrough] {
        let gateway = builder.start();
        let answer = client::http1(&gateway).get("/hello");
        assert_eq!(
            (answer.status, answer.header("ouli-error")),
            (502, "upstream")
        );
        assert!(answer.text().contains(&address), "{}", answer.text());
        assert!(gateway.folder.exchanges("default").is_empty());
    }
}

#[test]
fn an_upstream_that_speaks_no_http_is_a_502() {
    let raw = origin::raw(b"SSH-2.0-OpenSSH_9.9\r\n");
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record")
        .upstream(&raw.url())
        .start();
    let answer = client::http1(&gateway).get("/hello");
    assert_eq!(
        (answer.status, answer.header("ouli-error")),
        (502, "upstream")
    );
}

/// A cassette with the exchanges `/1`, `/2` and `/3`.
fn three() -> Arc<Folder> {
    let origin = origin::new()
        .route("/*", |seen| origin::text(&seen.target))
        .start();
    let gateway = gateway::record(&origin).start();
    for path in ["/1", "/2", "/3"] {
        client::http1(&gateway).get(path);
    }
    let folder = Arc::clone(&gateway.folder);
    assert_eq!(gateway.finish().recorded, 3);
    folder
}

/// The paths among `/1` to `/3` that a replay finds.
fn replayed(folder: &Arc<Folder>) -> Vec<&'static str> {
    let gateway = gateway::replay(folder).start();
    let client = client::http1(&gateway);
    let hit = |path: &&str| {
        let answer = client.get(path);
        assert!(answer.status == 404 || answer.text() == *path, "{answer:?}");
        answer.status == 200
    };
    ["/1", "/2", "/3"].into_iter().filter(hit).collect()
}

#[test]
fn a_cassette_truncated_at_any_byte_keeps_earlier_exchanges() {
    let folder = three();
    let whole = fs::read(folder.cassette("default")).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    let last = text.rfind("{\n  \"exchange\": 3").unwrap();
    let end = text.trim_end().len();
    let sessions = |cut: usize| format!("cut-{cut}");
    for cut in last..whole.len() {
        fs::write(folder.cassette(&sessions(cut)), &whole[..cut]).unwrap();
    }
    let gateway = gateway::replay(&folder)
        .section("[limits]\nsessions = 10000")
        .start();
    let client = client::http1(&gateway);
    for cut in last..whole.len() {
        let ask = |path| {
            let ask = client
                .ask("GET", path)
                .header("ouli-session", &sessions(cut));
            ask.send().status
        };
        // Without the final white space the third exchange is still complete.
        let third = if cut >= end { 200 } else { 404 };
        assert_eq!(
            [ask("/1"), ask("/2"), ask("/3")],
            [200, 200, third],
            "cut at byte {cut}"
        );
    }
    let report = gateway.session(&sessions(last + 10));
    assert_eq!(report.damage.len(), 1, "{report:#?}");
}

#[test]
fn a_torn_tail_is_moved_away_before_recording() {
    let folder = three();
    let text = folder.text("default");
    let cut = text.rfind("\"response\"").unwrap();
    fs::write(folder.cassette("default"), &text[..cut]).unwrap();
    let origin = origin::new()
        .route("/*", |seen| origin::text(&seen.target))
        .start();
    let gateway = gateway::over(&folder, "auto")
        .upstream(&origin.url())
        .start();
    let client = client::http1(&gateway);
    for path in ["/1", "/2", "/3"] {
        assert_eq!(client.get(path).text(), path);
    }
    drop(gateway);
    assert_eq!(
        origin.seen().len(),
        1,
        "only the torn exchange is requested"
    );
    assert_eq!(replayed(&folder), ["/1", "/2", "/3"]);
    let torn = fs::read_to_string(folder.cassettes().join("default.jsons.torn")).unwrap();
    assert!(torn.contains("\"target\": \"/3\""), "{torn}");
}

#[test]
fn damage_in_the_middle_loses_one_exchange() {
    let folder = three();
    let text = folder.text("default");
    let at = text.find("\"/2\"").unwrap();
    let damaged = format!("{}\0\"{}", &text[..at], &text[at + 3..]);
    fs::write(folder.cassette("default"), damaged).unwrap();
    assert_eq!(replayed(&folder), ["/1", "/3"]);
}

#[test]
fn an_edited_exchange_replays_unless_strict() {
    let folder = three();
    let text = folder
        .text("default")
        .replace("\"text\": \"/2\"", "\"text\": \"by hand\"");
    fs::write(folder.cassette("default"), text).unwrap();
    let gateway = gateway::replay(&folder).start();
    assert_eq!(client::http1(&gateway).get("/2").text(), "by hand");
    assert_eq!(gateway.finish().edited, [2]);
    let gateway = gateway::replay(&folder).set("strict = true").start();
    assert_eq!(client::http1(&gateway).get("/2").status, 404);
    let report = gateway.finish();
    assert_eq!((report.edited, report.passed), (vec![2], false));
}

#[test]
fn a_file_that_is_no_cassette_is_reported_and_not_changed() {
    let folder = Arc::new(Folder::new());
    fs::create_dir(folder.cassettes()).unwrap();
    for text in [
        "{ \"ouli-cassette\": 99, \"needs\": \"7.0.0\" }\n",
        "not json at all\n",
        "[]\n",
    ] {
        fs::write(folder.cassette("default"), text).unwrap();
        let refused = refusal(&gateway::replay(&folder));
        assert!(refused.contains("default"), "{text}: {refused}");
        assert_eq!(folder.text("default"), text);
    }
}

#[test]
fn a_bad_request_ends_its_own_connection_only() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin).start();
    let bad = [
        "GARBAGE\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ];
    for bytes in bad {
        let answer = client::raw(gateway.address, bytes).rest();
        assert!(
            answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.1 505 "),
            "{bytes:?}: {answer}"
        );
    }
    let both = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\
                transfer-encoding: chunked\r\n\r\n0\r\n\r\n\
                GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    drop(client::raw(gateway.address, both).head());
    assert!(origin.seen().iter().all(|seen| {
        seen.headers
            .get("content-length")
            .is_none_or(|length| length != "5")
    }));
    let answer = client::raw(
        gateway.address,
        "CONNECT a.example:443 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    )
    .head();
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    assert_eq!(client::http1(&gateway).get("/hello").status, 200);
}
