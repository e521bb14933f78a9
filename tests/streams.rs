//! Event streams and other bodies that arrive in chunks.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use ouli_config::Defect;

use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Gate, Origin, Reply};
use crate::support::{at_least, until};

const EVENTS: [&str; 6] = [
    "\u{feff}data: first\n\n",
    "event: tick\r\nid: 7\r\ndata: {\"n\": 1}\r\n\r\n",
    ": a comment\rdata: cr\r\r",
    "retry: 10\n\ndata: caf\u{e9}\ndata\n\n",
    "\n",
    "data: unfinished",
];

fn events() -> Reply {
    let reply = origin::parts().header("content-type", "text/event-stream; charset=utf-8");
    EVENTS.iter().fold(reply, |reply, event| reply.part(*event))
}

/// An origin that sends its second event when the gate is open.
fn one_event_and_another(gate: &Gate) -> Origin {
    let held = gate.clone();
    let script = origin::new().route("/events", move |_| {
        let reply = origin::parts().header("content-type", "text/event-stream");
        reply.part("data: 1\n\n").wait(&held).part("data: 2\n\n")
    });
    script.start()
}

/// The recorded and the replayed result of `ask`, and the folder.
fn twice(origin: Origin, ask: impl Fn(&Client) -> Vec<u8>) -> (Vec<u8>, Vec<u8>, Arc<Folder>) {
    let gateway = gateway::record(&origin).start();
    let recorded = ask(&client::http1(&gateway));
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert!(report.passed && report.recorded == 1, "{report:?}");
    origin.stop();
    let gateway = gateway::replay(&folder).start();
    let replayed = ask(&client::http1(&gateway));
    assert_eq!(ask(&client::http2(&gateway)), replayed);
    (recorded, replayed, folder)
}

#[test]
fn events_are_replayed_byte_for_byte() {
    let origin = origin::new().route("/events", |_| events()).start();
    let ask = |client: &Client| client.get("/events").body.to_vec();
    let (recorded, replayed, folder) = twice(origin, ask);
    assert_eq!(recorded, EVENTS.concat().into_bytes());
    assert_eq!(replayed, recorded);
    let stream = &folder.exchanges("default")[0]["stream"];
    assert_eq!(stream["unit"], "event");
    // The fourth chunk contains two events.
    assert_eq!(stream["at"].as_array().unwrap().len(), 7, "{stream}");
}

#[test]
fn each_event_is_forwarded_before_the_next_arrives() {
    let gate = Gate::new();
    let origin = one_event_and_another(&gate);
    let gateway = gateway::record(&origin).start();
    for client in [client::http1(&gateway), client::http2(&gateway)] {
        let mut opened = client.ask("GET", "/events").open();
        assert_eq!(opened.next().unwrap().unwrap(), "data: 1\n\n");
        gate.open();
        assert_eq!(opened.next().unwrap().unwrap(), "data: 2\n\n");
    }
}

#[test]
fn each_event_is_its_own_chunk_at_replay() {
    let origin = origin::new().route("/events", |_| events()).start();
    let gateway = gateway::record(&origin).start();
    client::http1(&gateway).get("/events");
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let gateway = gateway::replay(&folder).start();
    let mut opened = client::http2(&gateway).ask("GET", "/events").open();
    assert_eq!(opened.next().unwrap().unwrap(), EVENTS[0]);
    assert_eq!(opened.next().unwrap().unwrap(), EVENTS[1]);
}

#[test]
fn ndjson_and_compressed_streams_are_streams() {
    let lines = "{\"n\": 1}\n{\"n\": 2}\n";
    let origin = origin::new().route("/lines", move |_| {
        let reply = origin::parts().header("content-type", "application/x-ndjson");
        reply.part(&lines[..4]).part(&lines[4..])
    });
    let ask = |client: &Client| client.get("/lines").body.to_vec();
    let (recorded, replayed, folder) = twice(origin.start(), ask);
    assert_eq!((recorded, replayed), (lines.into(), lines.into()));
    assert_eq!(folder.exchanges("default")[0]["stream"]["unit"], "line");
    let origin = origin::new().route("/coded", |_| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let reply = origin::parts().header("content-type", "text/event-stream");
        let mut reply = reply.header("content-encoding", "gzip");
        for event in &EVENTS[..3] {
            encoder.write_all(event.as_bytes()).unwrap();
            encoder.flush().unwrap();
            reply = reply.part(std::mem::take(encoder.get_mut()));
        }
        reply.part(encoder.finish().unwrap())
    });
    let ask = |client: &Client| {
        let answer = client
            .ask("GET", "/coded")
            .header("accept-encoding", "gzip")
            .send();
        assert_eq!(answer.headers["content-encoding"], "gzip");
        let mut plain = flate2::write::GzDecoder::new(Vec::new());
        plain.write_all(&answer.body).unwrap();
        plain.finish().unwrap()
    };
    let (recorded, replayed, folder) = twice(origin.start(), ask);
    assert_eq!(recorded, EVENTS[..3].concat().into_bytes());
    assert_eq!(replayed, recorded);
    let at = &folder.exchanges("default")[0]["stream"]["at"];
    assert_eq!(at.as_array().unwrap().len(), 3);
}

