//! Fields that are not recorded and that a replay generates.

use std::sync::Arc;

use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin;

const UUID: &str = "00000000-1111-4222-8333-444444444444";

#[test]
fn the_date_and_the_ids_of_a_request_are_renewed() {
    let origin = origin::new()
        .route("/a", |_| {
            origin::text("a")
                .header("x-request-id", UUID)
                .header("cf-ray", "0123456789abcdef-FRA")
                .header("age", "7")
                .header("x-own", "1")
        })
        .start();
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record")
        .upstream(&origin.url())
        .start();
    let recorded = client::http1(&gateway).get("/a");
    assert_eq!(recorded.header("x-request-id"), UUID);
    gateway.stop();
    let response = &folder.exchanges("default")[0]["response"];
    let omitted = serde_json::json!(["x-request-id", "cf-ray", "age", "date"]);
    assert_eq!(response["omitted"], omitted);
    assert!(!response["headers"].to_string().contains(UUID));
    let gateway = gateway::replay(&folder).start();
    let replayed = client::http1(&gateway).get("/a");
    // RFC 9110, section 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`.
    let date = replayed.header("date");
    assert!(date.len() == 29 && date.ends_with(" GMT"), "{date:?}");
    let id = replayed.header("x-request-id");
    let lengths: Vec<_> = id.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
    assert_ne!(id, UUID);
    assert_eq!(replayed.header("cf-ray").len(), 20);
    assert_eq!(replayed.header("age"), "", "the age of another response");
    let again = client::http2(&gateway).get("/a");
    assert_eq!(again.header("x-request-id"), id);
    assert_eq!(again.header("cf-ray"), replayed.header("cf-ray"));
}

#[test]
fn a_response_without_such_fields_gets_none() {
    let origin = origin::raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nx-own: 1\r\n\r\na");
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record")
        .upstream(&origin.url())
        .start();
    client::http1(&gateway).get("/a");
    gateway.stop();
    let gateway = gateway::replay(&folder).start();
    let replayed = client::http1(&gateway).get("/a");
    let names: Vec<_> = replayed.headers.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["content-length", "x-own"]);
}
