//! A tonic peer of the package ouli.test with the subcommands `server` and `client`, like the
//! Python ones.
#![expect(
    clippy::unwrap_used,
    reason = "a peer that cannot go on says so by panicking"
)]

mod cases;
mod client;
mod messages;
mod secrets;
mod seen;
mod server;
mod service;
mod wire;

use std::time::Duration;

use clap::Parser;

use crate::secrets::Secrets;

/// The timeout of a client.
const RUN: Duration = Duration::from_secs(55);

#[derive(Parser)]
enum Told {
    /// Serves on a free port of 127.0.0.1 and prints the address to stderr.
    Server {
        #[arg(long)]
        secret: String,
    },
    /// Calls a server and writes the results to stdout as one JSON document.
    Client(Cases),
}

/// The arguments of a client.
#[derive(clap::Args)]
struct Cases {
    /// Host and port.
    #[arg(long)]
    target: String,
    #[arg(long)]
    secret: String,
    #[arg(long, value_delimiter = ',')]
    cases: Vec<String>,
    #[arg(long)]
    session: Option<String>,
    /// Send a different message in the middle of the ping-pong.
    #[arg(long)]
    wrong: bool,
    /// Make the two different calls in reverse order.
    #[arg(long)]
    swapped: bool,
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    match Told::parse() {
        Told::Server { secret } => server::serve(Secrets::of(&secret)).await,
        Told::Client(told) => {
            let run = tokio::time::timeout(RUN, cases::run(&told));
            let seen = run.await.expect("the run ends in time");
            println!("{seen:#}");
        }
    }
}
