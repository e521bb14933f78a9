//! A process that may open few files.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::PATIENCE;
use crate::support::binary::program;
use crate::support::folder::Folder;
use crate::support::{client, origin};

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
fn too_few_descriptors_are_an_error_that_names_how_many_are_needed() {
    let origin = origin::simple();
    let folder = Folder::new();
    folder.write_config(&format!(
        "[[endpoint]]\nmode = \"record\"\nlisten = \"127.0.0.1:0\"\nupstream = \"{}\"\n",
        origin.url()
    ));
    let limited = |count: usize| {
        let script = format!("ulimit -n {count}; exec \"$0\" \"$@\"");
        program(&folder, &[]).under(&["sh", "-c", &script])
    };
    let mut needed = 0;
    for count in [12, 20, 30] {
        let ended = limited(count).run();
        assert_eq!(ended.status, Some(2), "{count}: {}", ended.stderr);
        let told = format!("the process may open {count} files, and the gateway needs at least ");
        let rest = ended.stderr.split_once(&told);
        let (_, rest) = rest.unwrap_or_else(|| panic!("{count}: {}", ended.stderr));
        assert!(rest.contains("raise `ulimit -n`"), "{rest}");
        needed = rest.split_once(':').unwrap().0.parse().unwrap();
    }
    // With as many it serves, also several requests at once.
    let mut process = limited(needed).start();
    let client = client::at(process.address(), http::Version::HTTP_11);
    let opened: Vec<_> = (0..3).map(|_| client.ask("GET", "/hello").open()).collect();
    for opened in opened {
        assert_eq!(opened.count().unwrap(), "good morning\n".len());
    }
    let ended = process.stop();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("verdict: passed"), "{}", ended.stderr);
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
