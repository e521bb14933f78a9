//! A client gets the coded bytes that were recorded, unless redaction changed the body.

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

use super::codings::{TEXT, encoded};
use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Gate, Origin, Reply, bytes};
use crate::support::until;

pub(super) fn gzip(text: impl AsRef<[u8]>, level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(text.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// The output of `gzip`, with the name and the time of the file.
fn named_gzip(name: &str, text: &str) -> Vec<u8> {
    let builder = flate2::GzBuilder::new().filename(name).mtime(1_700_000_000);
    let mut encoder = builder.write(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(text: &str) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn brotli(text: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut coded, 4096, 11, 24);
    writer.write_all(text).unwrap();
    drop(writer);
    coded
}

/// Values of `content-encoding`, each with a body that differs from the output of the gateway's
/// encoders.
fn variants() -> Vec<(&'static str, Vec<u8>)> {
    let half = TEXT.len() / 2;
    let members = [gzip(&TEXT[..half], 1), gzip(&TEXT[half..], 9)].concat();
    vec![
        ("gzip", gzip(TEXT, 1)),
        ("GZip", named_gzip("good-morning.txt", TEXT)),
        ("x-gzip", members.clone()),
        ("gzip", [&members[..], &[0; 300]].concat()),
        ("gzip", [&members[..], b"and a tail of text"].concat()),
        ("deflate", raw_deflate(TEXT)),
        ("deflate", encoded("deflate").to_vec()),
        ("br", brotli(TEXT.as_bytes())),
        ("zstd", zstd::encode_all(TEXT.as_bytes(), 19).unwrap()),
        ("gzip, br", brotli(&gzip(TEXT, 6))),
        (" , gzip,, identity", gzip(TEXT, 2)),
        ("gzip, gzip", gzip(TEXT, 3)),
        ("gzip", gzip("", 6)),
    ]
}

/// Serves the variants at `/0`, `/1` and so on.
fn start_origin() -> Origin {
    let mut script = origin::new();
    for (index, (coding, body)) in variants().into_iter().enumerate() {
        script = script.route(&format!("/{index}"), move |_| {
            let reply = bytes(body.clone()).header("content-type", "text/plain");
            let reply = reply.header("content-encoding", coding);
            reply
                .header("etag", "\"1\"")
                .header("repr-digest", "sha-256=:AAAA:")
        });
    }
    script.start()
}

fn ask_all(client: &Client) -> Vec<client::Answer> {
    let targets = (0..variants().len()).map(|index| format!("/{index}"));
    let ask = |target: String| {
        let ask = client.ask("GET", &target);
        ask.header("accept-encoding", "gzip, deflate, br, zstd")
            .send()
    };
    targets.map(ask).collect()
}

fn record_all(origin: &Origin) -> (Vec<client::Answer>, Arc<Folder>) {
    let gateway = gateway::record(origin).start();
    let answers = ask_all(&client::http1(&gateway));
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert_eq!(report.recorded, answers.len() as u64, "{report:#?}");
    assert!(report.passed, "{report:#?}");
    (answers, folder)
}

#[test]
fn the_recorded_coded_bytes_are_replayed() {
    let origin = start_origin();
    let (recorded, folder) = record_all(&origin);
    for ((coding, body), answer) in variants().iter().zip(&recorded) {
        assert_eq!(answer.body, body, "{coding}");
    }
    let exchanges = folder.exchanges("default");
    for exchange in &exchanges[..exchanges.len() - 1] {
        assert_eq!(exchange["response"]["body"]["text"], TEXT, "{exchange:#}");
    }
    let (_, again) = record_all(&origin);
    assert_eq!(folder.text("default"), again.text("default"));
    let check = |gateway: Running, client: fn(&Running) -> Client| {
        assert_eq!(ask_all(&client(&gateway)), recorded);
        assert_eq!(gateway.finish().misses, 0);
    };
    check(
        gateway::over(&folder, "auto")
            .upstream(&origin.url())
            .start(),
        client::http1,
    );
    origin.stop();
    check(gateway::replay(&folder).start(), client::http1);
    check(gateway::replay(&folder).start(), client::http2);
}

#[test]
fn large_coded_bodies_are_stored_as_files() {
    let text: String = (0..200_000_u32)
        .map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761)))
        .collect();
    let body = named_gzip("numbers.txt", &text);
    let sent = body.clone();
    let handler = move |_: &origin::Seen| bytes(sent.clone()).header("content-encoding", "gzip");
    let origin = origin::new().route("/large", handler).start();
    let (_, folder) = super::both_ways(origin, |client| client.get("/large"));
    let exchange = &folder.exchanges("default")[0];
    assert_eq!(exchange["response"]["body"]["size"], text.len());
    assert_eq!(exchange["response"]["coded"]["size"], body.len());
}

