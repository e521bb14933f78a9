//! A stored body that is replayed counts in `limits.memory` until it is sent.

use std::sync::Arc;

use crate::support::{client, gateway, origin, until};

/// More than the buffers of sockets hold.
const SIZE: usize = 24 << 20;

#[test]
fn a_stored_body_counts_until_it_is_sent() {
    let origin = origin::new()
        .route("/body", |_| origin::bytes(vec![b'x'; SIZE]))
        .start();
    let gateway = gateway::record(&origin).start();
    assert_eq!(client::http1(&gateway).get("/body").body.len(), SIZE);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let limits = "[limits]\nmemory = \"64 MiB\"\nmemory_wait_timeout = \"200ms\"";
    let gateway = gateway::replay(&folder).section(limits).start();
    let client = client::http1(&gateway);
    // They have the head, and read no more.
    let stopped = [(); 2].map(|()| client.ask("GET", "/body").open());
    let refused = client.get("/body");
    assert_eq!(
        (refused.status, refused.header("ouli-error")),
        (503, "limit")
    );
    assert!(refused.text().contains("limits.memory"));
    drop(stopped);
    until("memory for the body", || {
        let answer = client.get("/body");
        (answer.status == 200 && answer.body.len() == SIZE).then_some(())
    });
}
