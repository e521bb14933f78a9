//! Names of sessions: the ids of tests, their files, and the paths that are the gateway's own.

use std::sync::Arc;

use crate::support::binary::program;
use crate::support::client::{self, Client};
use crate::support::folder::{self, Folder};
use crate::support::gateway;
use crate::support::origin::{self, text};

/// The ids that pytest prints for tests with parameters, and other names of tests.
const IDS: [(&str, &str); 12] = [
    ("test_foo[param1-2]", "test_foo[param1-2]"),
    ("a.py::test_b", "a.py%3a%3atest_b"),
    (
        "tests/unit/test_cart.py::TestCart::test_add[1-None-True]",
        "tests/unit/test_cart.py%3a%3a+Test+Cart%3a%3atest_add[1-+None-+True]",
    ),
    (
        "test_url[https://x/?a=b]",
        "test_url[https%3a%2f%2fx/%3fa=b]",
    ),
    ("test_text[a b]", "test_text[a%20b]"),
    ("test_text[a_b]", "test_text[a_b]"),
    ("test_text[50%]", "test_text[50%25]"),
    ("test_text[\\u00e9]", "test_text[%5cu00e9]"),
    ("TestAdd/one=1#01", "+Test+Add/one=1%2301"),
    ("caf\u{e9} \u{1f980}", "caf%c3%a9%20%f0%9f%a6%80"),
    ("../../stolen", "%2e%2e/%2e%2e/stolen"),
    (".hidden", "%2ehidden"),
];

fn counting() -> origin::Origin {
    let handler = |seen: &origin::Seen| text(&format!("for {}", seen.target));
    origin::new().route("/*", handler).start()
}

/// The name as a header has it.
fn by_header(client: &Client, name: &str, path: &str) -> client::Answer {
    client.ask("GET", path).header("ouli-session", name).send()
}