#[test]
fn a_redacted_body_is_coded_anew_without_the_digests_of_the_recorded_bytes() {
    const SECRET: &str = "canary-7f3a9c21";
    let text = format!("{{\"password\": \"{SECRET}\", \"n\": 1}}");
    let body = gzip(&text, 1);
    let sent = body.clone();
    let handler = move |_: &origin::Seen| {
        let reply = bytes(sent.clone()).header("content-type", "application/json");
        let reply = reply.header("content-encoding", "gzip");
        reply.header("content-md5", "AAAA").header("etag", "\"1\"")
    };
    let origin = origin::new().route("/", handler).start();
    let (_, folder) = super::record(&origin, |client| client.get("/"));
    let response = &folder.exchanges("default")[0]["response"];
    assert!(response.get("coded").is_none(), "{response:#}");
    let gateway = gateway::replay(&folder).start();
    let answer = client::http1(&gateway).get("/");
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert_eq!(
        (answer.header("content-md5"), answer.header("etag")),
        ("", "\"1\"")
    );
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    decoder.write_all(&answer.body).unwrap();
    let expected = text.replace(SECRET, "<password-1>");
    assert_eq!(decoder.finish().unwrap(), expected.as_bytes());
}

#[test]
fn a_redacted_body_without_coding_has_no_digests_of_the_recorded_bytes() {
    const DIGESTS: [&str; 5] = [
        "x-amz-crc32",
        "x-amz-checksum-sha256",
        "x-goog-hash",
        "content-md5",
        "docker-content-digest",
    ];
    let digested = |text: &'static str| {
        let reply = bytes(text).header("content-type", "application/json");
        let names = DIGESTS.into_iter();
        names.fold(reply, |reply, name| reply.header(name, "AAAA"))
    };
    let origin = origin::new()
        .route("/secret", move |_| {
            digested("{\"password\": \"canary-7f3a9c21\"}")
        })
        .route("/plain", move |_| digested("{\"n\": 1}"))
        .start();
    let gateway = gateway::record(&origin).start();
    for path in ["/secret", "/plain"] {
        client::http1(&gateway).get(path);
    }
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let gateway = gateway::replay(&folder).start();
    let client = client::http1(&gateway);
    for (path, expected) in [("/secret", ""), ("/plain", "AAAA")] {
        let answer = client.get(path);
        for name in DIGESTS {
            assert_eq!(answer.header(name), expected, "{path} {name}");
        }
    }
}

/// Records a JSON body whose coded form contains more than the body.
fn record_with_secret(coded: Vec<u8>) -> (Running, client::Answer) {
    let handler = move |_: &origin::Seen| {
        let reply = bytes(coded.clone()).header("content-type", "application/json");
        reply.header("content-encoding", "gzip")
    };
    let origin = origin::new().route("/", handler).start();
    let gateway = gateway::record(&origin).start();
    let ask = client::http1(&gateway).ask("GET", "/");
    let answer = ask.header("x-api-key", "canary-5d1e8b47").send();
    (gateway, answer)
}

#[test]
fn coded_bytes_that_hide_a_secret_are_not_kept() {
    let text = "{\"n\": 1}";
    for name in ["canary-5d1e8b47", "password=canary-99c1d2e3"] {
        let (gateway, _) = record_with_secret(named_gzip(name, text));
        let folder = Arc::clone(&gateway.folder);
        assert_eq!(gateway.finish().recorded, 1, "{name}");
        let response = &folder.exchanges("default")[0]["response"];
        assert!(response.get("coded").is_none(), "{name}: {response:#}");
    }
    for tail in [
        "canary-5d1e8b47",
        "{\"password\": \"canary-99c1d2e3\"}",
        "\u{1}\u{2}",
    ] {
        let coded = [&gzip(text, 6)[..], tail.as_bytes()].concat();
        let (gateway, answer) = record_with_secret(coded.clone());
        assert_eq!(answer.body, coded, "the client gets the response");
        let report = gateway.finish();
        assert_eq!((report.recorded, report.passed), (0, false), "{report:#?}");
    }
}

