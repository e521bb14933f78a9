//! Requests whose upstream responds without the body, to `expect: 100-continue` (RFC 9110, section
//! 10.1.1): each client gets the recorded response, whether it waits for 100 (Continue) or not.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::peer;

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

/// An origin that wants `authorization` before it asks for a body.
fn guarded() -> SocketAddr {
    peer(|peer| {
        let head = peer.head();
        if head.contains("authorization: ") {
            peer.send(CONTINUE);
            let body = String::from_utf8(peer.bytes(4)).unwrap();
            peer.send(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n{body}"
            ));
        } else if !head.is_empty() {
            peer.send("HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno");
        }
    })
}

fn record(folder: &Arc<Folder>) -> Running {
    let gateway = gateway::over(folder, "record").upstream(&format!("http://{}", guarded()));
    gateway.start()
}

/// A request with four bytes of body, which the client sends once it is asked for them. True if it
/// was.
fn ask_and_wait(gateway: &Running, fields: &str) -> (bool, String) {
    let request = format!(
        "POST /upload HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\
         {fields}\r\n"
    );
    let mut raw = client::raw(gateway.address, request);
    let head = raw.head();
    if head != CONTINUE {
        return (false, head);
    }
    raw.write("body");
    (true, raw.head())
}

fn ask_at_once(client: &Client, fields: &[(&str, &str)], body: &str) -> u16 {
    let ask = client.ask("POST", "/upload");
    let ask = fields
        .iter()
        .fold(ask, |ask, (name, value)| ask.header(name, value));
    ask.body(body).send().status
}

#[test]
fn a_request_without_its_body_is_recorded_as_truncated() {
    for fields in [
        "",
        "content-type: application/json\r\n",
        "content-type: multipart/form-data; boundary=b\r\n",
        "content-type: text/plain\r\ncontent-encoding: gzip\r\n",
    ] {
        let folder = Arc::new(Folder::new());
        let gateway = record(&folder);
        let (asked, head) = ask_and_wait(&gateway, fields);
        assert!(!asked && head.starts_with("HTTP/1.1 401 "), "{head}");
        let report = gateway.finish();
        assert_eq!((report.recorded, report.passed), (1, true), "{report:?}");
        let request = &folder.exchanges("default")[0]["request"];
        assert_eq!(request["truncated_at"], 0, "{fields}");
        assert!(!request["headers"].to_string().contains("expect"));
        let replay = gateway::replay_repeating(&folder).start();
        let (asked, head) = ask_and_wait(&replay, fields);
        assert!(!asked && head.starts_with("HTTP/1.1 401 "), "{head}");
    }
}

#[test]
fn a_client_that_does_not_wait_gets_the_same_response() {
    let folder = Arc::new(Folder::new());
    let gateway = record(&folder);
    ask_and_wait(&gateway, "");
    gateway.stop();
    let gateway = gateway::replay_repeating(&folder).start();
    for client in [client::http1(&gateway), client::http2(&gateway)] {
        assert_eq!(ask_at_once(&client, &[], "body"), 401);
        assert_eq!(ask_at_once(&client, &[], "another body"), 401);
        let expect = [("expect", "100-continue")];
        assert_eq!(ask_at_once(&client, &expect, "body"), 401);
        // A request without a body has nothing that the upstream could refuse.
        assert_eq!(ask_at_once(&client, &[], ""), 404);
    }
}

#[test]
fn a_refused_request_and_its_repetition_are_replayed_in_order() {
    let folder = Arc::new(Folder::new());
    let gateway = record(&folder);
    let login = "authorization: Bearer token-of-the-test\r\n";
    assert!(ask_and_wait(&gateway, "").1.starts_with("HTTP/1.1 401 "));
    assert!(ask_and_wait(&gateway, login).1.starts_with("HTTP/1.1 200 "));
    gateway.stop();

    let replay = gateway::replay_repeating(&folder).start();
    let (asked, head) = ask_and_wait(&replay, "");
    assert!(!asked && head.starts_with("HTTP/1.1 401 "), "{head}");
    let (asked, head) = ask_and_wait(&replay, login);
    assert!(asked && head.starts_with("HTTP/1.1 200 "), "{head}");
    replay.stop();

    let replay = gateway::replay_repeating(&folder).start();
    let login = [("authorization", "Bearer token-of-the-test")];
    let client = client::http1(&replay);
    assert_eq!(ask_at_once(&client, &[], "body"), 401);
    assert_eq!(ask_at_once(&client, &login, "body"), 200);
    replay.stop();
}
