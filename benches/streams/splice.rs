//! The baseline: copies bytes between two TCP sockets.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};

/// This environment variable makes a process a splice to the given address.
pub(crate) const ORIGIN: &str = "OULI_BENCH_SPLICE";

/// Prints its address and runs until it is killed.
pub(crate) fn run(origin: SocketAddr) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        println!("listening on http://{}", listener.local_addr().unwrap());
        loop {
            let (mut one, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut other = TcpStream::connect(origin).await?;
                one.set_nodelay(true)?;
                other.set_nodelay(true)?;
                tokio::io::copy_bidirectional(&mut one, &mut other).await
            });
        }
    });
}
