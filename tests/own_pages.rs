//! The pages under `/__ouli/`: who may ask, methods, sessions that were never used.

use std::sync::Arc;

use crate::runs::{counting, recorded};
use crate::support::client;
use crate::support::folder;
use crate::support::gateway;

#[test]
fn the_pages_of_a_session_have_the_rules_of_admin_pages() {
    let gateway = gateway::replay(&recorded()).start();
    let client = client::http1(&gateway);
    let path = "/__ouli/sessions/default/mark";
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let answer = client.ask("POST", path).header(name, value).send();
        assert_eq!(
            (answer.status, answer.header("ouli-error")),
            (403, "forbidden"),
            "{name}"
        );
    }
    let answer = client.get("/__ouli/sessions/unknown");
    assert_eq!(
        (answer.status, answer.header("ouli-error")),
        (404, "session")
    );
    let answer = client.ask("POST", "/__ouli/sessions/a%0Ab/mark").send();
    assert_eq!(
        (answer.status, answer.header("ouli-error")),
        (400, "session")
    );
    let report = gateway.finish();
    assert_eq!((report.hits, report.misses), (0, 0));
}

#[test]
fn a_page_names_its_methods() {
    let gateway = gateway::replay(&recorded()).start();
    for client in [client::http1(&gateway), client::http2(&gateway)] {
        for (method, path, allow) in [
            ("POST", "/__ouli/plugins", "GET, HEAD"),
            ("PUT", "/__ouli/healthz", "GET, HEAD"),
            ("DELETE", "/__ouli/sessions/default", "GET, HEAD"),
            ("POST", "/__ouli/sessions/default", "GET, HEAD"),
            ("PUT", "/__ouli/sessions/default/mark", "GET, HEAD, POST"),
            ("GET", "/__ouli/sessions/default/mark", "POST"),
            ("HEAD", "/__ouli/sessions/default/mark", "POST"),
        ] {
            let answer = client.ask(method, path).send();
            assert_eq!(
                (answer.status, answer.header("allow")),
                (405, allow),
                "{method} {path}"
            );
            let is_shown = method == "HEAD" || answer.text().contains(allow);
            assert!(is_shown, "{}", answer.text());
        }
        let cross = client.ask("POST", "/__ouli/plugins");
        let cross = cross.header("sec-fetch-site", "cross-site").send();
        assert_eq!(cross.status, 403, "a foreign page learns nothing");
    }
    let report = gateway.finish();
    assert_eq!((report.hits, report.misses), (0, 0));
}

#[test]
fn head_of_a_page_has_the_fields_of_get() {
    let gateway = gateway::replay(&recorded()).start();
    for client in [client::http1(&gateway), client::http2(&gateway)] {
        for path in [
            "/__ouli/plugins",
            "/__ouli/healthz",
            "/__ouli/sessions/default",
            "/__ouli/sessions/unknown",
            "/__ouli/none",
        ] {
            let get = client.get(path);
            let head = client.ask("HEAD", path).send();
            assert_eq!((head.status, head.text()), (get.status, ""), "{path}");
            let length = get.text().len().to_string();
            assert_eq!(head.header("content-length"), length, "{path}");
            assert_eq!(head.header("content-type"), get.header("content-type"));
        }
    }
    gateway.finish();
}

#[test]
fn a_mark_on_a_session_without_a_request_creates_nothing() {
    let origin = counting();
    for builder in [
        gateway::record(&origin),
        gateway::auto(&origin),
        gateway::replay(&recorded()),
    ] {
        let gateway = builder.section("[limits]\nsessions = 8").start();
        let files = folder::files(gateway.folder.path()).len();
        let client = client::http1(&gateway);
        let unknown = (0..40).map(|number| format!("unknown-{number}"));
        // The session of the endpoint had none either.
        for name in unknown.chain(["default".to_owned()]) {
            let mark = client.ask("POST", &format!("/__ouli/sessions/{name}/mark"));
            let mark = mark.send();
            assert_eq!((mark.status, mark.text()), (204, ""), "{name}");
        }
        assert!(gateway.session_names().iter().all(|name| name == "default"));
        let folder = Arc::clone(&gateway.folder);
        gateway.stop();
        assert_eq!(folder::files(folder.path()).len(), files);
    }
}
