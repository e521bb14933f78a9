//! Clients that disconnect after the response head: the whole exchange is recorded.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use ouli_config::Defect;
use socket2::SockRef;

use super::peers::{Do, origin};
use crate::support::client::{self, raw};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Gate, Origin, parts};
use crate::support::{PATIENCE, until, without_hanging};

/// An origin whose response has two parts; the second waits for the gate.
fn slow(gate: &Gate, sized: bool) -> Origin {
    let held = gate.clone();
    let script = origin::new().route("/slow", move |_| {
        let reply = parts().part("first ").wait(&held).part("second");
        if sized {
            reply.header("content-length", "12")
        } else {
            reply
        }
    });
    script.start()
}

/// How a client disconnects after the head and the first part.
#[derive(Clone, Copy, Debug)]
enum Leave {
    Close,
    Reset,
    HalfClose,
    Http2,
}

const REQUEST: &str = "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n";

/// Reads the first part and disconnects. The caller drops the returned stream when the response may
/// continue.
fn leave(how: Leave, address: SocketAddr) -> Option<TcpStream> {
    if matches!(how, Leave::Http2) {
        let mut opened = client::at(address, http::Version::HTTP_2)
            .ask("GET", "/slow")
            .open();
        assert_eq!(opened.next().unwrap().unwrap(), "first ");
        return None;
    }
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    std::io::Write::write_all(&mut stream, REQUEST.as_bytes()).unwrap();
    let (mut got, mut byte) = (Vec::new(), [0]);
    while !String::from_utf8_lossy(&got).contains("first ") {
        std::io::Read::read_exact(&mut stream, &mut byte).unwrap();
        got.push(byte[0]);
    }
    match how {
        Leave::Close | Leave::Http2 => return None,
        Leave::Reset => SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap(),
        Leave::HalfClose => {
            stream.shutdown(Shutdown::Write).unwrap();
            return Some(stream);
        }
    }
    None
}

/// Asserts that the exchange is in the cassette and that a replay returns all of it.
fn recorded_whole(gateway: Running) {
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert_eq!(report.recorded, 1, "{report:?}");
    assert!(
        report.passed && report.counted(Defect::Partial).is_empty(),
        "{report:?}"
    );
    let exchanges = folder.exchanges("default");
    assert_eq!(exchanges[0]["response"]["body"]["text"], "first second");
    let replay = gateway::replay_repeating(&folder).start();
    assert_eq!(client::http1(&replay).get("/slow").text(), "first second");
}

#[test]
fn a_response_is_recorded_whole_after_its_client_left() {
    for how in [Leave::Close, Leave::Reset, Leave::HalfClose, Leave::Http2] {
        for sized in [false, true] {
            for mode in ["record", "auto"] {
                let gate = Gate::new();
                let origin = slow(&gate, sized);
                let gateway = gateway::over(&Arc::new(Folder::new()), mode)
                    .upstream(&origin.url())
                    .start();
                let open = leave(how, gateway.address);
                gate.open();
                until(&format!("the recording after {how:?}"), || {
                    (gateway.session("default").recorded == 1).then_some(())
                });
                drop(open);
                recorded_whole(gateway);
            }
        }
    }
}

#[test]
fn a_stop_waits_for_a_response_whose_client_left() {
    let gate = Gate::new();
    let origin = slow(&gate, false);
    let gateway = gateway::record(&origin).start();
    let address = gateway.address;
    leave(Leave::Close, address);
    let opens = std::thread::spawn(move || {
        // A gateway that is stopping has closed its listener.
        until("the stop", || {
            TcpStream::connect(address).is_err().then_some(())
        });
        gate.open();
    });
    recorded_whole(gateway);
    opens.join().unwrap();
}

#[test]
fn a_response_that_does_not_end_is_counted() {
    const PART: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nfirst ";
    for (limits, key) in [
        (
            "background_read_timeout = \"100ms\"",
            "background_read_timeout",
        ),
        ("background_reads = 0", "background_reads"),
        ("recorded_body = \"10 B\"", "recorded_body"),
    ] {
        let origin = origin(&[Do::Read, Do::Send(PART), Do::Stall]);
        let gateway = gateway::over(&Arc::new(Folder::new()), "record")
            .upstream(&origin.url())
            .section(&format!("[limits]\n{limits}"))
            .start();
        drop(leave(Leave::Close, gateway.address));
        until("the count", || {
            let partial = gateway.session("default").counted(Defect::Partial);
            let reason = partial.keys().next()?.contains(&format!("limits.{key}"));
            assert!(reason, "{partial:?}");
            Some(())
        });
        until("the end of the upstream's connection", || {
            (origin.done() == 1).then_some(())
        });
        assert_eq!(gateway.finish().recorded, 0);
    }
}

#[test]
fn a_stop_ends_a_response_that_does_not_end() {
    const PART: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nfirst ";
    let origin = origin(&[Do::Read, Do::Send(PART), Do::Stall]);
    let gateway = gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(&origin.url())
        .section("[limits]\nbackground_read_timeout = \"1h\"\nshutdown_timeout = \"1s\"")
        .start();
    drop(leave(Leave::Close, gateway.address));
    let report = without_hanging("the stop", || gateway.finish());
    assert_eq!(report.recorded, 0);
    let reason = report.counted(Defect::Partial).into_keys().next().unwrap();
    assert!(reason.contains("the gateway stops"), "{reason}");
}

#[test]
fn an_event_stream_ends_with_its_client() {
    const EVENTS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\
        data: first \n\n";
    let origin = origin(&[Do::Read, Do::Send(EVENTS), Do::Stall]);
    let gateway = gateway::over(&Arc::new(Folder::new()), "record").upstream(&origin.url());
    let gateway = gateway.start();
    let mut client = raw(gateway.address, REQUEST);
    client.read_until("\n\n");
    drop(client);
    until("the end of the upstream's connection", || {
        (origin.done() == 1).then_some(())
    });
    let folder = Arc::clone(&gateway.folder);
    assert_eq!(gateway.finish().recorded, 1);
    assert_eq!(folder.exchanges("default")[0]["stream"]["ended"], "client");
}

#[test]
fn a_response_of_which_the_client_read_the_head_is_recorded() {
    const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    const NONE: &[u8] = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    const CLOSED: &[u8] = b"HTTP/1.0 200 OK\r\n\r\nall of it";
    for (answer, body) in [(EMPTY, ""), (NONE, ""), (CLOSED, "all of it")] {
        let steps: &'static [Do] = Box::leak(vec![Do::Read, Do::Send(answer)].into());
        let origin = origin(steps);
        let gateway = gateway::over(&Arc::new(Folder::new()), "record").upstream(&origin.url());
        let gateway = gateway.start();
        for _ in 0..20 {
            let mut client = raw(gateway.address, REQUEST);
            assert!(client.head().starts_with("HTTP/1.1 20"));
        }
        let folder = Arc::clone(&gateway.folder);
        assert_eq!(gateway.finish().recorded, 20);
        for exchange in folder.exchanges("default") {
            let text = exchange["response"]["body"]["text"].as_str();
            assert_eq!(text.unwrap_or_default(), body, "{exchange}");
        }
    }
}
