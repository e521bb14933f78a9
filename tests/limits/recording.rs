//! Exchanges that are too large to record are served and counted in the verdict.

use std::io::Write as _;
use std::sync::Arc;

use ouli_config::Defect;
use ouli_proxy::session::SessionReport;

use crate::support::folder::Folder;
use crate::support::origin::{self, Gate};
use crate::support::{client, gateway, until};

fn reason(counts: &std::collections::BTreeMap<String, u64>) -> String {
    counts.keys().cloned().collect::<Vec<_>>().join("; ")
}

/// Records one response of this size under these limits and returns the report.
fn recorded(limits: &str, body: Vec<u8>, coding: &'static str) -> SessionReport {
    let size = body.len();
    let handler =
        move |_: &origin::Seen| origin::bytes(body.clone()).header("content-encoding", coding);
    let origin = origin::new().route("/body", handler).start();
    let gateway = gateway::record(&origin)
        .section(&format!("[limits]\n{limits}"))
        .start();
    let answer = client::http1(&gateway).get("/body");
    assert_eq!((answer.status, answer.body.len()), (200, size), "{limits}");
    gateway.finish()
}

#[test]
fn bodies_above_recorded_body_are_not_recorded() {
    let report = recorded("recorded_body = 100", vec![b'x'; 101], "identity");
    assert!(
        reason(&report.counted(Defect::Partial)).contains("limits.recorded_body"),
        "{report:#?}"
    );
    assert_eq!(report.recorded, 0);
    let report = recorded("recorded_body = 100", vec![b'x'; 100], "identity");
    assert_eq!(report.recorded, 1);
}

#[test]
fn decompression_is_limited() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 4 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    let report = recorded(
        "decompressed_body = \"2 MiB\"\ndecompression_ratio = 100000",
        bomb.clone(),
        "gzip",
    );
    assert!(
        reason(&report.counted(Defect::Undecodable)).contains("larger than 2097152 bytes"),
        "{report:#?}"
    );
    let report = recorded("decompression_ratio = 10", bomb.clone(), "gzip");
    assert!(
        reason(&report.counted(Defect::Undecodable)).contains("more than 10 times"),
        "{report:#?}"
    );
    let report = recorded("decompression_ratio = 100000", bomb, "gzip");
    assert_eq!(report.recorded, 1, "{report:#?}");
}

#[test]
fn a_stream_above_recorded_chunks_is_not_recorded() {
    let lines = |count: usize| {
        let body = "{}\n".repeat(count);
        move |_: &origin::Seen| {
            origin::bytes(body.clone().into_bytes()).header("content-type", "application/x-ndjson")
        }
    };
    let origin = origin::new()
        .route("/101", lines(101))
        .route("/100", lines(100))
        .start();
    let gateway = gateway::record(&origin)
        .section("[limits]\nrecorded_chunks = 100")
        .start();
    let client = client::http1(&gateway);
    for (target, size) in [("/101", 303), ("/100", 300)] {
        assert_eq!(client.get(target).body.len(), size);
    }
    let report = gateway.finish();
    assert_eq!(report.recorded, 1, "{report:#?}");
    let reason = reason(&report.counted(Defect::Partial));
    assert!(
        reason.contains("more than 100 events") && reason.contains("limits.recorded_chunks"),
        "{reason}"
    );
}

/// Responds with 640 KiB, and with the rest when the gate opens.
fn half(gate: &Gate) -> impl Fn(&origin::Seen) -> origin::Reply + use<> {
    let held = gate.clone();
    move |_| {
        origin::parts()
            .repeat(vec![b'x'; 64 << 10], 10)
            .wait(&held)
            .part("end")
    }
}

/// Reads at least this number of bytes.
fn read(opened: &mut client::Opened, most: usize) -> usize {
    let mut count = 0;
    while count < most {
        count += opened.next().unwrap().unwrap().len();
    }
    count
}

#[test]
fn exchanges_without_recording_memory_are_dropped() {
    let waits = "on_recorder_full = \"wait\"";
    let limits = "[limits]\nrecording_memory = \"1 MiB\"\nrecorder_queue_timeout = \"200ms\"";
    for (setting, limits) in [
        (
            "on_recorder_full = \"drop\"",
            "[limits]\nrecording_memory = \"1 MiB\"",
        ),
        // Each exchange waits for the memory of the other; the timeout ends the wait.
        (waits, limits),
        (waits, &format!("{limits}\nmemory = \"1400 KiB\"")),
    ] {
        let gate = Gate::new();
        let origin = origin::new().route("/half", half(&gate)).start();
        let gateway = gateway::record(&origin)
            .set(setting)
            .section(limits)
            .start();
        let client = client::http1(&gateway);
        // Both together exceed the limit; one alone does not.
        let mut opened = [(); 2].map(|()| client.ask("GET", "/half").open());
        for opened in &mut opened {
            read(opened, 640 << 10);
        }
        gate.open();
        for opened in opened {
            assert_eq!(opened.count().unwrap(), 3);
        }
        let report = gateway.finish();
        assert_eq!((report.recorded, report.passed), (1, false));
        let dropped = reason(&report.counted(Defect::Dropped));
        assert!(dropped.contains("limits.recording_memory"), "{report:#?}");
        assert!(
            report.failures[0].text.contains("on_recorder_full"),
            "{report:#?}"
        );
    }
}

