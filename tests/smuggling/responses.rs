//! Response smuggling: each client gets one response, which is the recorded one, or an error; no
//! connection keeps leftover bytes.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use super::corpus::client::{self, Answer};
use super::corpus::responses::{self, Evil};
use super::corpus::{owner, target};
use crate::support::folder::Folder;
use crate::support::gateway;

const CLEAN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nclean";

/// The time in which the gateway may reuse a connection.
const REUSE: std::time::Duration = std::time::Duration::from_millis(200);

const LIMITS: &str = "[limits]\nresponse_header_timeout = \"2s\"";

#[test]
fn a_response_is_one_response_and_leaves_no_bytes() {
    let evil = Arc::new(responses::all());
    assert!(evil.len() >= 200, "{} answers", evil.len());
    let origin = origin(&evil);
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record")
        .upstream(&format!("http://{origin}"))
        .section(LIMITS)
        .start();
    let ids: Vec<_> = (0..evil.len()).collect();
    let seen = client::each(&ids, |id| {
        let first = ask(gateway.address, &target("first", *id));
        // More requests than a worker has connections, so any dirty connection is used.
        let others = [(); 2].map(|()| ask(gateway.address, &target("second", *id)));
        (first, others)
    });
    gateway.stop();
    let recorded: HashSet<_> = folder.exchanges("default").iter().map(recorded).collect();
    let mut faults = Vec::new();
    for (id, (first, others)) in seen.into_iter().enumerate() {
        let name = &evil[id].name;
        let clean =
            |answer: &Option<Answer>| answer.as_ref().is_some_and(|one| one.body == b"clean");
        if !others.iter().all(clean) {
            faults.push(format!("{name}: the next request got {others:?}"));
        }
        let kept: Vec<_> = recorded
            .iter()
            .filter(|(target, ..)| *target == self::target("first", id))
            .map(|(_, status, body)| (*status, body.clone()))
            .collect();
        let answered = first.as_ref().filter(|answer| !answer.own);
        let answered: Vec<_> = answered
            .map(|answer| {
                (
                    answer.status,
                    String::from_utf8_lossy(&answer.body).into_owned(),
                )
            })
            .into_iter()
            .collect();
        if kept != answered
            || first
                .as_ref()
                .is_some_and(|one| one.own && one.status != 502)
        {
            faults.push(format!(
                "{name}: the client got {first:?}, recorded is {kept:?}"
            ));
        }
    }
    assert!(
        faults.is_empty(),
        "{} of {}:\n{}",
        faults.len(),
        ids.len(),
        faults.join("\n")
    );
}

/// The target, status and body of a recorded exchange.
fn recorded(exchange: &serde_json::Value) -> (String, u16, String) {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Array(lines) => lines.iter().filter_map(|line| line.as_str()).collect(),
        other => other.as_str().unwrap_or_default().to_owned(),
    };
    let response = &exchange["response"];
    let status = response["status"].as_u64().unwrap();
    (
        text(&exchange["request"]["target"]),
        u16::try_from(status).unwrap(),
        text(&response["body"]["text"]),
    )
}

/// The response to a request on a new connection; none if it is incomplete.
fn ask(address: SocketAddr, target: &str) -> Option<Answer> {
    let mut stream = client::connect(address);
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut read = Vec::new();
    while client::receive(&mut stream, &mut read) == Some(true) {}
    let answers = client::answers(&read, &[]);
    let one = answers.whole.len() == 1 && answers.rest.is_empty();
    let whole = answers.whole.into_iter().next();
    assert!(
        one || whole.is_none(),
        "more than one response: {}",
        read.escape_ascii()
    );
    whole
}

/// Starts an origin that sends these responses for the first requests and then closes the
/// connection; all other responses are valid. Returns its address.
fn origin(evil: &Arc<Vec<Evil>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let evil = Arc::clone(evil);
    // The thread runs until the process exits.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, evil) = (stream.unwrap(), Arc::clone(&evil));
            std::thread::spawn(move || while answer(&mut stream, &evil).is_some() {});
        }
    });
    address
}

/// Reads a head and responds. None if the connection is to be closed.
fn answer(stream: &mut TcpStream, evil: &[Evil]) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1)?;
    if !target.starts_with("/first/") {
        return stream.write_all(CLEAN.as_bytes()).ok();
    }
    stream.write_all(&evil[owner(target)?].bytes).ok()?;
    // The gateway may reuse this connection. A client that waits for more of the response must not
    // wait indefinitely.
    stream.set_read_timeout(Some(REUSE)).ok()?;
    let is_reused = stream.peek(&mut byte).is_ok_and(|count| count > 0);
    stream.set_read_timeout(None).ok()?;
    if is_reused {
        return Some(());
    }
    stream.shutdown(Shutdown::Write).ok()?;
    while stream.read(&mut byte).is_ok_and(|count| count > 0) {}
    None
}
