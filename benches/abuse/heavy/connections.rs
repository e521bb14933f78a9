//! Many connections, streams, sessions and names.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::corpus::frames::{
    DATA, END_HEADERS, Fields, HEADERS, PREFACE, SETTINGS, block, frame,
};
use super::super::harness::Harness;
use super::super::honest::{self, connect};
use super::bodies::{at_once, expect, get, post, write_small};

/// How long slow clients go on.
const SLOW: Duration = Duration::from_secs(6);

pub(super) fn sessions(harness: &Harness) -> Vec<String> {
    at_once(4, |client| {
        let names = (0..500).map(|number| format!("ouli-session: s{client}-{number}\r\n"));
        let faults = names.map(|name| expect(harness, "auto", &get("/x", &name), &[200, 503]));
        faults.flatten().collect()
    })
}

/// As many calls as an upstream may have requests. Each sends a byte a second.
pub(super) fn slow_calls(harness: &Harness) -> Vec<String> {
    let head = "POST /a.B/C HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc\r\n\
                te: trailers\r\ncontent-length: 1000\r\n\r\n";
    let streams = (0..300).filter_map(|_| {
        let mut stream = connect(harness.address).ok()?;
        stream.write_all(head.as_bytes()).ok()?;
        Some(stream)
    });
    trickle(streams.collect(), b"x");
    expect(harness, "passthrough", &get("/after", ""), &[200])
}

/// The same with three connections of HTTP/2.
pub(super) fn slow_streams(harness: &Harness) -> Vec<String> {
    let fields: Fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/a.B/C"),
        (":authority", "x"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into();
    let numbers = || (0..100).map(|number| 2 * number + 1);
    let heads = numbers().flat_map(|stream| frame(HEADERS, END_HEADERS, stream, &block(&fields)));
    let start = [
        PREFACE,
        &frame(SETTINGS, 0, 0, &[]),
        &heads.collect::<Vec<_>>(),
    ]
    .concat();
    let bytes: Vec<u8> = numbers()
        .flat_map(|stream| frame(DATA, 0, stream, b"x"))
        .collect();
    let streams = (0..3).filter_map(|_| {
        let mut stream = connect(harness.address).ok()?;
        stream.write_all(&start).ok()?;
        Some(stream)
    });
    trickle(streams.collect(), &bytes);
    expect(harness, "passthrough", &get("/after", ""), &[200])
}

fn trickle(mut streams: Vec<TcpStream>, bytes: &[u8]) {
    let begin = Instant::now();
    while begin.elapsed() < SLOW {
        for stream in &mut streams {
            // The write fails if the gateway has closed the connection.
            let _ = stream.write_all(bytes);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

pub(super) fn misses(harness: &Harness) -> Vec<String> {
    at_once(4, |client| {
        let sent = (0..500).map(|number| {
            let body = format!("{{\"client\": {client}, \"number\": {number}}}");
            let request = post(&format!("/small/{number}?a={client}"), "", body.as_bytes());
            expect(harness, "replay", &request, &[404])
        });
        sent.flatten().collect()
    })
}

pub(super) fn marks(harness: &Harness) -> Vec<String> {
    at_once(4, |_| {
        let mark = post("/__ouli/sessions/auto/mark", "", b"");
        let sent = (0..1250).map(|_| expect(harness, "auto", &mark, &[200, 404, 503]));
        sent.flatten().collect()
    })
}

pub(super) fn fields(harness: &Harness) -> Vec<String> {
    let cookies = format!("cookie: {}\r\n", "a=\"b\"; ".repeat(3000));
    let many: String = (0..90)
        .map(|number| format!("x-{number}: {}\r\n", "y".repeat(200)))
        .collect();
    at_once(4, |_| {
        let sent = (0..100).flat_map(|_| {
            [&cookies, &many]
                .map(|fields| expect(harness, "record", &get("/f", fields), &[200, 431]))
        });
        sent.flatten().collect()
    })
}

/// Equal requests of one session, of which each response is recorded and then replayed.
pub(super) fn same_key(harness: &Harness) -> Vec<String> {
    let record = (0..500).flat_map(|_| expect(harness, "auto", &get("/same", ""), &[200]));
    let faults: Vec<_> = record.collect();
    let mark = expect(
        harness,
        "auto",
        &post("/__ouli/sessions/auto/mark", "", b""),
        &[200],
    );
    let replay = (0..500).flat_map(|_| expect(harness, "auto", &get("/same", ""), &[200]));
    [faults, mark, replay.collect()].concat()
}

/// Requests that do not wait for the response before.
pub(super) fn pipelined(harness: &Harness) -> Vec<String> {
    at_once(4, |_| {
        let Ok(mut stream) = connect(harness.at("replay")) else {
            return vec!["no connection".to_owned()];
        };
        let mut reading = stream.try_clone().unwrap();
        let reader = std::thread::spawn(move || drop(reading.read_to_end(&mut Vec::new())));
        let requests = "GET /small/1 HTTP/1.1\r\nhost: x\r\n\r\n".repeat(5000);
        let _ = stream.write_all(requests.as_bytes());
        let _ = stream.write_all(&get("/small/1", ""));
        reader.join().unwrap();
        Vec::new()
    })
}

/// A gateway with four endpoints more, for names that no server answers.
pub(super) fn unresolving() -> Harness {
    let folder = super::folder(Some(write_small));
    let silent = UdpSocket::bind("127.77.0.1:53").expect("the resolver needs port 53");
    // It is bound as long as this process runs, and never read.
    std::mem::forget(silent);
    let resolver = folder.path().join("resolv.conf");
    fs::write(
        &resolver,
        "nameserver 127.77.0.1\noptions timeout:30 attempts:1\n",
    )
    .unwrap();
    let endpoint = |number: usize| {
        format!(
            "[[endpoint]]\nname = \"stalled-{number}\"\nmode = \"passthrough\"\nlisten = \
             \"127.0.0.1:0\"\nupstream = \"http://stalled-{number}.test\"\n"
        )
    };
    let text = super::configuration("") + &(0..4).map(endpoint).collect::<String>();
    let mut command = Command::new("unshare");
    let mount = format!(
        "mount --bind {} /etc/resolv.conf && exec \"$0\"",
        resolver.display()
    );
    command.args([
        "-rm",
        "sh",
        "-c",
        &mount,
        env!("CARGO_BIN_EXE_ouli-gateway"),
    ]);
    Harness::configured_by(command, &text, folder)
}

/// Threads that the gateway may have.
const THREADS: u64 = 200;

pub(super) fn unresolved(harness: &Harness) -> Vec<String> {
    let streams = (0..4).flat_map(|number| {
        let address = harness.at(&format!("stalled-{number}"));
        (0..250).filter_map(move |_| {
            let mut stream = connect(address).ok()?;
            stream.write_all(&get("/x", "")).ok()?;
            Some(stream)
        })
    });
    let streams: Vec<_> = streams.collect();
    let begin = Instant::now();
    let mut faults = expect(harness, "replay", &get("/small/1", ""), &[200]);
    let name = format!("http://{}", harness.at("record"));
    faults.extend(expect(harness, "record", &get("/x", ""), &[200]));
    let took = begin.elapsed();
    if took > Duration::from_secs(1) {
        faults.push(format!("{name}: other endpoints wait {took:?}"));
    }
    let threads = harness.threads();
    if threads > THREADS {
        faults.push(format!("{threads} threads"));
    }
    drop(streams);
    let _ = honest::ask(harness.address, &get("/after", ""));
    faults
}
