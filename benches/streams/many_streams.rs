//! A thousand concurrent WebSockets and a thousand event streams, recorded and then replayed.
//!
//! Each recorded round has its own session, and each replayed round uses the first one: memory must
//! not grow with the number of rounds.

use std::net::SocketAddr;

use super::proxy::Proxy;
use super::{EVENTS, client};
use crate::table::Table;

const EACH: usize = 1000;
const ROUNDS: usize = 5;
/// The number of messages on each WebSocket.
const MESSAGES: usize = 20;

pub(super) fn bench(table: &mut Table, origin: SocketAddr) {
    println!("\n{EACH} WebSockets and {EACH} event streams at once, {ROUNDS} rounds");
    let recording = Proxy::gateway("record", origin);
    rounds(table, &recording, |round| format!("crowd-{round}"));
    let folder = recording.stop();
    let replaying = Proxy::gateway_in("replay", None, folder);
    rounds(table, &replaying, |_| "crowd-1".to_owned());
}

fn rounds(table: &mut Table, proxy: &Proxy, session: impl Fn(usize) -> String) {
    let mut memory = Vec::new();
    for round in 1..=ROUNDS {
        client::run(one_round(proxy.address, &session(round)));
        memory.push(proxy.memory());
        println!(
            "{} {round}: {:.1} MiB",
            proxy.name,
            proxy.memory() / f64::from(1 << 20)
        );
    }
    let (warm, last) = (memory[1], memory[ROUNDS - 1]);
    let [warm_shown, last_shown] =
        [warm, last].map(|bytes| format!("{:.1} MiB", bytes / f64::from(1 << 20)));
    let what = format!("{}, memory after {ROUNDS} crowds", proxy.name);
    table.row(&what, last_shown, "after 2", warm_shown, last / warm);
}

async fn one_round(address: SocketAddr, session: &str) {
    let mut all = Vec::new();
    for _ in 0..EACH {
        let named = session.to_owned();
        all.push(tokio::spawn(async move {
            let mut stream = client::open(address, &named).await?;
            for number in 0..MESSAGES {
                tokio::io::AsyncWriteExt::write_all(&mut stream, &client::frame(number)).await?;
                client::hear(&mut stream, number).await?;
            }
            client::close(stream).await
        }));
        let named = session.to_owned();
        all.push(tokio::spawn(async move {
            let mut seen = 0;
            client::read_events(address, &named, |_| seen += 1).await?;
            assert_eq!(seen, EVENTS, "an event is missing");
            Ok(())
        }));
    }
    for one in all {
        one.await.unwrap().unwrap();
    }
}