#[test]
fn a_client_disconnect_stops_the_upstream_and_is_recorded() {
    let gate = Gate::new();
    let origin = one_event_and_another(&gate);
    let gateway = gateway::record(&origin).start();
    let mut opened = client::http1(&gateway).ask("GET", "/events").open();
    opened.next().unwrap().unwrap();
    drop(opened);
    until("the recording", || {
        (gateway.session("default").recorded == 1).then_some(())
    });
    let folder = Arc::clone(&gateway.folder);
    assert!(gateway.finish().passed);
    let exchange = &folder.exchanges("default")[0];
    assert_eq!(exchange["stream"]["ended"], "client");
    // After the recorded events the stream stays open until the client disconnects or the limit is
    // reached.
    let limits = "[limits]\nstream_idle_timeout = \"300ms\"";
    let gateway = gateway::replay(&folder).section(limits).start();
    at_least(Duration::from_millis(300), || is_broken_off(&gateway));
}

#[test]
fn a_client_that_leaves_a_stream_early_is_noted() {
    let origin = origin::new().route("/events", |_| {
        let reply = origin::parts().header("content-type", "text/event-stream");
        let reply = reply.part("data: 1\n\n").pause(Duration::from_millis(50));
        reply.part("data: 2\n\n").part("data: 3\n\n")
    });
    let origin = origin.start();
    let gateway = gateway::record(&origin).start();
    client::http1(&gateway).get("/events");
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    // The second event is due after a time in which no test waits.
    let gateway = gateway::replay(&folder).set("timing = 1000").start();
    for client in [client::http1(&gateway), client::http2(&gateway)] {
        let mut opened = client.ask("GET", "/events").open();
        assert_eq!(opened.next().unwrap().unwrap(), "data: 1\n\n");
    }
    until("the notes", || {
        let noted = gateway.session("default").counted(Defect::Unfinished);
        let early = "exchange 1 ended before event 2 of 3, which the client did not wait for";
        (noted.get(early) == Some(&2)).then_some(())
    });
    assert!(gateway.finish().passed);
    let gateway = gateway::replay(&folder).start();
    client::http1(&gateway).get("/events");
    assert!(gateway.finish().counted(Defect::Unfinished).is_empty());
}

#[test]
fn an_idle_event_stream_is_aborted() {
    for mode in ["record", "passthrough"] {
        let gate = Gate::new();
        let origin = one_event_and_another(&gate);
        let gateway = gateway::over(&Arc::new(Folder::new()), mode)
            .upstream(&origin.url())
            .section("[limits]\nstream_idle_timeout = \"200ms\"")
            .start();
        at_least(Duration::from_millis(200), || is_broken_off(&gateway));
        gate.open();
        assert_eq!(client::http1(&gateway).get("/events").body.len(), 18);
    }
}

/// Asserts that the stream is aborted after the first event.
fn is_broken_off(gateway: &Running) {
    let mut opened = client::http1(gateway).ask("GET", "/events").open();
    assert_eq!(opened.next().unwrap().unwrap(), "data: 1\n\n");
    assert!(opened.next().unwrap().is_err());
}

/// What a client reads of a stream that is aborted.
fn read_truncated(gateway: &Running) -> String {
    let mut opened = client::http1(gateway).ask("GET", "/events").open();
    let mut read = Vec::new();
    loop {
        match opened.next() {
            Some(Ok(bytes)) => read.extend_from_slice(&bytes),
            Some(Err(_)) => return String::from_utf8(read).unwrap(),
            None => panic!("the stream is complete: {}", String::from_utf8_lossy(&read)),
        }
    }
}

#[test]
fn a_truncated_stream_is_a_failure_of_the_upstream() {
    const EVENTS: &str = "data: 1\n\ndata: 2";
    for content_type in ["text/event-stream", "application/x-ndjson"] {
        let origin = origin::new().route("/events", move |_| {
            let reply = origin::parts().header("content-type", content_type);
            let reply = reply.part("data: 1\n\n").part("data: 2");
            reply.pause(Duration::from_millis(50)).breaks()
        });
        let origin = origin.start();
        for mode in ["record", "auto"] {
            let over = || gateway::over(&Arc::new(Folder::new()), mode).upstream(&origin.url());
            let gateway = over().start();
            assert_eq!(read_truncated(&gateway), EVENTS);
            let report = gateway.finish();
            assert_eq!((report.passed, report.recorded), (false, 0), "{report:?}");
            let reasons = report.counted(Defect::Partial);
            assert!(
                reasons.keys().all(|it| it.contains("aborted")),
                "{reasons:?}"
            );
            assert_eq!(reasons.len(), 1);
            let gateway = over().set("record_failures = true").start();
            assert_eq!(read_truncated(&gateway), EVENTS);
            let folder = Arc::clone(&gateway.folder);
            let report = gateway.finish();
            assert_eq!((report.passed, report.recorded_failures), (true, 1));
            assert_eq!(folder.exchanges("default")[0]["stream"]["ended"], "server");
            let replay = gateway::replay(&folder).start();
            assert_eq!(read_truncated(&replay), EVENTS);
            assert!(replay.finish().passed);
        }
    }
}

