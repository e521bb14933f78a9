//! What a limit refused works again without a restart: the next exchange is recorded, the next call
//! is answered, the next version of a file is loaded.

use std::io::Write as _;
use std::sync::Arc;

use ouli_config::Defect;

use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Gate, peer};
use crate::support::plugins::{fixture, with_memories};
use crate::support::until;

/// The exchanges of the default session that were not recorded for a reason.
fn defects(gateway: &Running, defect: Defect) -> Vec<String> {
    let counted = gateway.session("default").counted(defect);
    counted.into_keys().collect()
}

#[test]
fn an_exchange_after_one_that_is_too_large_is_recorded() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 4 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    let origin = origin::new()
        .route("/plain", |_| origin::bytes(vec![b'x'; 4 << 20]))
        .route("/gzip", move |_| {
            origin::bytes(bomb.clone()).header("content-encoding", "gzip")
        })
        .route("/hello", |_| origin::text("good morning\n"))
        .start();
    for (path, limit, defect, reason) in [
        (
            "/plain",
            "recorded_body = \"1 MiB\"",
            Defect::Partial,
            "limits.recorded_body",
        ),
        (
            "/gzip",
            "decompressed_body = \"2 MiB\"\ndecompression_ratio = 100000",
            Defect::Undecodable,
            "larger than 2097152 bytes",
        ),
        (
            "/gzip",
            "decompression_ratio = 10",
            Defect::Undecodable,
            "more than 10 times",
        ),
    ] {
        let limits = format!("[limits]\n{limit}");
        let gateway = gateway::record(&origin).section(&limits).start();
        let client = client::http1(&gateway);
        assert_eq!(client.get(path).status, 200);
        until("the count", || {
            let reasons = defects(&gateway, defect);
            reasons.iter().any(|it| it.contains(reason)).then_some(())
        });
        assert_eq!(client.get("/hello").status, 200);
        assert_eq!(gateway.finish().recorded, 1, "{limit}");
    }
}