#[test]
fn a_body_waits_for_recording_memory() {
    let gates = [(); 2].map(|()| Gate::new());
    let origin = origin::new()
        .route("/0", half(&gates[0]))
        .route("/1", half(&gates[1]))
        .start();
    let limits = "[limits]\nrecording_memory = \"1 MiB\"\nrecorder_queue_timeout = \"60s\"";
    let gateway = gateway::record(&origin).section(limits).start();
    let client = client::http1(&gateway);
    let mut first = client.ask("GET", "/0").open();
    read(&mut first, 640 << 10);
    let (told, tell) = std::sync::mpsc::sync_channel(1);
    let second = std::thread::spawn(move || {
        let mut opened = client.ask("GET", "/1").open();
        let count = read(&mut opened, 640 << 10);
        told.send(()).unwrap();
        count + opened.count().unwrap()
    });
    let early = tell.recv_timeout(std::time::Duration::from_millis(300));
    assert!(early.is_err(), "there is no memory for the second exchange");
    gates[0].open();
    assert_eq!(first.count().unwrap(), 3);
    tell.recv_timeout(crate::support::PATIENCE).unwrap();
    gates[1].open();
    assert_eq!(second.join().unwrap(), (640 << 10) + 3);
    let report = gateway.finish();
    assert_eq!((report.recorded, report.passed), (2, true), "{report:#?}");
}

#[test]
fn a_full_recorder_queue_delays_no_client_and_loses_nothing() {
    let origin = origin::simple();
    let gateway = gateway::record(&origin)
        .section("[limits]\nrecorder_queue = 1")
        .start();
    let client = client::http1(&gateway);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..25).for_each(|_| assert_eq!(client.get("/hello").status, 200)));
        }
    });
    assert_eq!(gateway.finish().recorded, 200);
}

#[test]
fn bodies_above_inline_body_are_stored_as_files() {
    let origin = origin::simple();
    for (limit, beside) in [("4", true), ("\"1 KiB\"", false)] {
        let limits = format!("[limits]\ninline_body = {limit}");
        let gateway = gateway::record(&origin).section(&limits).start();
        client::http1(&gateway).get("/hello");
        let folder = Arc::clone(&gateway.folder);
        gateway.stop();
        assert_eq!(
            folder.cassettes().join("default.bodies").exists(),
            beside,
            "{limit}"
        );
    }
}

#[test]
fn a_cassette_above_cassette_size_is_not_read() {
    let folder = Arc::new(Folder::new());
    std::fs::create_dir(folder.cassettes()).unwrap();
    let file = std::fs::File::create(folder.cassette("default")).unwrap();
    file.set_len(2 << 20).unwrap();
    let refused = gateway::replay(&folder)
        .section("[limits]\ncassette_size = \"1 MiB\"")
        .try_start();
    let refused = refused.err().unwrap().to_string();
    assert!(
        refused.contains("1048576") || refused.contains("limits.cassette_size"),
        "{refused}"
    );
}

#[test]
fn open_cassettes_are_limited() {
    let origin = origin::simple();
    let limits = "[limits]\nopen_cassettes = 2\nwrite_batch_exchanges = 1\n\
                  write_batch_bytes = \"1 KiB\"";
    let gateway = gateway::record(&origin).section(limits).start();
    let client = client::http1(&gateway);
    for number in 0..20 {
        let session = format!("session-{}", number % 5);
        let ask = client.ask("GET", "/hello").header("ouli-session", &session);
        assert_eq!(ask.send().status, 200);
    }
    let recorded = |session: String| gateway.session(&session).recorded;
    until("all to be written", || {
        let counts = (0..5).map(|number| recorded(format!("session-{number}")));
        (counts.sum::<u64>() == 20).then_some(())
    });
    let folder = gateway.folder.cassettes().canonicalize().unwrap();
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    let files = descriptors.filter_map(|it| std::fs::read_link(it.unwrap().path()).ok());
    let open = files.filter(|file| file.starts_with(&folder)).count();
    assert!((1..=2).contains(&open), "{open} cassettes are open");
}

#[test]
fn a_configuration_with_too_many_endpoints_is_refused() {
    let folder = Arc::new(Folder::new());
    let more = "[[endpoint]]\nname = \"more\"\nlisten = \"127.0.0.1:0\"\n";
    let builder = gateway::replay(&folder).section(more);
    let refused = builder
        .clone()
        .section("[limits]\nendpoints = 1")
        .try_start();
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("limits.endpoints"), "{refused}");
    assert!(
        builder
            .section("[limits]\nendpoints = 2")
            .try_start()
            .is_ok()
    );
}

#[test]
fn a_descriptor_set_over_its_limit_is_refused() {
    let folder = Arc::new(Folder::new());
    std::fs::write(folder.path().join("large.pb"), vec![0; 2 << 10]).unwrap();
    let refused = gateway::replay(&folder)
        .set("proto_descriptors = [\"large.pb\"]")
        .section("[limits]\nproto_descriptor_file = \"1 KiB\"")
        .try_start();
    let refused = refused.err().unwrap().to_string();
    assert!(
        refused.contains("large.pb") && refused.contains("limits.proto_descriptor_file"),
        "{refused}"
    );
}