/// Rewrites the exchanges of a cassette as an editor or an older version would.
fn rewrite(folder: &Folder, edit: impl Fn(&mut serde_json::Value)) {
    let mut text = String::from("{ \"ouli-cassette\": 1 }\n");
    for mut exchange in folder.exchanges("default") {
        edit(&mut exchange);
        text += &format!("{exchange:#}\n");
    }
    std::fs::write(folder.cassette("default"), text).unwrap();
}

#[test]
fn cassettes_without_coded_bytes_and_edited_ones_are_coded_anew() {
    let reply = |text: &str| -> Reply {
        let reply = bytes(gzip(text, 1)).header("content-type", "text/plain");
        reply
            .header("content-encoding", "gzip")
            .header("digest", "md5=AAAA")
    };
    let origin = origin::new().route("/", move |_| reply(TEXT)).start();
    let (_, folder) = super::record(&origin, |client| client.get("/"));
    let replayed = |expected: &str| {
        let gateway = gateway::replay(&folder).start();
        let answer = client::http1(&gateway).get("/");
        assert_eq!(answer.header("content-encoding"), "gzip");
        assert_eq!(answer.header("digest"), "");
        let mut decoder = flate2::write::GzDecoder::new(Vec::new());
        decoder.write_all(&answer.body).unwrap();
        assert_eq!(decoder.finish().unwrap(), expected.as_bytes());
    };
    rewrite(&folder, |exchange| {
        exchange["response"]["body"]["text"] = "another text".into();
    });
    replayed("another text");
    rewrite(&folder, |exchange| {
        let response = exchange["response"].as_object_mut().unwrap();
        assert!(response.remove("coded").is_some());
    });
    replayed("another text");
}

#[test]
fn events_keep_their_coded_bytes() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let mut coded = Vec::new();
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        encoder.write_all(event.as_bytes()).unwrap();
        encoder.flush().unwrap();
        coded.push(Bytes::from(std::mem::take(encoder.get_mut())));
    }
    coded.push(encoder.finish().unwrap().into());
    let whole = coded.concat();
    let handler = move |_: &origin::Seen| {
        let reply = origin::parts().header("content-type", "text/event-stream");
        let reply = reply.header("content-encoding", "gzip");
        coded
            .iter()
            .fold(reply, |reply, part| reply.part(part.clone()))
    };
    let origin = origin::new().route("/", handler).start();
    let (answer, folder) = super::both_ways(origin, |client| client.get("/"));
    assert_eq!(answer.body, whole);
    let exchange = &folder.exchanges("default")[0];
    assert_eq!(exchange["stream"]["unit"], "event");
}

#[test]
fn coded_events_are_recorded_when_the_client_leaves() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(b"data: 1\n\n").unwrap();
    encoder.flush().unwrap();
    let first = encoder.get_ref().clone();
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| {
        let reply = origin::parts().header("content-type", "text/event-stream");
        let reply = reply.header("content-encoding", "gzip");
        reply.part(first.clone()).wait(&held).part("more")
    };
    let origin = origin::new().route("/", handler).start();
    let gateway = gateway::record(&origin).start();
    let mut opened = client::http1(&gateway).ask("GET", "/").open();
    opened.next().unwrap().unwrap();
    drop(opened);
    until("the recording", || {
        (gateway.session("default").recorded == 1).then_some(())
    });
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let exchange = &folder.exchanges("default")[0];
    let body = &exchange["response"]["body"]["text"];
    assert_eq!(body, &serde_json::json!(["data: 1\n", "\n"]));
    assert_eq!(exchange["stream"]["ended"], "client");
    let gateway = gateway::replay(&folder).start();
    let mut opened = client::http1(&gateway).ask("GET", "/").open();
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    while decoder.get_ref().len() < 9 {
        decoder.write_all(&opened.next().unwrap().unwrap()).unwrap();
        decoder.flush().unwrap();
    }
    assert_eq!(decoder.get_ref(), b"data: 1\n\n");
}
