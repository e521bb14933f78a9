//! Streams are forwarded without delay; incomplete ones are not recorded.

use std::sync::Arc;

use ouli_config::Defect;

use crate::support::client;
use crate::support::gateway::{self, Builder};
use crate::support::origin::{self, Gate, Origin, parts, text};
use crate::support::{folder, until};

fn holding(gate: &Gate) -> Origin {
    let gate = gate.clone();
    let handler = move |_: &origin::Seen| parts().part("first").wait(&gate).part("last");
    origin::new().route("/slow", handler).start()
}

#[test]
fn the_first_byte_is_forwarded_before_the_last_is_sent() {
    let modes: [fn(&Origin) -> Builder; 3] = [gateway::record, gateway::auto, gateway::passthrough];
    for mode in modes {
        let gate = Gate::new();
        let origin = holding(&gate);
        let gateway = mode(&origin).start();
        let mut opened = client::http1(&gateway).ask("GET", "/slow").open();
        assert_eq!(opened.next().unwrap().unwrap(), "first");
        gate.open();
        assert_eq!(opened.next().unwrap().unwrap(), "last");
        assert!(opened.next().is_none());
    }
}

#[test]
fn an_origin_that_drops_mid_body_is_not_recorded() {
    let gate = Gate::new();
    let (sized, chunked) = (gate.clone(), gate.clone());
    let origin = origin::new()
        .route("/cut", move |_| {
            let reply = parts().header("content-length", "100");
            reply.part("half of it").wait(&sized).breaks()
        })
        .route("/cut-chunked", move |_| {
            parts().part("half of it").wait(&chunked).breaks()
        })
        .route("/whole", |_| text("all of it"))
        .start();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    let mut opened = ["/cut", "/cut-chunked"].map(|path| client.ask("GET", path).open());
    for opened in &mut opened {
        assert_eq!(opened.next().unwrap().unwrap(), "half of it");
    }
    gate.open();
    for opened in opened {
        assert!(opened.count().is_err(), "the client sees the abort too");
    }
    client.get("/whole");
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert_eq!(
        (
            report.recorded,
            report.counted(Defect::Partial).values().sum::<u64>()
        ),
        (1, 2)
    );
    only_whole(&folder);
}

#[test]
fn an_exchange_the_client_aborts_is_recorded_whole() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = origin::new()
        .route("/slow", move |_| {
            parts().part("first").wait(&held).part("last")
        })
        .route("/whole", |_| text("all of it"))
        .start();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    let mut opened = client.ask("GET", "/slow").open();
    assert_eq!(opened.next().unwrap().unwrap(), "first");
    drop(opened);
    client.get("/whole");
    gate.open();
    let folder = Arc::clone(&gateway.folder);
    assert_eq!(gateway.finish().recorded, 2);
    let exchanges = folder.exchanges("default");
    let bodies: Vec<_> = exchanges
        .iter()
        .map(|it| it["response"]["body"]["text"].as_str())
        .collect();
    assert!(bodies.contains(&Some("firstlast")), "{bodies:?}");
}

#[test]
fn a_truncated_request_is_not_recorded() {
    let origin = origin::new().route("/whole", |_| text("all of it")).start();
    let gateway = gateway::record(&origin).start();
    let head = "POST /cut HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nonly so much";
    drop(client::raw(gateway.address, head));
    until("the cut request to be counted", || {
        let sessions = gateway.session_names();
        sessions.contains(&"default".to_owned()).then_some(())
    });
    client::http1(&gateway).get("/whole");
    let folder = Arc::clone(&gateway.folder);
    assert_eq!(gateway.finish().recorded, 1);
    only_whole(&folder);
}

fn only_whole(folder: &folder::Folder) {
    let exchanges = folder.exchanges("default");
    assert_eq!(exchanges.len(), 1);
    assert_eq!(exchanges[0]["request"]["target"], "/whole");
}

#[test]
fn a_request_after_a_mark_hits_as_soon_as_it_is_answered() {
    let origin = origin::simple();
    let gateway = gateway::auto(&origin).start();
    let client = client::http1(&gateway);
    for number in 0..20 {
        let target = format!("/hello?number={number}");
        let first = client.get(&target);
        gateway.mark();
        assert_eq!(client.get(&target), first);
    }
    assert_eq!(origin.seen().len(), 20);
    let report = gateway.finish();
    assert_eq!((report.hits, report.recorded), (20, 20));
}
