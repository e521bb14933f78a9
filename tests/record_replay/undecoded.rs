//! Bodies with a wrong `content-encoding` and bodies that cannot be decoded.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ouli_config::Defect;

use super::both_ways;
use super::coded_bytes::gzip;
use super::codings::TEXT;
use crate::support::client::{self, Answer, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Origin, bytes};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01";

/// The value of `content-encoding`, the content type, and the body.
type Case = (&'static str, &'static str, Vec<u8>);

/// Bodies that are recorded as they are received.
fn readable() -> Vec<Case> {
    let text = TEXT.as_bytes().to_vec();
    let json = b"{\"a\": [1, 2]}".to_vec();
    vec![
        ("none", "text/plain", text.clone()),
        ("none", "image/png", PNG.to_vec()),
        ("utf-8", "application/json", json.clone()),
        ("UTF-8", "application/octet-stream", vec![0, 159, 255]),
        ("identity", "application/octet-stream", vec![0, 159, 255]),
        ("aws-chunked", "image/png", PNG.to_vec()),
        ("aws-chunked", "text/plain", b"12 is no chunk\r\n".to_vec()),
        ("made-up", "text/plain", text.clone()),
        ("compress", "application/json", json.clone()),
        ("gzip", "application/json", json.clone()),
        ("gzip, gzip", "text/plain", gzip(TEXT, 2)),
        ("gzip", "image/png", PNG.to_vec()),
        ("deflate", "text/plain", text.clone()),
        ("br", "application/json", json.clone()),
        ("zstd, br, gzip, zstd, br", "text/plain", text),
    ]
}

/// Bodies that could hide a secret.
fn opaque() -> Vec<Case> {
    let mut damaged = gzip(TEXT, 6);
    let middle = damaged.len() - 6;
    damaged[middle] ^= 0xff;
    let truncated = gzip(TEXT, 6)[..20].to_vec();
    let base64 = STANDARD
        .encode(gzip("{\"password\": \"canary\"}", 6))
        .into_bytes();
    vec![
        ("gzip", "application/json", base64.clone()),
        ("base64", "text/plain", base64),
        ("compress", "text/plain", b"\x1f\x9d\x90g\xde\xbc".to_vec()),
        ("made-up", "image/png", PNG.to_vec()),
        ("gzip", "application/octet-stream", PNG.to_vec()),
        ("br", "image/png", gzip(TEXT, 6)),
        ("gzip", "text/plain", damaged),
        ("gzip", "image/png", truncated),
        ("zstd", "text/plain", b"\x28\xb5\x2f\xfd".to_vec()),
        ("gzip", "text/plain", gzip(TEXT, 6)[10..].to_vec()),
    ]
}

fn start(cases: Vec<Case>) -> Origin {
    let mut script = origin::new().route("/in", |seen| bytes(seen.body.clone()));
    for (index, (coding, content_type, body)) in cases.into_iter().enumerate() {
        script = script.route(&format!("/{index}"), move |_| {
            let reply = bytes(body.clone()).header("content-type", content_type);
            reply.header("content-encoding", coding)
        });
    }
    script.start()
}

/// Requests each case, and sends each as a request body.
fn ask_all(client: &Client, cases: &[Case]) -> Vec<Answer> {
    let get = |index: usize| client.get(&format!("/{index}"));
    let post = |(coding, content_type, body): &Case| {
        let ask = client
            .ask("POST", "/in")
            .header("content-type", content_type);
        ask.header("content-encoding", coding).body(body).send()
    };
    let responses = (0..cases.len()).map(get);
    responses.chain(cases.iter().map(post)).collect()
}

#[test]
fn readable_bodies_are_recorded_and_replayed_as_they_are() {
    let cases = readable();
    let origin = start(cases.clone());
    let gateway = gateway::record(&origin).start();
    let recorded = ask_all(&client::http1(&gateway), &cases);
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert_eq!(report.recorded, 2 * cases.len() as u64, "{report:#?}");
    assert!(report.passed, "{report:#?}");
    for ((coding, _, body), answer) in cases.iter().zip(&recorded) {
        assert_eq!(answer.body, body, "{coding}");
    }
    let exchanges = folder.exchanges("default");
    assert_eq!(exchanges[7]["response"]["undecoded"], true);
    assert_eq!(exchanges[7]["response"]["body"]["text"], TEXT);
    let gateway = gateway::over(&folder, "auto")
        .upstream(&origin.url())
        .start();
    assert_eq!(ask_all(&client::http1(&gateway), &cases), recorded);
    assert_eq!(gateway.finish().recorded, 0);
    origin.stop();
    for client in [client::http1, client::http2] {
        let gateway = gateway::replay(&folder).start();
        assert_eq!(ask_all(&client(&gateway), &cases), recorded);
    }
}