#[test]
fn a_truncated_body_that_is_no_stream_is_not_recorded() {
    let origin = origin::new()
        .route("/text", |_| {
            origin::parts()
                .part("half")
                .pause(Duration::from_millis(50))
                .breaks()
        })
        .start();
    let gateway = gateway::record(&origin).start();
    let mut opened = client::http1(&gateway).ask("GET", "/text").open();
    while opened.next().is_some_and(|part| part.is_ok()) {}
    let report = gateway.finish();
    assert_eq!(
        (report.recorded, report.counted(Defect::Partial).len()),
        (0, 1),
        "{report:?}"
    );
}

#[test]
fn canaries_are_found_across_every_chunk_boundary() {
    let canary = "sk-ant-c4N4ryV4lu3-0123456789-AbCd9";
    let origin = origin::new().route("/cut/*", move |seen| {
        let cut: usize = seen.target.rsplit('/').next().unwrap().parse().unwrap();
        let (one, two) = canary.split_at(cut);
        let delta = |text: &str| format!("data: {{\"delta\": {{\"text\": \"{text}\"}}}}\n\n");
        let reply = origin::parts().header("content-type", "text/event-stream");
        // The secret is split by an event, by a delta, and by a chunk alone.
        reply
            .part(format!("data: {one}\n\ndata: {two}\n\n"))
            .part(delta(&format!("key {one}")))
            .part(delta(&format!("{two} end")))
            .part(format!("data: whole {one}"))
            .part(format!("{two} end\n\n"))
    });
    let origin = origin.start();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    for cut in 1..canary.len() {
        client.get(&format!("/cut/{cut}"));
    }
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert_eq!(report.recorded as usize, canary.len() - 1, "{report:?}");
    let text = folder.text("default");
    for part in [canary, &canary[..12], &canary[20..]] {
        assert!(!text.contains(part), "{part} is left");
    }
    let replay = gateway::replay(&folder).start();
    let answer = client::http1(&replay).get("/cut/9");
    let expected = "data: <anthropic-key-1>\n\ndata: \n\n\
        data: {\"delta\": {\"text\": \"key <anthropic-key-1>\"}}\n\n\
        data: {\"delta\": {\"text\": \" end\"}}\n\ndata: whole <anthropic-key-1> end\n\n";
    assert_eq!(answer.text(), expected);
}

#[test]
fn a_json_member_across_events_is_redacted_and_the_boundary_kept() {
    // The member is in plain text, and in the deltas of a tool's arguments.
    let plain = [r#"data: {"password": "hunter"#, "id: 2\ndata: 2canary\"}"];
    let deltas = [
        r#"data: {"delta": "{\"password\": \"hun"}"#,
        r#"data: {"delta": "ter2canary\"}"}"#,
    ];
    for events in [plain, deltas] {
        let origin = origin::new().route("/events", move |_| {
            let reply = origin::parts().header("content-type", "text/event-stream");
            let reply = events
                .iter()
                .fold(reply, |it, event| it.part(format!("{event}\n\n")));
            reply.part("data: [DONE]\n\n")
        });
        let ask = |client: &Client| client.get("/events").body.to_vec();
        let (_, replayed, folder) = twice(origin.start(), ask);
        let replayed = String::from_utf8(replayed).unwrap();
        assert_eq!(replayed.matches("\n\n").count(), 3, "{replayed}");
        assert!(replayed.contains("<password-1>"), "{replayed}");
        assert!(replayed.ends_with("}\n\ndata: [DONE]\n\n"), "{replayed}");
        for (path, bytes) in folder.files() {
            let text = String::from_utf8_lossy(&bytes);
            let leaks = ["hun", "canary"].iter().any(|half| text.contains(half));
            assert!(!leaks, "{}: {text}", path.display());
        }
    }
}

#[test]
fn timing_replays_pauses_between_chunks() {
    let origin = origin::new().route("/slow", |_| {
        let pause = |reply: Reply| reply.pause(Duration::from_millis(80));
        pause(pause(origin::parts().part("a")).part("b")).part("c")
    });
    let (recorded, replayed, folder) = twice(origin.start(), |client: &Client| {
        client.get("/slow").body.to_vec()
    });
    assert_eq!((recorded, replayed), (b"abc".to_vec(), b"abc".to_vec()));
    assert_eq!(
        folder.exchanges("default")[0]["stream"]["sizes"].to_string(),
        "[1,1,1]"
    );
    let at = folder.exchanges("default")[0]["stream"]["at"].clone();
    let at: Vec<u64> = serde_json::from_value(at).unwrap();
    let pauses = Duration::from_micros(at[2] - at[0]);
    assert!(!pauses.is_zero(), "{at:?}");
    let gateway = gateway::replay(&folder).set("timing = 0.5").start();
    at_least(pauses / 2, || client::http1(&gateway).get("/slow"));
}