#[test]
fn an_upstream_that_answered_too_much_is_asked_again() {
    // The first answer is wrong; the others are right.
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let upstream = peer(move |peer| {
        if peer.head().is_empty() {
            return;
        }
        if asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            peer.send("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(3));
        }
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
    let gateway = gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(&format!("http://{upstream}"))
        .section("[limits]\ninterim_responses = 2")
        .start();
    let answer = client::http1(&gateway).get("/");
    assert_eq!(answer.status, 502, "{answer:?}");
    assert!(answer.text().contains("limits.interim_responses"));
    gateway.serves_again("/");
}

/// Asks for a response and leaves after its first bytes.
fn ask_and_leave(gateway: &Running, path: &str) {
    let mut opened = client::http1(gateway).ask("GET", path).open();
    assert_eq!(opened.next().unwrap().unwrap(), "first");
}

#[test]
fn a_response_without_its_client_is_read_once_another_one_is_through() {
    let gates = [(); 2].map(|()| Gate::new());
    let [one, two] = gates.clone();
    let origin = origin::new()
        .route("/one", move |_| {
            origin::parts().part("first").wait(&one).part("last")
        })
        .route("/two", move |_| {
            origin::parts().part("first").wait(&two).part("last")
        })
        .start();
    let gateway = gateway::record(&origin)
        .section("[limits]\nbackground_reads = 1")
        .start();
    (0..2).for_each(|_| ask_and_leave(&gateway, "/one"));
    until("a response that is not read", || {
        let reasons = defects(&gateway, Defect::Partial);
        let named = |it: &String| it.contains("limits.background_reads");
        reasons.iter().any(named).then_some(())
    });
    gates[0].open();
    let recorded = |count| (gateway.session("default").recorded == count).then_some(());
    until("the other response", || recorded(1));
    ask_and_leave(&gateway, "/two");
    gates[1].open();
    until("the next response", || recorded(2));
}

#[test]
fn a_response_without_its_client_is_read_after_one_that_took_too_long() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = origin::new()
        .route("/held", move |_| {
            origin::parts().part("first").wait(&held).part("last")
        })
        .start();
    let gateway = gateway::record(&origin)
        .section("[limits]\nbackground_reads = 1\nbackground_read_timeout = \"100ms\"")
        .start();
    ask_and_leave(&gateway, "/held");
    until("the end of the time", || {
        let reasons = defects(&gateway, Defect::Partial);
        let named = |it: &String| it.contains("limits.background_read_timeout");
        reasons.iter().any(named).then_some(())
    });
    gate.open();
    ask_and_leave(&gateway, "/held");
    until("the next response", || {
        (gateway.session("default").recorded == 1).then_some(())
    });
}

#[test]
fn a_cassette_is_read_again_once_it_is_within_cassette_size() {
    let folder = gateway::echoed(|client| assert_eq!(client.get("/hello").status, 200));
    let large = std::fs::File::create(folder.cassette("large")).unwrap();
    large.set_len(2 << 20).unwrap();
    let gateway = gateway::replay(&folder)
        .section("[limits]\ncassette_size = \"1 MiB\"")
        .watched()
        .start();
    let ask = || {
        let ask = client::http1(&gateway).ask("GET", "/hello");
        ask.header("ouli-session", "large").send()
    };
    let refused = ask();
    assert_eq!(refused.status, 500, "{refused:?}");
    assert!(refused.text().contains("limits.cassette_size"));
    std::fs::write(folder.cassette("large"), folder.text("default")).unwrap();
    until("the smaller cassette", || {
        (ask().status == 200).then_some(())
    });
}

#[test]
fn a_configuration_is_taken_once_it_is_within_its_limits() {
    let folder = Arc::new(Folder::new());
    std::fs::write(folder.path().join("types.pb"), vec![0; 2 << 10]).unwrap();
    let builder = gateway::replay(&folder);
    let gateway = builder.start();
    let more = "[[endpoint]]\nname = \"more\"\nlisten = \"127.0.0.1:0\"";
    let more = builder.clone().section(more);
    let types = builder.clone().set("proto_descriptors = [\"types.pb\"]");
    let takes = |builder: &gateway::Builder| {
        folder.write_config(&builder.config());
        gateway.reload()
    };
    assert!(!takes(&more.clone().section("[limits]\nendpoints = 1")));
    assert_eq!(gateway.listening().len(), 1);
    assert!(takes(&more.section("[limits]\nendpoints = 2")));
    assert_eq!(gateway.listening().len(), 2);
    // The configuration is taken without a descriptor set that is too large.
    assert!(takes(
        &types.section("[limits]\nproto_descriptor_file = \"1 KiB\"")
    ));
    assert!(!gateway.reload());
    std::fs::write(folder.path().join("types.pb"), "").unwrap();
    assert!(gateway.reload(), "the smaller one is in force");
}

#[test]
fn a_plugin_that_was_refused_is_replaced_by_one_within_the_limits() {
    let folder = Arc::new(Folder::new());
    let builder = gateway::replay(&folder)
        .plugin("own.wasm", &fixture("one-part"))
        .section("[[plugin]]\nfile = \"own.wasm\"");
    let gateway = builder.start();
    let swap = || fixture("swap-a");
    let limits: [(&str, Vec<u8>); 8] = [
        ("plugin_file = \"1 KiB\"", swap()),
        ("plugin_key_parts = 2", swap()),
        ("plugin_rules = 3", fixture("many-rules")),
        ("plugin_memories = 2", with_memories(3)),
        ("plugin_tables = 2", with_memories(3)),
        ("plugin_table_elements = 1", fixture("hashy")),
        ("plugin_core_instances = 1", fixture("hashy")),
        ("prepare_cpu_time = \"100ms\"", fixture("slow-prepare")),
    ];
    for (limit, component) in limits {
        let limits = format!("limits = {{ {limit} }}");
        let limited = builder.clone().section(&limits);
        folder.write_config(&limited.config());
        folder.put_plugin("own.wasm", &component);
        gateway.reload();
        let rejected = gateway.status().rejected;
        assert_eq!(rejected.len(), 1, "{limit}: {rejected:?}");
        folder.write_config(&builder.config());
        folder.put_plugin("own.wasm", &fixture("counter"));
        gateway.reload();
        let status = gateway.status();
        assert!(status.rejected.is_empty(), "{limit}: {status:?}");
        assert_eq!(status.live[0].name, "own.wasm", "{limit}");
    }
}

#[test]
fn a_call_after_one_above_its_limits_is_answered() {
    let folder = gateway::echoed(|client| assert_eq!(client.get("/fine").status, 200));
    for (how, limit) in [
        ("loop", "matcher_cpu_time = \"50ms\""),
        ("memory", "plugin_memory = \"4 MiB\""),
        ("parts", "plugin_key_parts = 10"),
        ("parts", "plugin_key_bytes = \"1 KiB\""),
        ("log-flood", "plugin_text_bytes = \"1 KiB\""),
        ("handles", "plugin_handles = 32"),
    ] {
        let gateway = gateway::replay(&folder)
            .plugin("own.wasm", &fixture("abuser"))
            .section("[[plugin]]\nfile = \"own.wasm\"\non_error = \"fail\"")
            .section(&format!("limits = {{ {limit} }}"))
            .start();
        let client = client::http1(&gateway);
        let refused = client.get(&format!("/abuse/{how}"));
        let seen = (refused.status, refused.header("ouli-error"));
        assert_eq!(seen, (500, "plugin"), "{limit}: {}", refused.text());
        assert_eq!(client.get("/fine").status, 200, "{limit}");
        let live = gateway.status().live;
        assert_eq!(live[0].usage.failures, 1, "{limit}: {live:?}");
    }
}
