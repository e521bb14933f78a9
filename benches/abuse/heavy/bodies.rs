//! Large bodies.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use super::super::harness::Harness;
use super::super::honest::{self, connect};

/// The elements of an array of 50 MB.
const ZEROS: usize = 25_000_000;

/// `[0,0,...]` with `count` elements.
pub(crate) fn zeros(count: usize) -> String {
    let mut text = String::with_capacity(2 * count + 2);
    text.push('[');
    text.push_str(&"0,".repeat(count - 1));
    text.push_str("0]");
    text
}

/// A cassette with exchanges: method, target, request body, response body.
fn write(path: &Path, exchanges: impl Iterator<Item = (&'static str, String, String, String)>) {
    let mut text = "{ \"ouli-cassette\": 1 }\n".to_owned();
    for (ordinal, (method, target, request, response)) in (1..).zip(exchanges) {
        let body = |json: String| match json.is_empty() {
            true => String::new(),
            false => format!(", \"body\": {{\"json\": {json}}}"),
        };
        let json = "[\"content-type\", \"application/json\"]";
        let length = format!("[\"content-length\", \"{}\"]", response.len());
        writeln!(
            text,
            "{{\n  \"exchange\": {ordinal},\n  \"endpoint\": \"replay\",\n  \"request\": \
             {{\"method\": \"{method}\", \"authority\": \"x\", \"target\": \"{target}\", \
             \"headers\": [{json}]{}}},\n  \
             \"response\": {{\"status\": 200, \"headers\": [{json}, {length}]{}}}\n}}",
            body(request),
            body(response)
        )
        .unwrap();
    }
    fs::write(path, text).unwrap();
}

pub(super) fn write_small(path: &Path) {
    let exchange = |number| {
        (
            "GET",
            format!("/small/{number}"),
            String::new(),
            "{}".to_owned(),
        )
    };
    write(path, (0..50).map(exchange));
}

pub(super) fn write_zeros(path: &Path) {
    let exchange = |_| ("GET", "/zeros".to_owned(), String::new(), zeros(ZEROS));
    write(path, (0..1).map(exchange));
}

/// Ten requests of 10 MB.
pub(super) fn write_requests(path: &Path) {
    let exchange = |number: usize| {
        (
            "POST",
            "/large".to_owned(),
            numbers(number),
            "{}".to_owned(),
        )
    };
    write(path, (0..10).map(exchange));
}

/// An array of 10 MB.
fn numbers(number: usize) -> String {
    let numbers = (0..900_000).map(|at| format!("{:09},", at * (number + 3) + 100_000_000));
    format!("[{}{number}]", numbers.collect::<String>())
}

/// A request with a body, on a connection that is closed after it.
pub(super) fn post(target: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{fields}\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

pub(super) fn get(target: &str, fields: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\n{fields}connection: close\r\n\r\n")
        .into_bytes()
}

const JSON: &str = "content-type: application/json\r\n";

/// Sends a request; a fault if the status is another one or no response came.
pub(super) fn expect(
    harness: &Harness,
    mode: &str,
    request: &[u8],
    statuses: &[u16],
) -> Vec<String> {
    match honest::ask(harness.at(mode), request) {
        Ok((status, ..)) if statuses.contains(&status) => Vec::new(),
        Ok((status, ..)) => vec![format!("{mode}: status {status}, not {statuses:?}")],
        Err(error) => vec![format!("{mode}: {error}")],
    }
}

fn zeros_of(harness: &Harness, mode: &str, target: &str) -> Vec<String> {
    match honest::ask(harness.at(mode), &get(target, "")) {
        Ok((200, _, body)) if body.len() == 2 * ZEROS + 1 => Vec::new(),
        Ok((status, _, body)) => vec![format!("{mode}: {status}, {} bytes", body.len())],
        Err(error) => vec![format!("{mode}: {error}")],
    }
}

pub(super) fn record_zeros(harness: &Harness) -> Vec<String> {
    zeros_of(harness, "record", "/zeros")
}

pub(super) fn replay_zeros(harness: &Harness) -> Vec<String> {
    zeros_of(harness, "replay", "/zeros")
}

pub(super) fn record_three(harness: &Harness) -> Vec<String> {
    at_once(3, |number| {
        zeros_of(harness, "record", &format!("/zeros?{number}"))
    })
}

pub(super) fn miss(harness: &Harness) -> Vec<String> {
    expect(
        harness,
        "replay",
        &post("/large", JSON, numbers(99).as_bytes()),
        &[404, 503],
    )
}

pub(super) fn auto(harness: &Harness) -> Vec<String> {
    at_once(4, |client| {
        let requests = (0..4).map(|number| {
            let body = format!(
                "{{\"n\": \"{client}.{number}\", \"a\": {}}}",
                zeros(2_450_000)
            );
            expect(
                harness,
                "auto",
                &post("/auto", JSON, body.as_bytes()),
                &[200, 503],
            )
        });
        requests.flatten().collect()
    })
}

pub(super) fn parts(harness: &Harness) -> Vec<String> {
    let part = "--b\r\ncontent-disposition: form-data; name=\"token\"\r\n\r\nx\r\n";
    let body = part.repeat(20_000) + "--b--\r\n";
    let kind = "content-type: multipart/form-data; boundary=b\r\n";
    expect(
        harness,
        "record",
        &post("/parts", kind, body.as_bytes()),
        &[200],
    )
}

pub(super) fn form(harness: &Harness) -> Vec<String> {
    let fields = (0..200_000).map(|number| format!("f{number}=%25{number}&"));
    let body: String = fields.collect();
    let kind = "content-type: application/x-www-form-urlencoded\r\n";
    expect(
        harness,
        "record",
        &post("/form", kind, body.as_bytes()),
        &[200],
    )
}

pub(super) fn nested(harness: &Harness) -> Vec<String> {
    let arrays = "[".repeat(1_000_000);
    let closed = "[".repeat(500_000) + &"]".repeat(500_000);
    let quotes = format!("[{}\"\"]", "\"\\\"\",".repeat(1_000_000));
    let braces = "{\"a\":".repeat(300_000);
    let bodies = [arrays, closed, quotes, braces];
    let sent = bodies.iter().map(|body| {
        let request = post("/nested", JSON, body.as_bytes());
        [
            expect(harness, "record", &request, &[200]),
            expect(harness, "replay", &request, &[404]),
        ]
        .concat()
    });
    sent.flatten().collect()
}

pub(super) fn codings(harness: &Harness) -> Vec<String> {
    let mut body = vec![0; 1 << 20];
    for _ in 0..4 {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&body).unwrap();
        body = gzip.finish().unwrap();
    }
    let codings = ["gzip"; 20].join(", ");
    let fields = format!("content-encoding: {codings}\r\n");
    let sent = (0..20).map(|_| {
        expect(
            harness,
            "record",
            &post("/coded", &fields, &body),
            &[200, 400, 415],
        )
    });
    sent.flatten().collect()
}

/// Clients that ask for 50 MB and read the head alone.
pub(super) fn stopped_readers(harness: &Harness) -> Vec<String> {
    let readers = (0..64).filter_map(|_| {
        let mut stream = connect(harness.at("replay")).ok()?;
        stream.write_all(&get("/zeros", "")).ok()?;
        stream.read_exact(&mut [0; 16]).ok()?;
        Some(stream)
    });
    let readers: Vec<_> = readers.collect();
    std::thread::sleep(Duration::from_secs(1));
    match readers.len() {
        0 => vec!["no reader got a head".to_owned()],
        _ => Vec::new(),
    }
}

pub(super) fn cut_off(harness: &Harness) -> Vec<String> {
    let half = vec![b'x'; 512 << 10];
    let head = "POST /cut HTTP/1.1\r\nhost: x\r\ncontent-length: 1048576\r\n\r\n";
    for _ in 0..300 {
        if let Ok(mut stream) = connect(harness.at("record")) {
            let _ = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&half));
        }
    }
    Vec::new()
}

pub(super) fn replaced(harness: &Harness) -> Vec<String> {
    let path = harness.folder().join(super::REPLAYED);
    let next = path.with_extension("next");
    for number in 0..10 {
        write_requests(&next);
        fs::rename(&next, &path).unwrap();
        let request = get(&format!("/none?{number}"), "");
        let _ = honest::ask(harness.at("replay"), &request);
    }
    expect(
        harness,
        "replay",
        &post("/large", JSON, numbers(1).as_bytes()),
        &[200, 503],
    )
}

/// Runs clients at once, and returns what is wrong.
pub(super) fn at_once(count: usize, client: impl Fn(usize) -> Vec<String> + Sync) -> Vec<String> {
    let client = &client;
    std::thread::scope(|scope| {
        let threads = (0..count).map(|number| scope.spawn(move || client(number)));
        let threads: Vec<_> = threads.collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}
