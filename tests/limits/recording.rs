//! What is too much to be recorded: it is served all the same, and the verdict tells.

use std::io::Write as _;
use std::sync::Arc;

use ouli_gateway::session::SessionReport;

use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{self, Gate};

fn reason(counts: &std::collections::BTreeMap<String, u64>) -> String {
    counts.keys().cloned().collect::<Vec<_>>().join("; ")
}

/// Records one answer of this size under these limits, with a report on how it went.
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
fn bodies_over_their_limits_are_served_and_not_recorded() {
    let report = recorded("recorded_body = 100", vec![b'x'; 101], "identity");
    assert!(
        reason(&report.partial).contains("limits.recorded_body"),
        "{report:#?}"
    );
    assert_eq!(report.recorded, 0);
    let report = recorded("recorded_body = 100", vec![b'x'; 100], "identity");
    assert_eq!(report.recorded, 1);
}

#[test]
fn codings_are_not_undone_without_end() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 4 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    let report = recorded(
        "decoded_body = \"2 MiB\"\ndecoded_ratio = 100000",
        bomb.clone(),
        "gzip",
    );
    assert!(
        reason(&report.failed).contains("larger than 2097152 bytes"),
        "{report:#?}"
    );
    let report = recorded("decoded_ratio = 10", bomb.clone(), "gzip");
    assert!(
        reason(&report.failed).contains("more than 10 times"),
        "{report:#?}"
    );
    let report = recorded("decoded_ratio = 100000", bomb, "gzip");
    assert_eq!(report.recorded, 1, "{report:#?}");
}

#[test]
fn the_memory_for_recording_is_bounded() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| {
        origin::parts()
            .repeat(vec![b'x'; 64 << 10], 10)
            .wait(&held)
            .part("end")
    };
    let origin = origin::new().route("/half", handler).start();
    let gateway = gateway::record(&origin)
        .section("[limits]\nrecording_memory = \"1 MiB\"")
        .start();
    let client = client::http1(&gateway);
    // Together they hold more than may be held; each of them alone would not.
    let mut opened = [(); 2].map(|()| client.ask("GET", "/half").open());
    for opened in &mut opened {
        let mut count = 0;
        while count < 640 << 10 {
            count += opened.next().unwrap().unwrap().len();
        }
    }
    gate.open();
    for opened in opened {
        assert_eq!(opened.count().unwrap(), 3);
    }
    let report = gateway.finish();
    assert_eq!(report.recorded, 1);
    assert!(
        reason(&report.partial).contains("limits.recording_memory"),
        "{report:#?}"
    );
}

#[test]
fn a_full_queue_holds_up_no_client_and_loses_nothing() {
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
fn the_inline_limit_says_what_lies_beside() {
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
fn a_cassette_over_its_limit_is_not_read() {
    let folder = Arc::new(Folder::new());
    std::fs::create_dir(folder.cassettes()).unwrap();
    let file = std::fs::File::create(folder.cassette("default")).unwrap();
    file.set_len(2 << 20).unwrap();
    let refused = gateway::replay(&folder)
        .section("[limits]\ncassette = \"1 MiB\"")
        .try_start();
    let refused = refused.err().unwrap().to_string();
    assert!(
        refused.contains("1048576") || refused.contains("limits.cassette"),
        "{refused}"
    );
}
