//! A process that may open few files.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::PATIENCE;
use crate::support::binary::program;
use crate::support::folder::Folder;
use crate::support::origin;

/// More connections than the process may open files.
const CLIENTS: usize = 400;

#[test]
fn more_connections_than_file_descriptors_wait() {
    let origin = origin::simple();
    let folder = Folder::new();
    folder.write_config(&format!(
        "[limits]\naccept_queue_timeout = \"1h\"\npending_request_timeout = \"1h\"\n\
         [[endpoint]]\nmode = \"passthrough\"\nlisten = \"127.0.0.1:0\"\nupstream = \"{}\"\n",
        origin.url()
    ));
    let few = ["sh", "-c", "ulimit -n 256; exec \"$0\" \"$@\""];
    let mut process = program(&folder, &[]).under(&few).start();
    let address = process.address();
    let log = process.stderr();
    assert!(log.contains("the process may open 256 files"), "{log}");
    let request = b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let connected = (0..CLIENTS).map(|_| {
        let mut client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.write_all(request).unwrap();
        client
    });
    for mut client in connected.collect::<Vec<_>>() {
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert_eq!(process.stop().status, Some(0));
}

#[test]
fn the_soft_limit_is_raised() {
    let folder = Folder::new();
    let low = ["sh", "-c", "ulimit -Sn 64; exec \"$0\" \"$@\""];
    let arguments = ["replay", "--listen", "127.0.0.1:0"];
    let mut process = program(&folder, &arguments).under(&low).start();
    process.address();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let fields: Vec<_> = line.unwrap().split_whitespace().collect();
    assert_eq!(fields[3], fields[4], "{limits}");
}
