//! Logins that belong to a connection (NTLM, Negotiate): no client uses the login of another one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use ouli_codec::websocket::accept_key;

use crate::support::client;
use crate::support::gateway::{self, Running};
use crate::support::websocket::{TEXT, bare};

/// An origin with logins per connection. `NTLM` takes two requests: `hello:NAME`, which gets a
/// challenge, and `proof:NAME`. `Negotiate NAME` takes one. A request with `connection: close`
/// closes the connection.
fn origin() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || serve(&stream));
        }
    });
    url
}

fn serve(stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    let (mut user, mut challenged) = (None::<String>, None::<String>);
    while let Some((head, _)) = read_message(&mut reader) {
        let login = head
            .lines()
            .find_map(|line| line.strip_prefix("authorization: "));
        match login.map(|login| login.split_once(' ').unwrap()) {
            Some(("NTLM", message)) => {
                let (step, name) = message.split_once(':').unwrap();
                let known = challenged.take().is_some_and(|before| before == name);
                match step {
                    "hello" => challenged = Some(name.to_owned()),
                    _ => user = known.then(|| name.to_owned()),
                }
            }
            Some((_, name)) => user = Some(name.to_owned()),
            None => {}
        }
        if head.contains("\r\nupgrade: websocket\r\n")
            && let Some(user) = &user
        {
            let key = head
                .lines()
                .find_map(|line| line.strip_prefix("sec-websocket-key: "));
            let accept = accept_key(key.unwrap());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
                 upgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
            );
            let frame = bare(TEXT, user);
            let bytes = [answer.as_bytes(), &frame].concat();
            return reader.get_mut().write_all(&bytes).unwrap();
        }
        let closes = head.starts_with("GET /last ");
        let connection = if closes { "connection: close\r\n" } else { "" };
        let answer = match (&user, &challenged) {
            (_, Some(name)) => format!("401 No\r\nwww-authenticate: NTLM for:{name}\r\n"),
            (Some(_), None) => "200 OK\r\n".to_owned(),
            (None, None) => {
                "401 No\r\nwww-authenticate: Negotiate\r\nwww-authenticate: NTLM\r\n".to_owned()
            }
        };
        let body = user.clone().unwrap_or_default();
        let length = body.len();
        let answer = format!("HTTP/1.1 {answer}{connection}content-length: {length}\r\n\r\n{body}");
        if reader.get_mut().write_all(answer.as_bytes()).is_err() || closes {
            return;
        }
    }
}

/// Reads a head, converted to lower case, and a body; none at the end of the connection.
fn read_message(reader: &mut BufReader<&TcpStream>) -> Option<(String, String)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head
        .to_ascii_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).unwrap()))
}

/// One connection of a client.
struct Client(TcpStream);

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(crate::support::PATIENCE))
            .unwrap();
        Self(stream)
    }

    /// Sends a request; returns the response head and the body, which is the name of the user.
    fn ask(&mut self, target: &str, login: Option<&str>) -> (String, String) {
        let login = login.map_or_else(String::new, |login| format!("authorization: {login}\r\n"));
        let request = format!("GET {target} HTTP/1.1\r\nhost: x\r\n{login}\r\n");
        self.0.write_all(request.as_bytes()).unwrap();
        read_message(&mut BufReader::new(&self.0)).expect("an answer")
    }

    fn user(&mut self) -> String {
        self.ask("/", None).1
    }

    fn begin_login(&mut self, name: &str) {
        let (head, _) = self.ask("/", Some(&format!("NTLM hello:{name}")));
        assert!(head.contains(&format!("NTLM for:{name}\r\n")), "{head}");
    }

    fn end_login(&mut self, name: &str) {
        let (_, user) = self.ask("/", Some(&format!("NTLM proof:{name}")));
        assert_eq!(user, name);
    }
}

/// Starts a gateway with a single thread, so that all clients share a pool.
fn start(mode: &'static str) -> Running {
    let folder = std::sync::Arc::new(crate::support::folder::Folder::new());
    gateway::over(&folder, mode)
        .upstream(&origin())
        .start_with(1)
}

#[test]
fn an_ntlm_login_belongs_to_the_connection_of_its_client() {
    for mode in ["passthrough", "record"] {
        let gateway = start(mode);
        let mut alice = Client::connect(gateway.address);
        let mut bob = Client::connect(gateway.address);
        assert_eq!((alice.user().as_str(), bob.user().as_str()), ("", ""));
        alice.begin_login("alice");
        bob.begin_login("bob");
        alice.end_login("alice");
        for _ in 0..3 {
            let mut other = Client::connect(gateway.address);
            assert_eq!(other.user(), "", "{mode}: the response is for another user");
        }
        bob.end_login("bob");
        for _ in 0..3 {
            assert_eq!(alice.user(), "alice", "{mode}");
            assert_eq!(bob.user(), "bob", "{mode}");
        }
    }
}

#[test]
fn a_negotiate_login_belongs_to_the_connection_of_its_client() {
    let gateway = start("passthrough");
    let mut alice = Client::connect(gateway.address);
    let (_, user) = alice.ask("/", Some("Negotiate alice"));
    assert_eq!(user, "alice");
    let mut other = Client::connect(gateway.address);
    assert_eq!(other.user(), "");
    assert_eq!(alice.user(), "alice");
    // The scheme is case-insensitive (RFC 9110, section 11.1).
    let (_, user) = other.ask("/", Some("negotiate bob"));
    assert_eq!(user, "bob");
    drop(other);
    assert_eq!(client::http1(&gateway).get("/").text(), "");
}

#[test]
fn a_login_ends_with_either_connection() {
    let gateway = start("passthrough");
    let mut alice = Client::connect(gateway.address);
    alice.begin_login("alice");
    alice.end_login("alice");
    // After a close of the upstream, the next request gets a new connection without the login.
    assert_eq!(alice.ask("/last", None).1, "alice");
    assert_eq!(alice.user(), "");
    alice.begin_login("alice");
    alice.end_login("alice");
    assert_eq!(alice.user(), "alice");
    drop(alice);
    for _ in 0..3 {
        assert_eq!(Client::connect(gateway.address).user(), "");
    }
}

#[test]
fn a_websocket_opens_on_the_connection_of_the_login() {
    const ASK: &str = "GET /socket HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let gateway = start("record");
    let mut alice = Client::connect(gateway.address);
    alice.begin_login("alice");
    alice.end_login("alice");
    alice.0.write_all(ASK.as_bytes()).unwrap();
    let mut reader = BufReader::new(&alice.0);
    let (head, _) = read_message(&mut reader).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let mut frame = [0; 7];
    reader.read_exact(&mut frame).unwrap();
    assert_eq!(&frame[2..], b"alice");
    // Without a login the replay has the same error as the origin.
    assert!(
        client::raw(gateway.address, ASK)
            .head()
            .starts_with("HTTP/1.1 401 ")
    );
}