/// The name as a base URL has it.
fn in_path(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/:[].-_".contains(&byte);
    let encoded = name.bytes().map(|byte| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[test]
fn each_id_of_a_test_is_a_session_with_a_file() {
    let origin = counting();
    let outer = Folder::new();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    for (at, (name, _)) in IDS.iter().enumerate() {
        assert_eq!(
            by_header(&client, name, &format!("/{at}")).status,
            200,
            "{name}"
        );
        let path = format!("/__ouli/session/{}/__ouli/again?{at}", in_path(name));
        assert_eq!(client.get(&path).status, 200, "{path}");
    }
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    for (at, (name, file)) in IDS.iter().enumerate() {
        let targets: Vec<_> = folder
            .exchanges(file)
            .iter()
            .map(|it| it["request"]["target"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(
            targets,
            [format!("/{at}"), format!("/again?{at}")],
            "{name}"
        );
    }
    assert_eq!(folder::files(outer.path()), []);

    let gateway = gateway::replay(&folder).start();
    let client = client::http1(&gateway);
    for (at, (name, _)) in IDS.iter().enumerate() {
        let path = format!("/{at}");
        assert_eq!(
            by_header(&client, name, &path).text(),
            format!("for {path}"),
            "{name}"
        );
        let page = client.get(&format!("/__ouli/sessions/{}", in_path(name)));
        assert_eq!(
            (&page.json()["session"], page.status),
            (&(*name).into(), 200)
        );
        assert_eq!(gateway.session(name).hits, 1, "{name}");
    }
    gateway.stop();

    let listed = program(&folder, &["cassette", "list"]).run();
    for (name, _) in IDS {
        assert!(
            listed.stdout.contains(&format!("{name}  2 exchanges")),
            "{}",
            listed.stdout
        );
        let shown = program(&folder, &["cassette", "show", name]).run();
        assert!(shown.stdout.contains("/again?"), "{name}: {}", shown.stderr);
    }
}

#[test]
fn names_that_differ_in_case_or_normal_form_are_two_sessions() {
    let origin = counting();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    let names = ["t[A]", "t[a]", "t[\u{e9}]", "t[e\u{301}]"];
    for (at, name) in names.iter().enumerate() {
        by_header(&client, name, &format!("/{at}"));
    }
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let files = ["t[+A]", "t[a]", "t[%c3%a9]", "t[e%cc%81]"];
    for (at, file) in files.iter().enumerate() {
        assert_eq!(
            folder.exchanges(file)[0]["request"]["target"],
            format!("/{at}")
        );
    }
}

#[test]
fn a_long_id_has_a_path_of_several_folders() {
    let origin = counting();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    let long = format!("test_long[{}]", "\u{e9}".repeat(500));
    assert_eq!(by_header(&client, &long, "/a").status, 200);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let files = folder::files(&folder.cassettes());
    let longest = files
        .iter()
        .flat_map(|(path, _)| path.iter().map(|part| part.len()));
    assert!(longest.max().unwrap() < 255);
    let gateway = gateway::replay(&folder).start();
    assert_eq!(
        by_header(&client::http1(&gateway), &long, "/a").text(),
        "for /a"
    );
}

#[test]
fn pages_that_do_not_exist_are_no_defect_of_the_recording() {
    let origin = counting();
    let gateway = gateway::auto(&origin).start();
    let client = client::http1(&gateway);
    assert_eq!(client.get("/a").status, 200);
    for page in ["plugins", "sessions"] {
        // A browser asks for the icon of each page.
        let ask = client.ask("GET", "/favicon.ico");
        let ask = ask.header(
            "referer",
            &format!("http://{}/__ouli/{page}", gateway.address),
        );
        let answer = ask.send();
        assert_eq!(
            (answer.status, answer.header("ouli-error")),
            (404, "page"),
            "{page}"
        );
    }
    assert_eq!(client.get("/__ouli/plugin").status, 404);
    let report = gateway.finish();
    assert!(report.passed, "{report:#?}");
    // The icon of another page is the upstream's, and a request in a session is one of a test.
    let gateway = gateway::auto(&origin).start();
    let ask = client::http1(&gateway).ask("GET", "/favicon.ico");
    let referer = format!("http://{}/__ouli/session/a/page", gateway.address);
    assert_eq!(ask.header("referer", &referer).send().status, 200);
    assert_eq!(client::http1(&gateway).get("/__ouli/session").status, 404);
    assert!(!gateway.stop().passed);
}

#[test]
fn own_paths_without_a_page_never_reach_the_upstream() {
    let origin = counting();
    for builder in [
        gateway::record(&origin),
        gateway::auto(&origin),
        gateway::passthrough(&origin),
    ] {
        let gateway = builder.start();
        let client = client::http1(&gateway);
        for path in [
            "/__ouli",
            "/__ouli/",
            "/__ouli/anything-else",
            "/__ouli/session",
            "/__ouli/sessions",
            "/__ouli/plugins/",
            "/__ouli?plugins",
            "/__ouli/session/a/__ouli/__ouli/plugins",
        ] {
            for method in ["GET", "POST"] {
                let answer = client.ask(method, path).send();
                assert_eq!(
                    (answer.status, answer.header("ouli-error")),
                    (404, "page"),
                    "{path}"
                );
                assert!(
                    answer.text().contains("GET /__ouli/plugins"),
                    "{}",
                    answer.text()
                );
            }
        }
        assert_eq!(client.get("/__oulix").status, 200);
    }
    let targets: Vec<_> = origin.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/__oulix"; 3]);
}

#[test]
fn no_session_excludes_another_one() {
    let names = [
        ("x", "x"),
        ("X", "+X"),
        ("x.jsons/y", "x%2ejsons/y"),
        ("x.jsons.recording/y", "x.jsons%2erecording/y"),
        ("default.jsons/a", "default%2ejsons/a"),
        ("default", "default"),
    ];
    let reversed: Vec<_> = names.into_iter().rev().collect();
    for order in [names.to_vec(), reversed] {
        let origin = counting();
        let gateway = gateway::record(&origin).start();
        let client = client::http1(&gateway);
        for (name, _) in &order {
            assert_eq!(by_header(&client, name, "/a").status, 200);
        }
        let folder = Arc::clone(&gateway.folder);
        let verdict = gateway.stop();
        assert!(verdict.passed, "{}", verdict.to_text());
        for (name, file) in names {
            assert_eq!(folder.exchanges(file).len(), 1, "{name}");
        }
        // Under its former name, a cassette is still the session's.
        let cassettes = folder.cassettes();
        std::fs::rename(cassettes.join("+X.jsons"), cassettes.join("X.jsons")).unwrap();
        let gateway = gateway::replay(&folder).start();
        for (name, _) in names {
            assert_eq!(by_header(&client::http1(&gateway), name, "/a").status, 200);
        }
    }
}