#[test]
fn opaque_bodies_are_served_and_fail_the_verdict_with_the_reason() {
    let cases = opaque();
    let origin = start(cases.clone());
    for builder in [gateway::record(&origin), gateway::auto(&origin)] {
        let gateway = builder.start();
        let answers = ask_all(&client::http1(&gateway), &cases);
        for ((coding, _, body), answer) in cases.iter().chain(&cases).zip(&answers) {
            assert_eq!(
                (answer.status, &answer.body[..]),
                (200, &body[..]),
                "{coding}"
            );
        }
        let folder = Arc::clone(&gateway.folder);
        let report = gateway.finish();
        assert_eq!(report.recorded, 0, "{report:#?}");
        assert_eq!(
            report.counted(Defect::Undecodable).values().sum::<u64>(),
            2 * cases.len() as u64
        );
        let is_explained = |reason: &String| reason.contains("its secrets cannot be found");
        assert!(
            report.counted(Defect::Undecodable).keys().all(is_explained),
            "{report:#?}"
        );
        assert!(!report.passed && folder.exchanges("default").is_empty());
    }
    let gateway = gateway::replay(&Arc::new(Folder::new())).start();
    for answer in ask_all(&client::http1(&gateway), &cases) {
        assert_eq!((answer.status, answer.header("ouli-error")), (404, "miss"));
    }
}

#[test]
fn requests_beyond_the_limits_of_decoding_are_forwarded_or_rejected() {
    let origin = origin::new()
        .route("/in", |_| origin::text("taken"))
        .start();
    let limits = "[limits]\ndecompressed_body = 100";
    let send = |gateway: &Running| {
        let ask = client::http1(gateway).ask("POST", "/in");
        let ask = ask.header("content-encoding", "gzip");
        ask.body(gzip("x".repeat(101), 6)).send()
    };
    for builder in [gateway::record(&origin), gateway::auto(&origin)] {
        let gateway = builder.section(limits).start();
        assert_eq!(send(&gateway).text(), "taken");
        let report = gateway.finish();
        assert_eq!((report.recorded, report.passed), (0, false), "{report:#?}");
    }
    let gateway = gateway::replay(&Arc::new(Folder::new()))
        .section(limits)
        .start();
    let rejected = send(&gateway);
    assert_eq!(rejected.status, 415);
    assert!(rejected.text().contains("limits.decompressed_body"));
}

#[test]
fn secrets_are_found_in_bodies_with_a_wrong_content_encoding() {
    let text = "{\"password\": \"canary-1c9e7d32\"}";
    let cases: Vec<Case> = ["gzip", "none", "made-up", "br"]
        .map(|coding| (coding, "application/json", text.as_bytes().to_vec()))
        .into();
    let origin = start(cases.clone());
    let gateway = gateway::record(&origin).start();
    ask_all(&client::http1(&gateway), &cases);
    let folder = Arc::clone(&gateway.folder);
    assert_eq!(gateway.finish().recorded, 8);
    for (path, bytes) in folder.files() {
        let found = memchr::memmem::find(&bytes, b"canary-1c9e7d32");
        assert!(found.is_none(), "{}", path.display());
    }
}

#[test]
fn events_with_a_wrong_content_encoding_are_events() {
    let handler = |_: &origin::Seen| {
        let reply = origin::parts().header("content-type", "text/event-stream");
        let reply = reply.header("content-encoding", "none");
        reply.part("data: 1\n\n").part("data: 2\n\n")
    };
    let origin = origin::new().route("/", handler).start();
    let (answer, folder) = both_ways(origin, |client| client.get("/"));
    assert_eq!(answer.text(), "data: 1\n\ndata: 2\n\n");
    assert_eq!(folder.exchanges("default")[0]["stream"]["unit"], "event");
}

#[test]
fn requests_match_across_codings() {
    let json = "{\"item\": \"tea\", \"n\": [1, 2, 3]}";
    let origin = origin::new()
        .route("/in", |_| origin::text("taken"))
        .start();
    let mut brotli = Vec::new();
    brotli::BrotliCompress(&mut json.as_bytes(), &mut brotli, &Default::default()).unwrap();
    let forms = [
        ("gzip", gzip(json, 9)),
        ("br", brotli),
        ("identity", json.as_bytes().to_vec()),
        ("gzip", json.as_bytes().to_vec()),
        ("", json.as_bytes().to_vec()),
    ];
    let ask = |client: &Client, (coding, body): &(&str, Vec<u8>)| {
        let ask = client
            .ask("POST", "/in")
            .header("content-type", "application/json");
        let ask = match coding {
            &"" => ask,
            coding => ask.header("content-encoding", coding),
        };
        ask.body(body).send()
    };
    let (_, folder) = super::record(&origin, |client| ask(client, &forms[0]));
    let gateway = gateway::replay(&folder).start();
    for form in &forms {
        assert_eq!(
            ask(&client::http1(&gateway), form).text(),
            "taken",
            "{}",
            form.0
        );
    }
    let other = ("gzip", gzip("{\"item\": \"cocoa\"}", 6));
    assert_eq!(ask(&client::http1(&gateway), &other).status, 404);
}
